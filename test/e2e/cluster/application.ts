// The application of the cluster's tests, with the official exporter: one span when it starts, one
// when it is told to end or its life is over. What it is called and where its spans go, it finds in
// its environment, as any application would. It says how each export went.
import { trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { NodeSDK } from '@opentelemetry/sdk-node'

const {
  NAME = '',
  USAGE_OTLP_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_ENDPOINT: standard,
  LIFE_MS,
  EVERY_MS,
} = process.env
// The product's own variable, or what the SDK reads by itself.
const url = endpoint === undefined ? {} : { url: `${endpoint}/v1/traces` }
const say = (text: string): void => void process.stdout.write(`${text}\n`)
say(`endpoint ${endpoint ?? standard ?? 'none'}`)

const exporter = new OTLPTraceExporter(url)
const send = exporter.export.bind(exporter)
// 0 is the SDK's word for success.
exporter.export = (spans, done) =>
  send(spans, (result) => {
    say(`exported ${result.code}`)
    done(result)
  })
const sdk = new NodeSDK({
  serviceName: 'shop',
  traceExporter: exporter,
  metricReaders: [],
  logRecordProcessors: [],
})
sdk.start()
const tracer = trace.getTracer('shop')
const span = (moment: string): void =>
  tracer
    .startSpan('moment', {
      attributes: { 'moment.kind': `${NAME}-${moment}`, 'user.email': 'j.chen@acme.example' },
    })
    .end()

span('first')
if (EVERY_MS !== undefined) setInterval(() => span('tick'), Number(EVERY_MS))
let ending = false
/** The SDK's shutdown exports what it still has. */
const end = async (moment: string): Promise<void> => {
  if (ending) return
  ending = true
  span(moment)
  await sdk.shutdown().catch(() => say('not all was sent'))
  say(`sent ${moment}`)
  process.exit(0)
}
process.on('SIGTERM', () => void end('sigterm'))
if (LIFE_MS === undefined) setInterval(() => undefined, 1_000_000)
else setTimeout(() => void end('last'), Number(LIFE_MS))
