import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;

/** Reports use over OTLP/HTTP, through a provider of its own beside any tracing that the application has. */
final class UsageOverHttp {
  static SdkTracerProvider provider() {
    var endpoint = System.getenv().getOrDefault("USAGE_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    var exporter = OtlpHttpSpanExporter.builder().setEndpoint(endpoint + "/v1/traces").build();
    return SdkTracerProvider.builder().addSpanProcessor(BatchSpanProcessor.builder(exporter).build()).build();
  }
}
