// `demo`: a collector, the sidecar and an application as three processes, on free ports and in a
// temporary folder. It shows one span as the application sent it and as the sidecar sent it, then
// the counts. With `--once` it ends by itself: 0 if the collector counted what the application
// expects, else 1.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { canListen } from '../net/listen.ts'
import { decodeRequest } from '../otlp/decode.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import type { DemoReport } from './demo-application.ts'
import { renderAttribute } from './render.ts'

const ONCE_EXECUTIONS = 120
const ONCE_DEADLINE_MS = 60_000
const LOOK_EVERY_MS = 250

interface Counts {
  batches: number
  spans: Record<string, number>
}

export async function demo(host: Host, input: Input): Promise<number> {
  if (input.positionals.length > 0) throw new UsageError('demo takes flags only.')
  const once = input.flags.once === 'true'
  const folder = await mkdtemp(join(tmpdir(), 'usage-sidecar-demo-'))
  const processes = new DemoProcesses(host)
  const stopped = Promise.withResolvers<'stopped'>()
  let stops = 0
  host.onStop(() => {
    stopped.resolve('stopped')
    // After the second signal this process ends before `finally`.
    if (++stops > 1) processes.kill(folder)
  })
  try {
    const collector = await startCollector(processes, folder)
    const sidecarUrl = await startSidecar(processes, folder, collector.url)
    const policy = defaultPolicy()
    host.out(`\ncollector  ${collector.url}    sidecar  ${sidecarUrl}    policy  ${policy}\n`)
    const application = new Application(processes, sidecarUrl, once)
    const example = await Promise.race([application.example, processes.ended])
    const batch = await Promise.race([
      firstBatch(join(folder, 'sidecar', 'sent')),
      processes.ended,
      stopped.promise,
    ])
    if (batch !== 'stopped') host.out(sideBySide(example, batch, host.terminal?.columns ?? 120))
    const hint = once ? '' : 'Ctrl-C ends everything.\n'
    host.out(`\nThe collector's page: ${collector.pageUrl}/\n${hint}\n`)
    application.proceed()
    const countsUrl = `${collector.pageUrl}/counts.json`
    const watched = watchCounts(host, countsUrl, () => application.report, once, stopped.promise)
    return await Promise.race([watched, processes.ended])
  } finally {
    await processes.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function startCollector(
  processes: DemoProcesses,
  folder: string,
): Promise<{ url: string; pageUrl: string }> {
  const listen = ['--listen', await address(4328), '--page-listen', await address(4329)]
  const args = [...listen, '--data-dir', join(folder, 'collected')]
  const { port, page } = await processes.ready(
    processes.start('collect', args, {}),
    'collect: ready',
  )
  return { url: `http://127.0.0.1:${port}`, pageUrl: `http://127.0.0.1:${page}` }
}

/** Returns the URL where the sidecar receives spans. */
async function startSidecar(
  processes: DemoProcesses,
  folder: string,
  endpoint: string,
): Promise<string> {
  const sidecar = processes.start('run', [], {
    USAGE_REPORTING: 'on',
    USAGE_POLICY: defaultPolicy(),
    USAGE_ENDPOINT: endpoint,
    USAGE_DATA_DIR: join(folder, 'sidecar'),
    USAGE_IDENTITY_DIR: join(folder, 'identity'),
    USAGE_FACTS: '{"app.version": "7.3.1-acme", "k8s.version": "v1.33.2-gke.100", "k8s.nodes": 12}',
    USAGE_SEND_INTERVAL: '1s',
    USAGE_HTTP_LISTEN: await address(4318),
    USAGE_HEALTH_LISTEN: await address(4319),
    USAGE_GRPC_LISTEN: await address(4317),
    USAGE_PAGE_LISTEN: await address(4320),
  })
  const { port } = await processes.ready(sidecar, 'accept: ready')
  return `http://127.0.0.1:${port}`
}

/** The process of the application, and what it last reported on its output. */
class Application {
  report: DemoReport = { sent: 0, expected: { execution: 0, stage: 0 } }
  /** The first execution. */
  readonly example: Promise<Record<string, unknown>>
  readonly #child: ChildProcessWithoutNullStreams

  constructor(processes: DemoProcesses, endpoint: string, once: boolean) {
    const limit = once ? ['--executions', String(ONCE_EXECUTIONS)] : []
    const args = ['--endpoint', endpoint, ...limit]
    this.#child = processes.start('demo-application', args, { OTEL_BSP_SCHEDULE_DELAY: '200' })
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>()
    this.example = promise
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.report = JSON.parse(line) as DemoReport
      if (this.report.example !== undefined) resolve(this.report.example)
    })
  }

  /** After the first execution, the application waits for this. */
  proceed(): void {
    this.#child.stdin.end('go\n')
  }
}

/**
 * Prints a live line until the counts agree (`once`), the deadline passes, or a signal arrives.
 */
async function watchCounts(
  host: Host,
  url: string,
  report: () => DemoReport,
  once: boolean,
  stopped: Promise<'stopped'>,
): Promise<number> {
  const deadline = Date.now() + ONCE_DEADLINE_MS
  const rewrite = host.terminal === undefined ? '' : '\r\x1b[2K'
  for (;;) {
    const pause = new Promise<'go on'>((resolve) =>
      setTimeout(() => resolve('go on'), LOOK_EVERY_MS),
    )
    if ((await Promise.race([pause, stopped])) === 'stopped') {
      host.out('\n')
      return EXIT.done
    }
    const counts = (await (await fetch(url)).json()) as Counts
    const { sent, expected, done } = report()
    const execution = counts.spans.execution ?? 0
    const stage = counts.spans.stage ?? 0
    const line = `application sent ${sent} spans  ·  should leave ${expected.execution} executions, ${expected.stage} stages  ·  collector counted ${execution}, ${stage} in ${counts.batches} batches`
    if (host.terminal !== undefined)
      host.out(`${rewrite}${line.slice(0, host.terminal.columns - 1)}`)
    if (!once) continue
    const agree = done === true && execution === expected.execution && stage === expected.stage
    if (!agree && Date.now() < deadline) continue
    host.out(`${rewrite}${line}\n${agree ? 'The counts agree.' : 'The counts do not agree.'}\n`)
    return agree ? EXIT.done : EXIT.failed
  }
}

