// What the tests of the whole road share: the sidecar inside this process or as the process that it
// is in life, a place for it on disk, and a client. All of it ends with its test.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createPipeline } from '../../src/sidecar/pipeline.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog, type LogFields } from '../../src/support/log.ts'
import { readConfig } from '../../src/support/settings.ts'
import { childEnv } from './child-env.ts'
import { attribute, DEFAULT_POLICY_FILE, request, span, text } from './spans.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
const DEADLINE_MS = Number(process.env.USAGE_TEST_DEADLINE_MS ?? 30_000)

const ends = new WeakMap<TestContext, (() => Promise<unknown>)[]>()

/** Runs when the test is over; what began last ends first. */
export function atEnd(t: TestContext, end: () => Promise<unknown>): void {
  const mine = ends.get(t) ?? []
  if (mine.length === 0) {
    ends.set(t, mine)
    t.after(async () => {
      for (const one of mine.reverse()) await one()
    })
  }
  mine.push(end)
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-sidecar-test-'))
  atEnd(t, () => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Waits until it holds; fails with `what` when it does not come true. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  while (!(await holds())) {
    if (performance.now() > deadline) assert.fail(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Every file below, by its path there; one that goes while they are read is left out. */
export async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const bytes = entry.isFile() ? await readFile(path).catch(() => undefined) : undefined
    if (bytes !== undefined) found.set(path.slice(folder.length + 1), bytes)
  }
  return found
}

export interface Answered {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

export const PROTOBUF = { 'content-type': 'application/x-protobuf' }

/** One request on a connection of its own; rejects where there is no answer. */
export function post(
  port: number,
  body: Uint8Array | string,
  headers: Record<string, string> = PROTOBUF,
  path = '/v1/traces',
) {
  return new Promise<Answered>((resolve, reject) => {
    const outgoing = httpRequest(
      { host: '127.0.0.1', port, path, method: 'POST', agent: false, headers },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => void chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** A request with one execution that the default policy lets out, of this `execution.type`. */
export const execution = (type = 'pipeline'): Buffer =>
  request(
    span({
      more: [
        attribute('execution.status', text('succeeded')),
        attribute('execution.type', text(type)),
      ],
    }),
  )

export interface LogLine extends LogFields {
  level: string
  event: string
}

const linesOf = (output: string): LogLine[] =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine)

/** The errors in a log in their order: `event` or `event: error`. */
export const errorsIn = (lines: readonly LogLine[]): string[] =>
  lines
    .filter(({ level }) => level === 'error')
    .map(({ event, error }) => (error === undefined ? event : `${event}: ${String(error)}`))

export interface Place {
  /**
   * Holds all that this sidecar is given; its data folder and identity folder are made by itself.
   */
  folder: string
  dataFolder: string
  identityFolder: string
  env: Record<string, string>
}

/**
 * The default policy without its last rule: a test that counts what it sent would count the
 * sidecar's own report as well.
 */
async function policyWithoutHeartbeat(t: TestContext): Promise<string> {
  const whole = await readFile(DEFAULT_POLICY_FILE, 'utf8')
  const file = join(await temporaryFolder(t), 'default-policy.yaml')
  await writeFile(file, whole.slice(0, whole.indexOf('  usage.heartbeat:')))
  return file
}

/**
 * The settings of a sidecar that reports under the default policy, but makes no heartbeat, changed
 * by `env`; USAGE_ENDPOINT is not among them.
 */
export async function placeOf(t: TestContext, env: Record<string, string>): Promise<Place> {
  const folder = await temporaryFolder(t)
  const dataFolder = join(folder, 'data')
  const identityFolder = join(folder, 'identity')
  const standard = {
    USAGE_REPORTING: 'on',
    USAGE_POLICY: await policyWithoutHeartbeat(t),
    USAGE_HTTP_LISTEN: '127.0.0.1:0',
    USAGE_HEALTH_LISTEN: '127.0.0.1:0',
    USAGE_GRPC_LISTEN: '127.0.0.1:0',
    USAGE_PAGE_LISTEN: '127.0.0.1:0',
    USAGE_DATA_DIR: dataFolder,
    USAGE_IDENTITY_DIR: identityFolder,
    USAGE_SEND_INTERVAL: '100ms',
  }
  return { folder, dataFolder, identityFolder, env: { ...standard, ...env } }
}

export interface Sidecar {
  /** Where it takes spans in; 0 while it does not. */
  port(): number
  healthPort(): number
  pagePort(): number
  grpcPort(): number
  /** 0 without USAGE_METRICS_LISTEN. */
  metricsPort(): number
  lines(): LogLine[]
  counters: Counters
  stop(): Promise<void>
}

/** The sidecar inside this process. */
export async function startHere(t: TestContext, { env }: Place): Promise<Sidecar> {
  const { config, errors } = readConfig(env)
  const counters = new Counters()
  let output = ''
  const log = createLog('debug', (line) => {
    output += line
  })
  const machine = { arch: 'x64', platform: 'linux', memoryLimit: undefined }
  const pipeline = createPipeline({
    config,
    errors,
    doNotTrack: env.DO_NOT_TRACK,
    machine,
    counters,
    log,
  })
  atEnd(t, () => pipeline.stop())
  await pipeline.start()
  const addresses = () => pipeline.addresses()
  return {
    port: () => addresses().http?.port ?? 0,
    healthPort: () => addresses().health?.port ?? 0,
    pagePort: () => addresses().page?.port ?? 0,
    grpcPort: () => addresses().grpc?.port ?? 0,
    metricsPort: () => addresses().metrics?.port ?? 0,
    lines: () => linesOf(output),
    counters,
    stop: () => pipeline.stop(),
  }
}

export interface StartingChild {
  output: { stdout: string; stderr: string }
  lines(): LogLine[]
  /** Waits until it has ended; gives the exit code or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | string>
  hasEnded(): boolean
}

export interface Child extends StartingChild {
  port: number
  healthPort: number
}

/**
 * The sidecar as a process of its own, from its first instant. `nodeFlags` come before the program.
 */
export function spawnChild(
  t: TestContext,
  { env, folder }: Place,
  nodeFlags: readonly string[] = [],
): StartingChild {
  const child = spawn(process.execPath, [...nodeFlags, MAIN, 'run'], {
    cwd: folder,
    env: childEnv(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close') as Promise<[number | null, string | null]>
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk
    })
  }
  const end = async (signal: NodeJS.Signals): Promise<number | string> => {
    child.kill(signal)
    const [code, by] = await closed
    return code ?? by ?? ''
  }
  atEnd(t, () => end('SIGKILL'))
  return {
    output,
    lines: () => linesOf(output.stderr.slice(0, output.stderr.lastIndexOf('\n') + 1)),
    end,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
  }
}

/** The same; resolves when it takes spans in. */
export async function startChild(
  t: TestContext,
  place: Place,
  nodeFlags: readonly string[] = [],
): Promise<Child> {
  const child = spawnChild(t, place, nodeFlags)
  const ready = (): LogLine | undefined =>
    child.lines().find(({ event }) => event === 'accept: ready')
  await until('the sidecar takes spans in', () => {
    if (child.hasEnded()) assert.fail(`the sidecar ended by itself:\n${child.output.stderr}`)
    return ready() !== undefined
  })
  return { ...child, port: Number(ready()!.port), healthPort: Number(ready()!.health) }
}
