// Proves with strace that a 200 means "on disk": with one connection, between any two answers 200 a
// sync of the file that holds the bodies has come to its end; with eight, that one stands for at
// most eight answers. A sync is an fdatasync, an fsync, or a write to a file that was opened with
// O_DSYNC, which does the same within.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Side } from './pipeline.ts'
import {
  IMAGE_FLAGS,
  type Running,
  scratchFolder,
  startBaseline,
  startOurs,
  startSink,
  whenEnded,
} from './processes.ts'

const SECONDS = 1
const SPANS = 10

/** Answers 200 and what was durable before them, as the kernel saw it. */
export interface Trace {
  answers: number
  syncs: number
  /** Answers before which none of them had ended since the answer before. */
  without: number
}

/**
 * Reads a trace of `strace -f -y`: `PID call(3</path>…) = 0`, where a call may be cut into
 * `<unfinished ...>` and `resumed`.
 */
export function readTrace(text: string, folder: string, openedBefore: readonly string[]): Trace {
  const trace = { answers: 0, syncs: 0, without: 0 }
  const unfinished = new Set<string>()
  const opening = new Set<string>()
  const syncedWrites = new Set(openedBefore.map((path) => `<${path}>`))
  let isSynced = false
  for (const line of text.split('\n')) {
    const pid = line.split(' ', 1)[0]!
    if (line.includes('O_DSYNC') && line.includes('<unfinished')) opening.add(pid)
    else if (line.includes('O_DSYNC') || (line.includes('openat resumed>') && opening.delete(pid)))
      syncedWrites.add(/ = \d+(<.*>)$/.exec(line)?.[1] ?? '')
    const call = / ((?:fdata|f)sync|pwrite64|writev?)\(\d+(<[^>]*>)/.exec(line)
    const isSync =
      call !== null &&
      call[2]!.startsWith(`<${folder}/`) &&
      (call[1]!.endsWith('sync') || syncedWrites.has(call[2]!))
    if (isSync && line.includes('<unfinished')) unfinished.add(pid)
    const ended = / (?:fdatasync|fsync|pwrite64|writev?) resumed>/.test(line)
      ? unfinished.delete(pid)
      : isSync
    if (ended && !line.includes('<unfinished') && !line.includes(' = -1 ')) {
      trace.syncs++
      isSynced = true
    }
    if (line.includes('"HTTP/1.1 200')) {
      trace.answers++
      if (!isSynced) trace.without++
      isSynced = false
    }
  }
  return trace
}

interface Traced {
  program: Running
  run(options: {
    connections: number
    spans: number
    seconds: number
  }): Promise<{ requests: number }>
  stop(): Promise<void>
}

/** What the kernel saw of a second of load. */
export async function traced(side: Traced, connections: number): Promise<Trace> {
  const file = join(scratchFolder(), 'trace')
  const before = openForSyncedWrites(side.program.pid)
  const { ended } = await attach(side.program, file)
  const { requests } = await side.run({ connections, spans: SPANS, seconds: SECONDS })
  await side.stop()
  await ended
  const trace = readTrace(readFileSync(file, 'utf8'), side.program.folder, before)
  if (trace.answers !== requests)
    throw new Error(`strace saw ${trace.answers} answers, the clients ${requests}.`)
  return trace
}

/** Files that a process has open with O_DSYNC. */
function openForSyncedWrites(pid: number): string[] {
  const synced: string[] = []
  for (const file of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const flags = /^flags:\s+(\d+)$/m.exec(
        readFileSync(`/proc/${pid}/fdinfo/${file}`, 'utf8'),
      )![1]!
      if ((Number.parseInt(flags, 8) & constants.O_DSYNC) !== 0)
        synced.push(readlinkSync(`/proc/${pid}/fd/${file}`))
    } catch {
      // Closed meanwhile.
    }
  }
  return synced
}

/**
 * Resolves when strace follows every thread; what it resolves to, when the traced process has
 * ended.
 */
async function attach({ pid }: Running, file: string): Promise<{ ended: Promise<unknown> }> {
  const strace = spawn('strace', [
    '-f',
    '-y',
    '-e',
    'trace=openat,pwrite64,fsync,fdatasync,write,writev',
    '-o',
    file,
    '-p',
    String(pid),
  ])
  const ended = whenEnded(strace)
  const [said] = (await Promise.race([
    once(strace.stderr, 'data'),
    ended.then(() => ['it is not installed']),
  ])) as [Buffer | string]
  if (!String(said).includes('attached'))
    throw new Error(`strace cannot follow the process: ${String(said).trim()}`)
  return { ended }
}

export async function proveFsync(): Promise<{ table: string; missed: string[] }> {
  const rows: string[] = []
  const missed: string[] = []
  for (const connections of [1, 8]) {
    for (const which of ['ours', 'baseline'] as const) {
      const name = `${which === 'ours' ? 'usage-sidecar' : 'baseline'}, ${connections === 1 ? '1 connection' : `${connections} connections`}`
      const sink = await startSink()
      const program =
        which === 'baseline'
          ? await startBaseline(sink, IMAGE_FLAGS)
          : await startOurs(sink, IMAGE_FLAGS)
      const { answers, syncs, without } = await traced(new Side(program, sink), connections)
      if (answers === 0 || answers > connections * syncs || (connections === 1 && without > 0))
        missed.push(
          `fsync: ${name}: ${answers} answers 200, ${syncs} syncs, ${without} answers without one of their own`,
        )
      rows.push(`| ${name} | ${answers} | ${syncs} | ${connections === 1 ? without : 'shared'} |`)
    }
  }
  return {
    table: [
      '| seen by strace | answers 200 | syncs of the file | answers without one of their own |',
      '|---|---|---|---|',
      ...rows,
    ].join('\n'),
    missed,
  }
}

if (import.meta.main) process.stdout.write(`${(await proveFsync()).table}\n`)
