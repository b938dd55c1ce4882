package main

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
)

// overHTTP reports use over OTLP/HTTP, through a provider of its own beside any tracing that the application has.
func overHTTP(ctx context.Context) (*trace.TracerProvider, error) {
	endpoint := getenv("USAGE_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
	if err != nil {
		return nil, err
	}
	// OTEL_TRACES_SAMPLER is for tracing, not for counting.
	return trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithSampler(trace.AlwaysSample())), nil
}
