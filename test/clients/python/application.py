"""An application that reports its use by the way that its argument names (`http`, `grpc`): one execution with one stage for
each line of its input. What the policy does not name is there to be left out."""
import importlib
import sys

from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode, set_span_in_context

way = importlib.import_module("usage_" + sys.argv[1])
usage = way.usage

for number, _ in enumerate(sys.stdin):
    # An empty context makes a root: neither the parent nor the sampling of the application's own tracing has a say.
    execution = usage.start_span("execution", context=Context())
    execution.set_attribute("execution.type", ["pipeline", "ORCHESTRATION", "nightly-import"][number % 3])
    execution.set_attribute("execution.status", "terminal" if number % 4 == 3 else "succeeded")
    execution.set_attribute("application.name", f"payments-{number % 2}")
    execution.set_attributes(
        {"user.email": "maria.lopez@acme.example", "retries": number, "load": 0.5, "dry": True, "tags": ["acme", "eu"]}
    )
    if number % 4 == 3:
        execution.record_exception(ValueError("acme: no such account"))
        execution.set_status(Status(StatusCode.ERROR, "acme: no such account"))
    stage = usage.start_span("stage", context=set_span_in_context(execution, Context()))
    stage.set_attributes({"stage.type": "acme-scan" if number % 2 else "deploy", "stage.cloud_providers": "aws,gce"})
    stage.end()
    execution.end()

# The last spans leave now.
way.provider.shutdown()
print("done")
