// Reports use over OTLP/HTTP in JSON, through a provider of its own beside any tracing that the application has.
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

const endpoint = process.env.USAGE_OTLP_ENDPOINT ?? 'http://127.0.0.1:4318'
const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` })
export const provider = new TracerProvider({
  spanProcessors: [new BatchSpanProcessor({ exporter })],
})
export const usage = provider.getTracer('usage')
