"""An application in Python that reports its use: the official SDK, three lines to set it up, spans as usual."""
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=sys.argv[1] + "/v1/traces")))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("pipeline-tool")

for number in range(int(sys.argv[2])):
    with tracer.start_as_current_span("execution") as execution:
        execution.set_attribute("execution.type", "pipeline")
        execution.set_attribute("execution.status", "succeeded")
        execution.set_attribute("user.email", "maria.lopez@acme.example")
        with tracer.start_as_current_span("stage") as stage:
            stage.set_attribute("stage.type", "deploy")
            stage.set_attribute("stage.cloud_providers", "aws,gce")

provider.shutdown()
print("done")
