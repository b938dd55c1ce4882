// The application of the demo: a pipeline tool that uses the official OpenTelemetry SDK and
// exporter as any application does. Its spans are full of what must not leave (names, users, URLs,
// error texts, host names of the default resource). It also works out, without any of the sidecar's
// code, what the default policy should let through.
import { context, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
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
  const tracer = trace.getTracer('pipeline-tool', '7.3.1')

  const random = seeded(20261124)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const report: DemoReport = { sent: 0, expected: { execution: 0, stage: 0 } }
  const tell = (more: Partial<DemoReport> = {}): void =>
    host.out(`${JSON.stringify({ ...report, ...more })}\n`)
  let stopped = false
  host.onStop(() => {
    stopped = true
  })

  const runStage = (parent: Span, start: number, application: string): void => {
    const provider = pick(PROVIDERS)
    const synthetic = random() < 0.15
    const attributes = {
      'stage.type': pick(STAGES),
      'stage.cloud_providers': provider,
      'stage.name': `Deploy ${application} to prod-eu-1`,
      'http.url': `https://ci.acme.example/job/${application}/4711?token=glpat-x8d7f6g5`,
      ...(synthetic ? { 'stage.synthetic_owner': 'STAGE_BEFORE' } : {}),
    }
    const span = tracer.startSpan(
      'stage',
      { startTime: start, attributes },
      trace.setSpan(context.active(), parent),
    )
    if (random() < 0.1) {
      span.recordException(new Error(`AccessDenied: arn:aws:iam::123456789012:role/${application}`))
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: `role/${application} denied for ${pick(PEOPLE)}`,
      })
    }
    span.end(start + 2_000)
    report.sent++
    if (!synthetic) report.expected.stage += Math.max(1, provider.split(',').length)
  }

  const runExecution = (): Record<string, unknown> => {
    const application = pick(APPLICATIONS)
    const status = report.sent === 0 ? 'SUCCEEDED' : pick(STATUSES)
    const start = Date.now() - 90_000
    const attributes = {
      'execution.type': pick(['PIPELINE', 'PIPELINE', 'ORCHESTRATION']),
      'execution.status': status,
      'execution.name': `${application} → production`,
      'application.name': application,
      'user.email': pick(PEOPLE),
      'git.url': `git@github.example:acme/${application}.git`,
    }
    const span = tracer.startSpan('execution', { startTime: start, attributes })
    for (let i = 0; i < 1 + Math.floor(random() * 4); i++)
      runStage(span, start + 1_000 * i, application)
    if (status === 'TERMINAL')
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: `${application}: rollout of ${attributes['user.email']} timed out`,
      })
    span.end(start + Math.floor(random() * 90_000))
    report.sent++
    if (status !== 'RUNNING') report.expected.execution++
    // The application's own tracing, which is nobody else's business.
    tracer
      .startSpan('GET /api/v1/users/:id', {
        attributes: { 'user.id': '8812', 'http.url': 'https://api.acme.example/users/8812' },
      })
      .end()
    report.sent++
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

  tell({ example: runExecution() })
  // The demo says when the first span has been shown.
  for await (const _ of host.stdin) break
  for (let i = 1; i < executions && !stopped; i++) {
    runExecution()
    if (i % 10 === 0) tell()
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  await sdk.shutdown()
  tell({ done: true })
  return EXIT.done
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
