import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import java.util.List;
import java.util.Scanner;

/**
 * An application that reports its use by the way that its argument names (http, grpc): one execution with one stage for each
 * line of its input. What the policy does not name is there to be left out.
 */
public final class Application {
  public static void main(String[] arguments) {
    // Closing the provider sends the last spans; it waits for ten seconds at most.
    try (var provider = arguments[0].equals("grpc") ? UsageOverGrpc.provider() : UsageOverHttp.provider()) {
      var usage = provider.get("usage");
      var lines = new Scanner(System.in);
      for (var number = 0; lines.hasNextLine(); number++) {
        lines.nextLine();
        execute(usage, number);
      }
    }
    System.out.println("done");
  }

  static void execute(Tracer usage, int number) {
    // A root: neither the parent nor the sampling of the application's own tracing has a say.
    var execution = usage.spanBuilder("execution").setNoParent().startSpan();
    execution.setAttribute("execution.type", List.of("pipeline", "ORCHESTRATION", "nightly-import").get(number % 3));
    execution.setAttribute("execution.status", number % 4 == 3 ? "terminal" : "succeeded");
    execution.setAttribute("application.name", "payments-" + number % 2);
    execution.setAttribute("user.email", "maria.lopez@acme.example");
    execution.setAttribute("retries", number);
    execution.setAttribute("load", 0.5);
    execution.setAttribute("dry", true);
    execution.setAttribute(AttributeKey.stringArrayKey("tags"), List.of("acme", "eu"));
    if (number % 4 == 3) {
      execution.recordException(new IllegalStateException("acme: no such account"));
      execution.setStatus(StatusCode.ERROR, "acme: no such account");
    }
    var stage = usage.spanBuilder("stage").setParent(Context.root().with(execution)).startSpan();
    stage.setAttribute("stage.type", number % 2 == 0 ? "deploy" : "acme-scan");
    stage.setAttribute("stage.cloud_providers", "aws,gce");
    stage.end();
    execution.end();
  }
}
