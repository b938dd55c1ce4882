"""Reports use over OTLP/HTTP, through a provider of its own beside any tracing that the application has."""
import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

endpoint = os.environ.get("USAGE_OTLP_ENDPOINT", "http://127.0.0.1:4318")
provider = TracerProvider(sampler=ALWAYS_ON)  # OTEL_TRACES_SAMPLER is for tracing, not for counting
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint + "/v1/traces")))
usage = provider.get_tracer("usage")
