import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.Scanner;

/** An application that exports everything, spans, metrics and logs, as OTEL_* tells the SDK to: the sidecar takes the spans. */
public final class Everything {
  public static void main(String[] arguments) {
    // It shuts itself down when the program ends.
    var sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();
    var tracer = sdk.getTracer("everything");
    var executions = sdk.getMeter("everything").counterBuilder("acme.executions").build();
    var logger = sdk.getLogsBridge().get("everything");
    var lines = new Scanner(System.in);
    for (var number = 0; lines.hasNextLine(); number++) {
      lines.nextLine();
      Application.execute(tracer, number);
      executions.add(1, Attributes.of(AttributeKey.stringKey("user.email"), "maria.lopez@acme.example"));
      logger.logRecordBuilder().setBody("maria.lopez@acme.example ran payments").emit();
    }
    System.out.println("done");
  }
}
