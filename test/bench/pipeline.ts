// The whole program of the bundle in mode on, durable, its sending included, against the baseline
// in the same run: spans per CPU-second (utime and stime of the whole process, until every accepted
// batch has reached the collector).
import { setTimeout as wait } from 'node:timers/promises'
import { median, range } from './load.ts'
import {
  cpuSeconds,
  IMAGE_FLAGS,
  load,
  type Running,
  startBaseline,
  startOurs,
  startSink,
} from './processes.ts'

const REPETITIONS = 3
const SECONDS = 3
const WARM_UP = { connections: 8, spans: 100, seconds: 2 }
const ARRIVAL_MS = 30_000

interface Case {
  spans: number
  connections: number
  /** Part of the baseline that must be reached. */
  target?: number
}
const CASES: readonly Case[] = [
  { spans: 10, connections: 1 },
  { spans: 10, connections: 8, target: 0.55 },
  { spans: 100, connections: 1 },
  { spans: 100, connections: 8, target: 0.35 },
]

/** A program under load, the collector behind it, and how many batches it took in. */
export class Side {
  readonly program: Running
  readonly #sink: Running
  #accepted = 0

  constructor(program: Running, sink: Running) {
    this.program = program
    this.#sink = sink
  }

  /**
   * Loads it and waits until all that was accepted has reached the collector: none lost, none
   * twice.
   */
  async run(options: {
    connections: number
    spans: number
    seconds: number
    requests?: number
  }): Promise<{ requests: number; seconds: number; sender: number }> {
    const { requests, refused, cut, seconds, cpu } = await load({
      port: this.program.port,
      ...options,
    })
    if (refused + cut > 0)
      throw new Error(`${refused} requests were not answered 200, ${cut} connections were cut off.`)
    this.#accepted += requests
    const deadline = Date.now() + ARRIVAL_MS
    for (;;) {
      const arrived = Number(await (await fetch(`http://127.0.0.1:${this.#sink.port}/`)).text())
      if (arrived === this.#accepted) return { requests, seconds, sender: cpu }
      if (Date.now() > deadline || arrived > this.#accepted)
        throw new Error(`${this.#accepted} batches were accepted, ${arrived} arrived.`)
      await wait(50)
    }
  }

  async stop(): Promise<void> {
    await this.program.stop()
    await this.#sink.stop()
  }
}

interface Measured {
  perCpuSecond: number
  perSecond: number
  sender: number
}

async function measure(side: Side, { spans, connections }: Case): Promise<Measured> {
  const before = cpuSeconds(side.program.pid)
  const { requests, seconds, sender } = await side.run({ connections, spans, seconds: SECONDS })
  const cpu = cpuSeconds(side.program.pid) - before
  return { perCpuSecond: (requests * spans) / cpu, perSecond: (requests * spans) / seconds, sender }
}

export async function benchPipeline(): Promise<{ table: string; missed: string[] }> {
  const results = CASES.map(() => ({ baseline: [] as Measured[], ours: [] as Measured[] }))
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    const [baselineSink, oursSink] = [await startSink(), await startSink()]
    const baseline = new Side(await startBaseline(baselineSink, IMAGE_FLAGS), baselineSink)
    const ours = new Side(await startOurs(oursSink, IMAGE_FLAGS), oursSink)
    await baseline.run(WARM_UP)
    await ours.run(WARM_UP)
    for (const [i, one] of CASES.entries()) {
      results[i]!.baseline.push(await measure(baseline, one))
      results[i]!.ours.push(await measure(ours, one))
    }
    await baseline.stop()
    await ours.stop()
  }
  const rows: string[] = []
  const missed: string[] = []
  for (const [i, { spans, connections, target }] of CASES.entries()) {
    const { baseline, ours } = results[i]!
    const ratios = ours.map(({ perCpuSecond }, n) => perCpuSecond / baseline[n]!.perCpuSecond)
    const ratio = median(ratios)
    const name = `${spans} spans a request, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
    if (target !== undefined && ratio < target)
      missed.push(
        `whole program, ${name}: ${percent(ratio)} of the baseline, not ${percent(target)}`,
      )
    const cells = [
      name,
      thousands(baseline.map((one) => one.perCpuSecond)),
      thousands(ours.map((one) => one.perCpuSecond)),
      `**${percent(ratio)}** (${range(ratios.map((one) => one * 100))})`,
      target === undefined ? '' : `${percent(target)}`,
      `${thousands(baseline.map((one) => one.perSecond))} / ${thousands(ours.map((one) => one.perSecond))}`,
      percent(median([...baseline, ...ours].map((one) => one.sender))),
    ]
    rows.push(`| ${cells.join(' | ')} |`)
  }
  return {
    table: [
      '| whole program, durable | baseline, spans per CPU-second | usage-sidecar | of the baseline (range) | target | accepted a second, baseline / ours | core that the load took |',
      '|---|---|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
    missed,
  }
}

export const percent = (part: number): string => `${Math.round(part * 100)} %`
const thousands = (values: readonly number[]): string =>
  `${Math.round(median(values) / 1000)} k (${range(values.map((one) => one / 1000))})`

if (import.meta.main) process.stdout.write(`${(await benchPipeline()).table}\n`)
