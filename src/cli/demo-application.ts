// The application of the demo: a pipeline tool that uses the official OpenTelemetry SDK and
// exporter as any application does. Its spans are full of what must not leave (names, users, URLs,
// error texts, host names of the default resource). It also works out, without any of the sidecar's
// code, what the default policy should let through.
import { context, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { EXIT, type Host, type Input, UsageError } from './command.ts'

const APPLICATIONS = ['payments-eu', 'acme-checkout', 'billing-core', 'fraud-ml', 'storefront']
const PEOPLE = ['maria.lopez@acme.example', 'j.chen@acme.example', 'sre-oncall@acme.example']
const STAGES = ['bake', 'deploy', 'wait', 'manualJudgment', 'acme-internal-scan', 'webhook']
const PROVIDERS = ['aws', 'gce', 'kubernetes', 'aws,gce', 'acme-cloud', '']
const STATUSES = ['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'TERMINAL', 'CANCELED', 'RUNNING']

/** What the application says of itself on its output, one JSON object a line. */
export interface DemoReport {
  sent: number
  expected: { execution: number; stage: number }
  /** The first execution, as it was given to the SDK. */
  example?: Record<string, unknown>
  done?: boolean
}

export async function demoApplication(host: Host, input: Input): Promise<number> {
  const url = input.flags.endpoint
  if (url === undefined) throw new UsageError('Give --endpoint.')
  const executions = Number(input.flags.executions ?? Number.POSITIVE_INFINITY)

  // These three lines are what a maintainer adds to an application.
  const sdk = new NodeSDK({
    serviceName: 'pipeline-tool',
    traceExporter: new OTLPTraceExporter({ url: `${url}/v1/traces` }),
    metricReaders: [],
    logRecordProcessors: [],
  })
  sdk.start()
  const tool = new PipelineTool(trace.getTracer('pipeline-tool', '7.3.1'))
  const print = (more: Partial<DemoReport> = {}): void =>
    host.out(`${JSON.stringify({ ...tool.report, ...more })}\n`)
  let stopped = false
  host.onStop(() => {
    stopped = true
  })

  print({ example: tool.runExecution() })
  // The demo writes a line when it has shown the first span.
  for await (const _ of host.stdin) break
  for (let i = 1; i < executions && !stopped; i++) {
    tool.runExecution()
    if (i % 10 === 0) print()
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  await sdk.shutdown()
  print({ done: true })
  return EXIT.done
}

/** Makes spans, and counts what should be reported of them. */
class PipelineTool {
  readonly report: DemoReport = { sent: 0, expected: { execution: 0, stage: 0 } }
  readonly #tracer: Tracer
  readonly #random = seeded(20261124)

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** One execution with its stages. Returns it as it was given to the SDK. */
  runExecution(): Record<string, unknown> {
    const application = this.#pick(APPLICATIONS)
    const status = this.report.sent === 0 ? 'SUCCEEDED' : this.#pick(STATUSES)
    const start = Date.now() - 90_000
    const attributes = {
      'execution.type': this.#pick(['PIPELINE', 'PIPELINE', 'ORCHESTRATION']),
      'execution.status': status,
      'execution.name': `${application} → production`,
      'application.name': application,
      'user.email': this.#pick(PEOPLE),
      'git.url': `git@github.example:acme/${application}.git`,
    }
    const span = this.#tracer.startSpan('execution', { startTime: start, attributes })
    for (let i = 0; i < 1 + Math.floor(this.#random() * 4); i++)
      this.#runStage(span, start + 1_000 * i, application)
    if (status === 'TERMINAL')
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: `${application}: rollout of ${attributes['user.email']} timed out`,
      })
    span.end(start + Math.floor(this.#random() * 90_000))
    this.report.sent++
    if (status !== 'RUNNING') this.report.expected.execution++
    this.#traceOwnRequest()
    const { traceId, spanId } = span.spanContext()
    return {
      name: 'execution',
      traceId,
      spanId,
      start: new Date(start).toISOString(),
      ...attributes,
      'host.name': '(from the SDK’s resource)',
      'process.command_args': '(likewise)',
    }
  }

  #runStage(parent: Span, start: number, application: string): void {
    const provider = this.#pick(PROVIDERS)
    const synthetic = this.#random() < 0.15
    const attributes = {
      'stage.type': this.#pick(STAGES),
      'stage.cloud_providers': provider,
      'stage.name': `Deploy ${application} to prod-eu-1`,
      'http.url': `https://ci.acme.example/job/${application}/4711?token=glpat-x8d7f6g5`,
      ...(synthetic ? { 'stage.synthetic_owner': 'STAGE_BEFORE' } : {}),
    }
    const span = this.#tracer.startSpan(
      'stage',
      { startTime: start, attributes },
      trace.setSpan(context.active(), parent),
    )
    if (this.#random() < 0.1) {
      span.recordException(new Error(`AccessDenied: arn:aws:iam::123456789012:role/${application}`))
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: `role/${application} denied for ${this.#pick(PEOPLE)}`,
      })
    }
    span.end(start + 2_000)
    this.report.sent++
    if (!synthetic) this.report.expected.stage += Math.max(1, provider.split(',').length)
  }

  /** The application's own tracing, which no report may hold. */
  #traceOwnRequest(): void {
    this.#tracer
      .startSpan('GET /api/v1/users/:id', {
        attributes: { 'user.id': '8812', 'http.url': 'https://api.acme.example/users/8812' },
      })
      .end()
    this.report.sent++
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!
  }
}

/** The same numbers at every run (mulberry32), so that every demo shows the same picture. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
