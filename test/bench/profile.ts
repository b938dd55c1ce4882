// Where the CPU of the whole road goes, by room of src/ and by thread, beside the floor's: the main
// thread from a CPU profile of the source as it is (its file names tell the room), scaled to what
// /proc says that the thread used.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Side } from './pipeline.ts'
import {
  cpuByThread,
  IMAGE_FLAGS,
  ROOT,
  scratchFolder,
  startFloor,
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

const ON_THE_ROAD = [
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

/** The room that a file belongs to, by its address; `undefined` for what is not ours. */
function roomOf(url: string): string | undefined {
  if (url.endsWith('/baseline.cjs')) return 'the floor'
  if (!url.startsWith(`file://${ROOT}src/`)) return undefined
  const room = url.slice(`file://${ROOT}src/`.length).split(/[/.]/, 1)[0]!
  return ON_THE_ROAD.includes(room) ? room : 'the start'
}

/**
 * Time of the main thread by room. What Node does for a room counts as its; what no room called, as
 * Node's own.
 */
function byRoom(profile: CpuProfile): Microseconds {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const rooms = new Map<number, string>()
  const visit = (id: number, caller: string | undefined): void => {
    const { callFrame, children = [] } = nodes.get(id)!
    const { functionName, url } = callFrame
    const room = roomOf(url)
    const around = room ?? caller
    const native = /^\((garbage collector|program|idle)\)$/.exec(functionName)?.[1]
    rooms.set(
      id,
      native ??
        room ??
        (caller === undefined ? 'Node, called by no room' : `Node, called by ${caller}`),
    )
    for (const child of children) visit(child, around)
  }
  visit(profile.nodes[0]!.id, undefined)
  const sums: Microseconds = new Map()
  for (const [i, id] of profile.samples.entries()) {
    const room = rooms.get(id)!
    if (room !== 'idle') sums.set(room, (sums.get(room) ?? 0) + profile.timeDeltas[i]!)
  }
  return sums
}

/** Microseconds of CPU for each request. */
async function profileOf(which: 'floor' | 'ours', spans: number): Promise<Microseconds> {
  const folder = scratchFolder()
  const flags = [...IMAGE_FLAGS, '--cpu-prof', `--cpu-prof-dir=${folder}`]
  const sink = await startSink()
  const program =
    which === 'floor' ? await startFloor(sink, flags) : await startOurs(sink, flags, 'src/main.ts')
  const side = new Side(program, sink)
  const before = cpuByThread(program.pid)
  const { requests } = await side.run({ connections: CONNECTIONS, spans, seconds: SECONDS })
  const after = cpuByThread(program.pid)
  await side.stop()
  const sums = byRoom(
    JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')) as CpuProfile,
  )
  const total = [...sums.values()].reduce((sum, one) => sum + one, 0)
  const perRequest = 1e6 / requests
  const result: Microseconds = new Map()
  for (const [room, sum] of sums)
    result.set(room, (sum / total) * (after.main - before.main) * perRequest)
  result.set('threads for files and gzip', (after.pool - before.pool) * perRequest)
  result.set("V8's threads (garbage, compiler)", (after.v8 - before.v8) * perRequest)
  return result
}

export async function benchProfile(): Promise<string> {
  const columns: Microseconds[] = []
  for (const spans of [10, 100])
    for (const which of ['ours', 'floor'] as const) columns.push(await profileOf(which, spans))
  const largest = (room: string): number =>
    Math.max(...columns.map((column) => column.get(room) ?? 0))
  const rooms = [...new Set(columns.flatMap((column) => [...column.keys()]))].filter(
    (room) => largest(room) >= LEAST_MICROSECONDS,
  )
  rooms.sort((a, b) => largest(b) - largest(a))
  const row = (name: string, of: (column: Microseconds) => number): string =>
    `| ${name} | ${columns.map((column) => of(column).toFixed(1)).join(' | ')} |`
  return [
    '| microseconds of CPU a request, 8 connections | usage-sidecar, 10 spans | floor, 10 | usage-sidecar, 100 | floor, 100 |',
    '|---|---|---|---|---|',
    ...rooms.map((room) => row(room, (column) => column.get(room) ?? 0)),
    row('**all**', (column) => [...column.values()].reduce((sum, one) => sum + one, 0)),
  ].join('\n')
}

if (import.meta.main) process.stdout.write(`${await benchProfile()}\n`)
