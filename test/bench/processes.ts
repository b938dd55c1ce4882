// The processes of the benchmarks: starts them, asks /proc what they used, and ends them, whatever
// happens to the run.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join, resolve as resolvePath } from 'node:path'
import { buildSync } from 'esbuild'
import type { LoadOptions, LoadResult } from './generator.ts'

export const ROOT = new URL('../../', import.meta.url).pathname
/** As the image starts Node; with them goes MALLOC_ARENA_MAX. */
export const IMAGE_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=64']
/** USER_HZ: /proc counts in hundredths of a second on every architecture (proc(5), sysconf(3)). */
const TICKS_PER_SECOND = 100
/** Between two looks whether a program listens. */
const LOOK_MS = 2

const children = new Set<ChildProcess>()
const folders = new Set<string>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(1))

export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'usage-bench-'))
  folders.add(folder)
  return folder
}

export interface Running {
  pid: number
  port: number
  /** Where it appends what it takes in; empty for what keeps nothing. */
  folder: string
  /** Asks it to end (or with SIGKILL ends it) and waits until it has. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/**
 * The child is ended with this process; resolves when it has ended by itself or could not be
 * started.
 */
export async function whenEnded(child: ChildProcess): Promise<void> {
  children.add(child)
  await new Promise((resolve) => child.on('close', resolve).on('error', resolve))
  children.delete(child)
}

/**
 * The programs that are measured beside the sidecar, as plain CommonJS, the least that Node can be
 * started with: loading TypeScript costs 17 MB, and importing `node:http` instead of requiring it
 * 15 MB, and all beside it would look small.
 */
const compiled = scratchFolder()
buildSync({
  entryPoints: ['sink', 'bare', 'baseline'].map((name) => join(ROOT, 'test/bench', `${name}.ts`)),
  outdir: compiled,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  logLevel: 'warning',
})

/** Starts Node on a script and waits until it prints the port that it listens on. */
async function start(
  flags: readonly string[],
  script: readonly string[],
  folder = '',
  env: Record<string, string> = {},
): Promise<Running> {
  const malloc: Record<string, string> = flags.length > 0 ? { MALLOC_ARENA_MAX: '1' } : {}
  const child = spawn(process.execPath, [...flags, ...script], {
    env: { ...process.env, ...malloc, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = whenEnded(child)
  const port = await new Promise<number>((resolve, reject) => {
    let said = ''
    const listen = (chunk: Buffer): void => {
      if (said.length < 64 * 1024) said += chunk.toString('utf8')
      const found = /"port":(\d+)/.exec(said)?.[1]
      if (found !== undefined) resolve(Number(found))
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.on('close', () =>
      reject(new Error(`${basename(script[0]!)} ended before it listened:\n${said}`)),
    )
  })
  return { pid: child.pid!, port, folder, stop: stopping(child, ended) }
}

const stopping =
  (child: ChildProcess, ended: Promise<void>): Running['stop'] =>
  async (signal = 'SIGTERM') => {
    child.kill(signal)
    await ended
  }

/** `ids`: it keeps which spans came. */
export const startSink = (...options: 'ids'[]): Promise<Running> =>
  start([], [join(compiled, 'sink.cjs'), ...options])
export const startBare = (flags: readonly string[]): Promise<Running> =>
  start(flags, [join(compiled, 'bare.cjs')])

/** The baseline, in front of this sink. */
export function startBaseline(sink: Running, flags: readonly string[]): Promise<Running> {
  const folder = scratchFolder()
  return start(
    flags,
    [join(compiled, 'baseline.cjs'), folder, `http://127.0.0.1:${sink.port}/`],
    folder,
  )
}

/**
 * The sidecar in mode on, in front of this sink; `program` is the bundle that ships, or the source
 * with its names; `folder` may hold what an earlier one left.
 */
export function startOurs(
  sink: Running,
  flags: readonly string[],
  program = 'dist/usage-sidecar.js',
  folder = scratchFolder(),
): Promise<Running> {
  return start(flags, [resolvePath(ROOT, program), 'run'], join(folder, 'data/queue'), {
    USAGE_REPORTING: 'on',
    DO_NOT_TRACK: '',
    USAGE_POLICY: join(ROOT, 'deploy/policies/default.yaml'),
    USAGE_ENDPOINT: `http://127.0.0.1:${sink.port}`,
    USAGE_HTTP_LISTEN: '127.0.0.1:0',
    USAGE_HEALTH_LISTEN: '127.0.0.1:0',
    USAGE_GRPC_LISTEN: '127.0.0.1:0',
    USAGE_PAGE_LISTEN: '127.0.0.1:0',
    USAGE_DATA_DIR: join(folder, 'data'),
    USAGE_IDENTITY_DIR: join(folder, 'identity'),
    USAGE_SEND_INTERVAL: '1s',
  })
}

/**
 * Another program than Node's, which does not print its port: the one that it was told to listen
 * on.
 */
export function startOther(
  command: string,
  args: readonly string[],
  port: number,
  folder: string,
  env: Record<string, string>,
): Promise<Running> {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = whenEnded(child)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 64 * 1024) said += chunk.toString('utf8')
  })
  return new Promise((resolve, reject) => {
    child.on('close', () =>
      reject(new Error(`${basename(command)} ended before it listened:\n${said}`)),
    )
    const look = (): void => {
      const socket = connect(port, '127.0.0.1')
      socket.on('connect', () => {
        socket.destroy()
        resolve({ pid: child.pid!, port, folder, stop: stopping(child, ended) })
      })
      socket.on('error', () => child.exitCode === null && setTimeout(look, LOOK_MS))
    }
    look()
  })
}

export async function load(options: LoadOptions): Promise<LoadResult> {
  const child = spawn(
    process.execPath,
    [join(ROOT, 'test/bench/generator.ts'), JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8')
  })
  await whenEnded(child)
  return JSON.parse(said) as LoadResult
}

/**
 * utime and stime (fields 14 and 15) of a line of /proc/PID/stat, in seconds; the name before them
 * may hold blanks.
 */
function cpuOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** CPU-seconds of the whole process, ended threads included. */
export const cpuSeconds = (pid: number): number => cpuOf(readFileSync(`/proc/${pid}/stat`, 'utf8'))

/**
 * CPU-seconds of its main thread, of the threads that do files and compression, and of V8's own
 * (garbage, compiler).
 */
export function cpuByThread(pid: number): { main: number; pool: number; v8: number } {
  const seconds = { main: 0, pool: 0, v8: 0 }
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    seconds[Number(thread) === pid ? 'main' : stat.includes('(libuv-worker)') ? 'pool' : 'v8'] +=
      cpuOf(stat)
  }
  return seconds
}

/** MiB. Of pages that several processes share, PSS counts a part for each. */
export interface Memory {
  rss: number
  anon: number
  pss: number
}

export function memoryOf(pid: number): Memory {
  const of = (file: string, field: string): number => {
    const text = readFileSync(`/proc/${pid}/${file}`, 'utf8')
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)![1]) / 1024
  }
  return {
    rss: of('status', 'VmRSS'),
    anon: of('status', 'RssAnon'),
    pss: of('smaps_rollup', 'Pss'),
  }
}
