// Starts the bundled program as a process on free ports and reads its log. Everything that was
// started ends with the test.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

const root = new URL('../../', import.meta.url).pathname
export const BUNDLE = join(root, 'dist/usage-sidecar.js')
export const POLICY = join(root, 'deploy/policies/default.yaml')
const READY_MS = 30_000
const STOP_MS = 15_000

export type LogLine = { event: string; level: string } & Record<string, string | number>

export interface Process {
  child: ChildProcess
  /** All log lines so far. */
  log: LogLine[]
  /** The first line with this event, past or future. */
  said(event: string): Promise<LogLine>
  /** Sends SIGTERM. Returns the last log line. */
  stop(): Promise<LogLine | undefined>
}

/** A test, or anything else that has an end. */
export interface Scope {
  after(undo: () => unknown): void
}

const undone = new WeakMap<Scope, (() => unknown)[]>()

/** Like t.after(), but in reverse order: a process ends before its folder is removed. */
export function atEnd(t: Scope, undo: () => unknown): void {
  const known = undone.get(t)
  if (known !== undefined) {
    known.push(undo)
    return
  }
  const undos = [undo]
  undone.set(t, undos)
  t.after(async () => {
    for (const each of undos.reverse()) await each()
  })
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-e2e-'))
  atEnd(t, () => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface StartOptions {
  args: readonly string[]
  env?: Readonly<Record<string, string>>
  /** Node's own. */
  flags?: readonly string[]
  /** Prefix of the program: strace, or a shell that first joins a cgroup. */
  before?: readonly string[]
}

export function start(
  t: TestContext,
  { args, env = {}, flags = [], before = [] }: StartOptions,
): Process {
  if (!existsSync(BUNDLE))
    throw new Error('dist/usage-sidecar.js is not there. Run `npm run build` first.')
  const [program, ...rest] = [...before, process.execPath, ...flags, BUNDLE, ...args]
  // Only the variables that a program needs. A setting of the shell that runs the tests must have
  // no effect.
  const child = spawn(program!, rest, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const log: LogLine[] = []
  const other: string[] = []
  const listeners = new Set<() => void>()
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const look = (): void => {
    for (const listener of listeners) listener()
  }
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.startsWith('{')) log.push(JSON.parse(line) as LogLine)
    else other.push(line)
    look()
  })
  child.once('close', look)

  const said = (event: string): Promise<LogLine> =>
    new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(late)
        listeners.delete(check)
      }
      const fail = (why: string): void => {
        done()
        reject(
          new Error(
            `${args[0]} ${why} before it said "${event}".\n${other.join('\n')}\n${log.map((line) => JSON.stringify(line)).join('\n')}`,
          ),
        )
      }
      const check = (): void => {
        const line = log.find((candidate) => candidate.event === event)
        if (line !== undefined) {
          done()
          resolve(line)
        } else if (child.exitCode !== null || child.signalCode !== null) fail('ended')
      }
      const late = setTimeout(() => fail(`took longer than ${READY_MS} ms`), READY_MS)
      listeners.add(check)
      check()
    })

  const stop = async (): Promise<LogLine | undefined> => {
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(late)
    return log.at(-1)
  }
  atEnd(t, stop)
  return { child, log, said, stop }
}

export interface Sidecar extends Process {
  port: number
  grpcPort: number
  healthPort: number
  /** The counters of its page. */
  counter(name: string): Promise<number>
}

export interface SidecarOptions extends Omit<StartOptions, 'args'> {
  folder: string
}

/** Starts a sidecar with the default policy and waits until it accepts spans. */
export async function startSidecar(
  t: TestContext,
  { folder, env, ...more }: SidecarOptions,
): Promise<Sidecar> {
  const settings = {
    USAGE_POLICY: POLICY,
    USAGE_DATA_DIR: join(folder, 'sidecar'),
    USAGE_IDENTITY_DIR: join(folder, 'identity'),
    USAGE_HTTP_LISTEN: '127.0.0.1:0',
    USAGE_HEALTH_LISTEN: '127.0.0.1:0',
    USAGE_GRPC_LISTEN: '127.0.0.1:0',
    USAGE_PAGE_LISTEN: '127.0.0.1:0',
    ...env,
  }
  const running = start(t, { args: ['run'], env: settings, ...more })
  const { port, grpc, health, page } = await running.said('accept: ready')
  const counter = async (name: string): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${page}/status.json`)
    return ((await answer.json()) as { counters: Record<string, number> }).counters[name] ?? 0
  }
  return {
    ...running,
    port: Number(port),
    grpcPort: Number(grpc),
    healthPort: Number(health),
    counter,
  }
}

export interface Collector extends Process {
  port: number
  page: string
}

export async function startCollector(t: TestContext, folder: string): Promise<Collector> {
  const args = [
    'collect',
    '--listen',
    '127.0.0.1:0',
    '--page-listen',
    '127.0.0.1:0',
    '--data-dir',
    join(folder, 'collected'),
  ]
  const running = start(t, { args })
  const { port, page } = await running.said('collect: ready')
  return { ...running, port: Number(port), page: `http://127.0.0.1:${page}` }
}

export interface Counts {
  batches: number
  spans: Record<string, number>
}

/**
 * Waits until the collector has counted enough and returns the count. Throws with the last count
 * after the deadline.
 */
export async function countsWhen(
  page: string,
  enough: (counts: Counts) => boolean,
  deadlineMs = 30_000,
): Promise<Counts> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const counts = (await (await fetch(`${page}/counts.json`)).json()) as Counts
    if (enough(counts)) return counts
    if (Date.now() > deadline)
      throw new Error(`The collector counted ${JSON.stringify(counts)} and no more.`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
