import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;

/** Reports use over OTLP/gRPC, through a provider of its own beside any tracing that the application has. */
final class UsageOverGrpc {
  static SdkTracerProvider provider() {
    var endpoint = System.getenv().getOrDefault("USAGE_OTLP_GRPC_ENDPOINT", "http://127.0.0.1:4317");
    var exporter = OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).build();
    return SdkTracerProvider.builder().addSpanProcessor(BatchSpanProcessor.builder(exporter).build()).build();
  }
}
