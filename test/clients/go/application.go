// An application that reports its use by the way that its argument names (http, grpc): one execution with one stage for
// each line of its input. What the policy does not name is there to be left out.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func main() {
	ways := map[string]func(context.Context) (*sdktrace.TracerProvider, error){"http": overHTTP, "grpc": overGRPC}
	provider, err := ways[os.Args[1]](context.Background())
	if err != nil {
		log.Fatal(err)
	}
	usage := provider.Tracer("usage")

	lines := bufio.NewScanner(os.Stdin)
	for number := 0; lines.Scan(); number++ {
		execute(usage, number)
	}

	// The last spans leave now, within ten seconds; where they cannot, that is no reason for an application to fail.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = provider.Shutdown(ctx)
	fmt.Println("done")
}

func execute(usage trace.Tracer, number int) {
	// A root: neither the parent nor the sampling of the application's own tracing has a say.
	ctx, execution := usage.Start(context.Background(), "execution", trace.WithNewRoot())
	defer execution.End()
	execution.SetAttributes(
		attribute.String("execution.type", []string{"pipeline", "ORCHESTRATION", "nightly-import"}[number%3]),
		attribute.String("execution.status", "succeeded"),
		attribute.String("application.name", fmt.Sprintf("payments-%d", number%2)),
		attribute.String("user.email", "maria.lopez@acme.example"),
		attribute.Int("retries", number),
		attribute.Float64("load", 0.5),
		attribute.Bool("dry", true),
		attribute.StringSlice("tags", []string{"acme", "eu"}),
	)
	if number%4 == 3 {
		execution.SetAttributes(attribute.String("execution.status", "terminal"))
		execution.RecordError(errors.New("acme: no such account"))
		execution.SetStatus(codes.Error, "acme: no such account")
	}
	_, stage := usage.Start(ctx, "stage")
	defer stage.End()
	stage.SetAttributes(
		attribute.String("stage.type", []string{"deploy", "acme-scan"}[number%2]),
		attribute.String("stage.cloud_providers", "aws,gce"),
	)
}

func getenv(name, standard string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return standard
}
