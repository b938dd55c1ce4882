// At 1 000 and 10 000 spans a second, 10 a request on 8 connections: whether all are taken in, how
// long an acknowledgement takes, the CPU and the memory. One side at a time, so that no other
// disturbs its disk.
import { median, quantile, range } from '../load.ts'
import { cpuSeconds, type Memory, memoryOf } from '../processes.ts'
import { Contender, NAMES, type Name } from './contenders.ts'
import type { Length } from './full-speed.ts'

const ALL: readonly Name[] = ['durable', 'memory', 'ours', 'baseline']
const CONNECTIONS = 8
const SPANS = 10
const RATES = [1_000, 10_000] as const
/** At the greater rate. */
const MAX_P99_MS = 20
const MAX_ANON_ABOVE_FLOOR_MIB = 12
const SAMPLE_MS = 250
const WARM_UP_SECONDS = 2

interface Measured {
  accepted: number
  /** Of a core. */
  cpu: number
  p50: number
  p99: number
  memory: Memory
}

async function measure(one: Contender, rate: number, seconds: number): Promise<Measured> {
  const load = { connections: CONNECTIONS, spans: SPANS, rate: rate / SPANS }
  await one.run({ ...load, seconds: Math.min(WARM_UP_SECONDS, seconds) })
  const { pid } = one.program
  const before = cpuSeconds(pid)
  const began = performance.now()
  const samples: Memory[] = []
  const sampler = setInterval(() => samples.push(memoryOf(pid)), SAMPLE_MS)
  const { requests, seconds: took, p50, p99 } = await one.run({ ...load, seconds })
  clearInterval(sampler)
  const cpu = (cpuSeconds(pid) - before) / ((performance.now() - began) / 1000)
  const highest = (field: keyof Memory): number =>
    quantile(
      samples.map((sample) => sample[field]),
      1,
    )
  const memory = { rss: highest('rss'), anon: highest('anon'), pss: highest('pss') }
  return { accepted: (requests * SPANS) / (rate * took), cpu, p50, p99, memory }
}

export async function fixedRate({
  repetitions,
  seconds,
}: Length): Promise<{ table: string; missed: string[] }> {
  const results = RATES.map(() => new Map<Name, Measured[]>(ALL.map((name) => [name, []])))
  for (let repetition = 0; repetition < repetitions; repetition++)
    for (const [i, rate] of RATES.entries())
      for (const name of ALL) {
        const one = await Contender.start(name)
        results[i]!.get(name)!.push(await measure(one, rate, seconds))
        await one.stop()
      }
  return { table: table(results), missed: missedAt(results[1]!) }
}

function missedAt(results: Map<Name, Measured[]>): string[] {
  const of = (name: Name, field: (one: Measured) => number): number =>
    median(results.get(name)!.map(field))
  const missed: string[] = []
  const [accepted, p99] = [of('ours', (one) => one.accepted), of('ours', (one) => one.p99)]
  if (accepted < 0.999) missed.push(`10 000 spans/s: ${(accepted * 100).toFixed(1)} % accepted`)
  if (p99 >= MAX_P99_MS)
    missed.push(
      `10 000 spans/s: p99 of the acknowledgement ${p99.toFixed(1)} ms, not under ${MAX_P99_MS}`,
    )
  const [rss, theirs] = [
    of('ours', (one) => one.memory.rss),
    of('durable', (one) => one.memory.rss),
  ]
  const baseline = of('baseline', (one) => one.memory.rss)
  if (rss > theirs)
    missed.push(
      `10 000 spans/s: RSS ${rss.toFixed(1)} MiB, the durable Collector's ${theirs.toFixed(1)}; the baseline: ${baseline.toFixed(1)}`,
    )
  const above = of('ours', (one) => one.memory.anon) - of('baseline', (one) => one.memory.anon)
  if (above > MAX_ANON_ABOVE_FLOOR_MIB)
    missed.push(`10 000 spans/s: RssAnon ${above.toFixed(1)} MiB above the baseline`)
  return missed
}

function table(results: readonly Map<Name, Measured[]>[]): string {
  const rows = RATES.flatMap((rate, i) =>
    ALL.map((name) => {
      const measured = results[i]!.get(name)!
      const one = (field: (of: Measured) => number, digits: number): string =>
        `${median(measured.map(field)).toFixed(digits)} (${range(measured.map(field), digits)})`
      const plain = (field: (of: Measured) => number): string =>
        median(measured.map(field)).toFixed(1)
      const cells = [
        name === ALL[0] ? `${rate / 1000} 000 spans/s` : '',
        NAMES[name],
        one((of) => of.accepted * 100, 1),
        one((of) => of.cpu * 100, 1),
        one((of) => of.p50, 2),
        one((of) => of.p99, 1),
        `${plain((of) => of.memory.rss)} / ${plain((of) => of.memory.anon)} / ${plain((of) => of.memory.pss)}`,
      ]
      return `| ${cells.join(' | ')} |`
    }),
  )
  return [
    '| fixed rate | | accepted, % | CPU, % of a core | acknowledgement p50, ms | p99, ms | highest RSS / RssAnon / PSS, MiB |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}
