// Where the CPU of the whole program goes, by folder of src/ and by thread, beside the baseline's:
// the main thread from a CPU profile of the source as it is (its file names tell the folder),
// scaled to what /proc says that the thread used.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Side } from './pipeline.ts'
import {
  cpuByThread,
  IMAGE_FLAGS,
  ROOT,
  scratchFolder,
  startBaseline,
  startOurs,
  startSink,
} from './processes.ts'

const SECONDS = 4
const CONNECTIONS = 8
/** Rows that are less than this in every column are left out. */
const LEAST_MICROSECONDS = 0.5

/**
 * As V8 writes it (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile).
 */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

type Microseconds = Map<string, number>

const REQUEST_FOLDERS = [
  'accept',
  'otlp',
  'pipeline',
  'anonymize',
  'enrich',
  'queue',
  'send',
  'consent',
  'counters',
]

/** The folder that a file belongs to, by its address; `undefined` for what is not ours. */
function folderOf(url: string): string | undefined {
  if (url.endsWith('/baseline.cjs')) return 'the baseline'
  if (!url.startsWith(`file://${ROOT}src/`)) return undefined
  const folder = url.slice(`file://${ROOT}src/`.length).split(/[/.]/, 1)[0]!
  return REQUEST_FOLDERS.includes(folder) ? folder : 'the start'
}

/**
 * Time of the main thread by folder. What Node does for a folder counts as its; what no folder
 * called, as Node's own.
 */
function byFolder(profile: CpuProfile): Microseconds {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const folders = new Map<number, string>()
  const visit = (id: number, caller: string | undefined): void => {
    const { callFrame, children = [] } = nodes.get(id)!
    const { functionName, url } = callFrame
    const folder = folderOf(url)
    const around = folder ?? caller
    const native = /^\((garbage collector|program|idle)\)$/.exec(functionName)?.[1]
    folders.set(
      id,
      native ??
        folder ??
        (caller === undefined ? 'Node, called by no folder' : `Node, called by ${caller}`),
    )
    for (const child of children) visit(child, around)
  }
  visit(profile.nodes[0]!.id, undefined)
  const sums: Microseconds = new Map()
  for (const [i, id] of profile.samples.entries()) {
    const folder = folders.get(id)!
    if (folder !== 'idle') sums.set(folder, (sums.get(folder) ?? 0) + profile.timeDeltas[i]!)
  }
  return sums
}

/** Microseconds of CPU for each request. */
async function profileOf(which: 'baseline' | 'ours', spans: number): Promise<Microseconds> {
  const folder = scratchFolder()
  const flags = [...IMAGE_FLAGS, '--cpu-prof', `--cpu-prof-dir=${folder}`]
  const sink = await startSink()
  const program =
    which === 'baseline'
      ? await startBaseline(sink, flags)
      : await startOurs(sink, flags, 'src/main.ts')
  const side = new Side(program, sink)
  const before = cpuByThread(program.pid)
  const { requests } = await side.run({ connections: CONNECTIONS, spans, seconds: SECONDS })
  const after = cpuByThread(program.pid)
  await side.stop()
  const sums = byFolder(
    JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')) as CpuProfile,
  )
  const total = [...sums.values()].reduce((sum, one) => sum + one, 0)
  const perRequest = 1e6 / requests
  const result: Microseconds = new Map()
  for (const [name, sum] of sums)
    result.set(name, (sum / total) * (after.main - before.main) * perRequest)
  result.set('threads for files and gzip', (after.pool - before.pool) * perRequest)
  result.set("V8's threads (garbage, compiler)", (after.v8 - before.v8) * perRequest)
  return result
}

export async function benchProfile(): Promise<string> {
  const columns: Microseconds[] = []
  for (const spans of [10, 100])
    for (const which of ['ours', 'baseline'] as const) columns.push(await profileOf(which, spans))
  const largest = (name: string): number =>
    Math.max(...columns.map((column) => column.get(name) ?? 0))
  const folders = [...new Set(columns.flatMap((column) => [...column.keys()]))].filter(
    (name) => largest(name) >= LEAST_MICROSECONDS,
  )
  folders.sort((a, b) => largest(b) - largest(a))
  const row = (name: string, of: (column: Microseconds) => number): string =>
    `| ${name} | ${columns.map((column) => of(column).toFixed(1)).join(' | ')} |`
  return [
    '| microseconds of CPU a request, 8 connections | usage-sidecar, 10 spans | baseline, 10 | usage-sidecar, 100 | baseline, 100 |',
    '|---|---|---|---|---|',
    ...folders.map((name) => row(name, (column) => column.get(name) ?? 0)),
    row('**all**', (column) => [...column.values()].reduce((sum, one) => sum + one, 0)),
  ].join('\n')
}

if (import.meta.main) process.stdout.write(`${await benchProfile()}\n`)
