// Time from start to the first 200, and memory idle and under a light load, of the bundle that
// ships, beside a bare `node:http` server in the same run and with the same flags of Node: what is
// above it is ours.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { median, range } from './load.ts'
import {
  IMAGE_FLAGS,
  load,
  memoryOf,
  type Running,
  startBare,
  startOurs,
  startSink,
} from './processes.ts'

/**
 * Many, because a start that others disturb says nothing; the least disturbed of each side are
 * compared.
 */
const STARTS = 15
const REPETITIONS = 3
const IDLE_MS = 5_000
/** 1 000 spans a second. */
const LIGHT = { connections: 1, spans: 10, rate: 100, seconds: 8 }
const SAMPLE_MS = 500
const MAX_START_MS = 100
const MAX_ANON_MIB = 12

/** Milliseconds from now until the program answers 200. */
async function timed(begin: () => Promise<Running>): Promise<{ program: Running; ms: number }> {
  const began = performance.now()
  const program = await begin()
  const headers = { 'content-type': 'application/x-protobuf', 'content-length': 0 }
  const post = request({
    port: program.port,
    host: '127.0.0.1',
    path: '/v1/traces',
    method: 'POST',
    agent: false,
    headers,
  }).end()
  const [answer] = (await once(post, 'response')) as [IncomingMessage]
  if (answer.statusCode !== 200) throw new Error(`The first answer was ${answer.statusCode}.`)
  answer.resume()
  return { program, ms: performance.now() - began }
}

interface Figures {
  start: number[]
  idleRss: number[]
  idleAnon: number[]
  rss: number[]
  anon: number[]
}
const none = (): Figures => ({ start: [], idleRss: [], idleAnon: [], rss: [], anon: [] })

async function measureMemory(program: Running, into: Figures): Promise<void> {
  await wait(IDLE_MS)
  const idle = memoryOf(program.pid)
  into.idleRss.push(idle.rss)
  into.idleAnon.push(idle.anon)
  const samples: { rss: number; anon: number }[] = []
  const sampler = setInterval(() => samples.push(memoryOf(program.pid)), SAMPLE_MS)
  await load({ port: program.port, ...LIGHT })
  clearInterval(sampler)
  into.rss.push(median(samples.map(({ rss }) => rss)))
  into.anon.push(median(samples.map(({ anon }) => anon)))
}

async function compare(flags: readonly string[]): Promise<{ bare: Figures; ours: Figures }> {
  const [bare, ours] = [none(), none()]
  const sink = await startSink()
  const sides = [
    { figures: bare, begin: () => startBare(flags) },
    { figures: ours, begin: () => startOurs(sink, flags) },
  ]
  for (let i = 0; i < STARTS; i++) {
    for (const { figures, begin } of sides) {
      const { program, ms } = await timed(begin)
      figures.start.push(ms)
      await program.stop()
    }
  }
  for (let i = 0; i < REPETITIONS; i++) {
    const programs = [await startBare(flags), await startOurs(sink, flags)]
    await Promise.all(sides.map(({ figures }, side) => measureMemory(programs[side]!, figures)))
    for (const program of programs) await program.stop()
  }
  await sink.stop()
  return { bare, ours }
}

export async function benchMemory(): Promise<{ table: string; missed: string[] }> {
  const rows: string[] = []
  const missed: string[] = []
  for (const flags of [[], IMAGE_FLAGS]) {
    const { bare, ours } = await compare(flags)
    const name = flags.length === 0 ? 'no flags' : flags.map((flag) => `\`${flag}\``).join(' ')
    const above = (field: keyof Figures): number => median(ours[field]) - median(bare[field])
    const start = Math.min(...ours.start) - Math.min(...bare.start)
    rows.push(row(`bare \`node:http\`, ${name}`, bare), row(`usage-sidecar, ${name}`, ours))
    const pair = (a: keyof Figures, b: keyof Figures): string =>
      `${above(a).toFixed(1)} / **${above(b).toFixed(1)}**`
    rows.push(
      `| above it (start: least of each) | **${start.toFixed(0)}** | ${pair('idleRss', 'idleAnon')} | ${pair('rss', 'anon')} |`,
    )
    if (start > MAX_START_MS)
      missed.push(`start, ${name}: ${start.toFixed(0)} ms above the bare server`)
    if (above('idleAnon') > MAX_ANON_MIB)
      missed.push(
        `memory, ${name}: ${above('idleAnon').toFixed(1)} MiB RssAnon above the bare server`,
      )
  }
  rows.push(`| target, above it | ${MAX_START_MS} | RssAnon ${MAX_ANON_MIB} | |`)
  return {
    table: [
      '| start and memory, medians (ranges) | start to first 200, ms | idle after 5 s: RSS / RssAnon, MiB | 1 000 spans/s: RSS / RssAnon, MiB |',
      '|---|---|---|---|',
      ...rows,
    ].join('\n'),
    missed,
  }
}

function row(name: string, { start, idleRss, idleAnon, rss, anon }: Figures): string {
  const one = (values: readonly number[]): string =>
    `${median(values).toFixed(1)} (${range(values, 1)})`
  return `| ${name} | ${median(start).toFixed(0)} (${range(start)}) | ${one(idleRss)} / ${one(idleAnon)} | ${one(rss)} / ${one(anon)} |`
}

if (import.meta.main) process.stdout.write(`${(await benchMemory()).table}\n`)