/** The processes of the demo. If one ends too early, the demo ends. */
class DemoProcesses {
  readonly #host: Host
  readonly #children: ChildProcessWithoutNullStreams[] = []
  readonly ended: Promise<never>
  readonly #end: (error: Error) => void
  #stopping = false

  constructor(host: Host) {
    this.#host = host
    const { promise, reject } = Promise.withResolvers<never>()
    this.ended = promise
    this.#end = reject
    promise.catch(() => undefined)
  }

  start(
    command: string,
    args: string[],
    settings: Record<string, string>,
  ): ChildProcessWithoutNullStreams {
    const [program, ...before] = this.#host.self
    // Only what a program needs to run: settings of the shell that started the demo have no say in
    // it.
    const env = { PATH: this.#host.env.PATH, ...settings }
    const child = spawn(program!, [...before, command, ...args], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.on('error', () => undefined)
    child.on('exit', (code) => {
      if (this.#stopping || (command === 'demo-application' && code === 0)) return
      this.#host.err(`The ${command} of the demo ended (exit code ${code}).\n`)
      this.#end(Object.assign(new Error('a process of the demo ended'), { code: 'EPIPE' }))
    })
    this.#children.push(child)
    return child
  }

  /** The fields of the log line that says so. Warnings and errors of the child are passed on. */
  async ready(
    child: ChildProcessWithoutNullStreams,
    event: string,
  ): Promise<Record<string, number>> {
    const { promise, resolve } = Promise.withResolvers<Record<string, number>>()
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (!line.startsWith('{')) return this.#host.err(`${line}\n`)
      const entry = JSON.parse(line) as { event: string; level: string } & Record<string, number>
      if (entry.event === event) resolve(entry)
      else if (entry.level === 'warn' || entry.level === 'error') this.#host.err(`${line}\n`)
    })
    return Promise.race([promise, this.ended])
  }

  /** At once: this process is about to end. */
  kill(folder: string): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    const living = this.#children.filter(
      (child) => child.exitCode === null && child.signalCode === null,
    )
    const gone = living.map((child) => new Promise((resolve) => child.once('exit', resolve)))
    for (const child of living) child.kill('SIGTERM')
    const late = setTimeout(() => {
      for (const child of living) child.kill('SIGKILL')
    }, 5_000)
    await Promise.all(gone)
    clearTimeout(late)
  }
}

/** The usual port, or a free one where it is taken. */
async function address(port: number): Promise<string> {
  return `127.0.0.1:${(await canListen({ host: '127.0.0.1', port })) ? port : 0}`
}

/** Beside src/ in a checkout, beside dist/ in a package. */
function defaultPolicy(): string {
  const places = ['../deploy/policies/default.yaml', '../../deploy/policies/default.yaml'].map(
    (place) => fileURLToPath(new URL(place, import.meta.url)),
  )
  return places.find((place) => existsSync(place)) ?? places[0]!
}

/**
 * The first batch with an execution that the sidecar sent, from its own record of what left; the
 * heartbeat goes before it.
 */
async function firstBatch(sent: string): Promise<Batch> {
  for (;;) {
    for (const name of (await readdir(sent).catch(() => []))
      .filter((each) => each.endsWith('.otlp.gz'))
      .sort()) {
      const { resourceSpans } = decodeRequest(gunzipSync(await readFile(join(sent, name))))
      const found = resourceSpans.find((batch) => executionIn(batch) !== undefined)
      if (found !== undefined) return found
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

type Batch = ReturnType<typeof decodeRequest>['resourceSpans'][number]
const executionIn = (batch: Batch) =>
  batch.scopeSpans.flatMap(({ spans }) => spans).find(({ name }) => name === 'execution')

function sideBySide(example: Record<string, unknown>, batch: Batch, columns: number): string {
  const half = Math.max(44, Math.min(72, Math.floor((columns - 3) / 2)))
  const left = Object.entries(example).map(([key, value]) => `${key.padEnd(20)} ${String(value)}`)
  const span = executionIn(batch)!
  const right = [
    `${'name'.padEnd(22)} ${span.name}`,
    `${'traceId'.padEnd(22)} ${span.traceId}`,
    `${'spanId'.padEnd(22)} ${span.spanId}`,
    `${'start'.padEnd(22)} ${new Date(Number(span.startTimeUnixNano / 1_000_000n)).toISOString()}`,
    ...span.attributes.map(renderAttribute),
    '',
    'and once for the batch',
    ...batch.attributes.map(renderAttribute),
  ]
  const cut = (text = ''): string =>
    text.length > half ? `${text.slice(0, half - 1)}…` : text.padEnd(half)
  const rows = Array.from(
    { length: Math.max(left.length, right.length) },
    (_, i) => `${cut(left[i])} │ ${cut(right[i]).trimEnd()}`,
  )
  return `\n${cut('AS THE APPLICATION SENT IT')} │ AS IT LEFT\n${'─'.repeat(half)}─┼─${'─'.repeat(half)}\n${rows.join('\n')}\n`
}
