// As fast as answers come, until every accepted span has arrived: spans for each CPU-second of the
// whole process, sending included, accepted spans a second, memory at its highest, bytes on the
// wire. All sides in turns within one repetition.
import { median, range } from '../load.ts'
import { cpuSeconds, memoryOf } from '../processes.ts'
import { Contender, NAMES, type Name } from './contenders.ts'

const ALL: readonly Name[] = ['durable', 'memory', 'ours', 'baseline']
const SAMPLE_MS = 250

interface Case {
  spans: number
  connections: number
  /** Times the durable Collector's spans for each CPU-second. */
  target: number
}
const CASES: readonly Case[] = [
  { spans: 10, connections: 1, target: 3 },
  { spans: 10, connections: 8, target: 8 },
  { spans: 100, connections: 1, target: 3 },
  { spans: 100, connections: 8, target: 4 },
]

interface Measured {
  perCpuSecond: number
  perSecond: number
  refused: number
  rss: number
  anon: number
  wire: number
}

async function measure(
  one: Contender,
  { spans, connections }: Case,
  seconds: number,
): Promise<Measured> {
  const { pid } = one.program
  const before = cpuSeconds(pid)
  const memory = [memoryOf(pid)]
  const sampler = setInterval(() => memory.push(memoryOf(pid)), SAMPLE_MS)
  const { requests, refused, seconds: took, wire } = await one.run({ connections, spans, seconds })
  clearInterval(sampler)
  return {
    perCpuSecond: (requests * spans) / (cpuSeconds(pid) - before),
    perSecond: (requests * spans) / took,
    refused: refused / (requests + refused),
    rss: Math.max(...memory.map(({ rss }) => rss)),
    anon: Math.max(...memory.map(({ anon }) => anon)),
    wire,
  }
}

export interface Length {
  repetitions: number
  seconds: number
}

export async function fullSpeed({
  repetitions,
  seconds,
}: Length): Promise<{ table: string; missed: string[] }> {
  const results = CASES.map(() => new Map<Name, Measured[]>(ALL.map((name) => [name, []])))
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const contenders: Contender[] = []
    for (const name of ALL) contenders.push(await Contender.start(name))
    for (const one of contenders)
      await one.run({ connections: 8, spans: 100, seconds: Math.min(2, seconds) })
    for (const [i, which] of CASES.entries())
      for (const one of contenders)
        results[i]!.get(one.name)!.push(await measure(one, which, seconds))
    for (const one of contenders) await one.stop()
  }
  return report(results)
}

function report(results: readonly Map<Name, Measured[]>[]): { table: string; missed: string[] } {
  const rows: string[] = []
  const missed: string[] = []
  for (const [i, { spans, connections, target }] of CASES.entries()) {
    const of = results[i]!
    const title = `${spans} spans a request, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
    const between = (one: Name, other: Name): number[] =>
      of
        .get(one)!
        .map(
          ({ perCpuSecond }, repetition) => perCpuSecond / of.get(other)![repetition]!.perCpuSecond,
        )
    const ratios = (name: Name): number[] => between('ours', name)
    // Where not even the baseline gets there, the limit is the runtime's.
    const check = (name: Name, least: number): void => {
      const ahead = median(ratios(name))
      if (ahead >= least) return
      const baseline = median(between('baseline', name))
      missed.push(
        `${title}: ${times(ahead)} the spans for each CPU-second of "${NAMES[name]}", not ${least}; the baseline: ${times(baseline)}`,
      )
    }
    check('durable', target)
    check('memory', 1)
    for (const name of ALL) {
      const measured = of.get(name)!
      const all = (field: keyof Measured): number[] => measured.map((one) => one[field])
      const beside =
        name === 'ours' || name === 'baseline'
          ? ''
          : `**${times(median(ratios(name)))}** (${range(ratios(name), 1)})${name === 'durable' ? `, target ${target}` : ', target 1'}`
      const cells = [
        name === ALL[0] ? title : '',
        NAMES[name],
        thousands(all('perCpuSecond')),
        beside,
        thousands(all('perSecond')),
        `${Math.round(median(all('refused')) * 100)} %`,
        `${median(all('rss')).toFixed(0)} / ${median(all('anon')).toFixed(0)}`,
        median(all('wire')).toFixed(0),
      ]
      rows.push(`| ${cells.join(' | ')} |`)
    }
  }
  return {
    table: [
      '| full speed | | spans per CPU-second (range) | usage-sidecar beside it | accepted spans a second | refused | highest RSS / RssAnon, MiB | bytes a span on the wire |',
      '|---|---|---|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
    missed,
  }
}

const times = (ratio: number): string => `${ratio.toFixed(1)} times`
const thousands = (values: readonly number[]): string =>
  `${(median(values) / 1000).toFixed(1)} k (${range(
    values.map((one) => one / 1000),
    1,
  )})`
