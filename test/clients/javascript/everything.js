// An application that exports everything, spans, metrics and logs, as OTEL_* tells the SDK to: the sidecar takes the spans.
import { createInterface } from 'node:readline'
import { logs, metrics, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { execute } from './execution.js'

const sdk = new NodeSDK()
sdk.start()
const tracer = trace.getTracer('everything')
const executions = metrics.getMeter('everything').createCounter('acme.executions')
const logger = logs.getLogger('everything')

let number = 0
for await (const _ of createInterface({ input: process.stdin })) {
  execute(tracer, number++)
  executions.add(1, { 'user.email': 'maria.lopez@acme.example' })
  logger.emit({ body: 'maria.lopez@acme.example ran payments' })
}

await sdk.shutdown()
console.log('done')
