// Reports use over OTLP/gRPC, through a provider of its own beside any tracing that the application has.
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

const endpoint = process.env.USAGE_OTLP_GRPC_ENDPOINT ?? 'http://127.0.0.1:4317'
const exporter = new OTLPTraceExporter({ url: endpoint })
export const provider = new TracerProvider({
  spanProcessors: [new BatchSpanProcessor({ exporter })],
})
export const usage = provider.getTracer('usage')
