package main

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/trace"
)

// overGRPC reports use over OTLP/gRPC, through a provider of its own beside any tracing that the application has.
func overGRPC(ctx context.Context) (*trace.TracerProvider, error) {
	endpoint := getenv("USAGE_OTLP_GRPC_ENDPOINT", "http://127.0.0.1:4317")
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, err
	}
	// OTEL_TRACES_SAMPLER is for tracing, not for counting.
	return trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithSampler(trace.AlwaysSample())), nil
}
