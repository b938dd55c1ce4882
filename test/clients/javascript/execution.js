// What the applications here report: one execution with one stage. What the policy does not name is there to be left out.
import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'

export function execute(usage, number) {
  // A root: neither the parent nor the sampling of the application's own tracing has a say.
  const execution = usage.startSpan('execution', { root: true })
  execution.setAttribute(
    'execution.type',
    ['pipeline', 'ORCHESTRATION', 'nightly-import'][number % 3],
  )
  execution.setAttribute('execution.status', number % 4 === 3 ? 'terminal' : 'succeeded')
  execution.setAttribute('application.name', `payments-${number % 2}`)
  execution.setAttributes({
    'user.email': 'maria.lopez@acme.example',
    retries: number,
    load: 0.5,
    dry: true,
    tags: ['acme', 'eu'],
  })
  if (number % 4 === 3) {
    execution.recordException(new Error('acme: no such account'))
    execution.setStatus({ code: SpanStatusCode.ERROR, message: 'acme: no such account' })
  }
  const stage = usage.startSpan('stage', {}, trace.setSpan(ROOT_CONTEXT, execution))
  stage.setAttributes({
    'stage.type': number % 2 === 0 ? 'deploy' : 'acme-scan',
    'stage.cloud_providers': 'aws,gce',
  })
  stage.end()
  execution.end()
}
