package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go.
type Config struct {
	// Endpoint is an http(s) URL; without a path /v1/traces is added (OTLP/HTTP).
	Endpoint string
	// Ratio of the requests that are traced where the caller has not decided, 0 to 1.
	Ratio float64
	// Version, Node and Ring are told with every span.
	Version, Node, Ring string
	// Report is told when sending fails for the first time, and with nil when it
	// works again. It must return at once; nil: nobody.
	Report func(error)
}

// Validate says what can't be.
func (c Config) Validate() error {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("tracing: the endpoint must be an http:// or https:// URL")
	}
	if !(c.Ratio >= 0 && c.Ratio <= 1) {
		return errors.New("tracing: the ratio must be from 0 to 1")
	}
	return nil
}

// How much waits, how long one attempt to send may take, and how long the end of
// the process waits for the last.
const (
	maxWaiting  = 2048
	sendWithin  = 5 * time.Second
	sendEvery   = time.Second
	closeWithin = 3 * time.Second
)

// Tracer makes spans. [Tracer.Close] ends it.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// New begins to send in the background. It does not ask whether anybody listens.
func New(c Config) (*Tracer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	target, _ := url.Parse(c.Endpoint) // checked
	if target.Path == "" || target.Path == "/" {
		target.Path = "/v1/traces"
	}
	sender, err := otlptracehttp.New(
		context.Background(), otlptracehttp.WithEndpointURL(target.String()), otlptracehttp.WithTimeout(sendWithin),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: 500 * time.Millisecond, MaxInterval: 2 * time.Second, MaxElapsedTime: sendWithin}),
	)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(
			&exporter{next: sender, report: c.Report}, sdktrace.WithMaxQueueSize(maxWaiting),
			sdktrace.WithExportTimeout(sendWithin), sdktrace.WithBatchTimeout(sendEvery),
		),
		sdktrace.WithSampler(sdktrace.ParentBased(requestsOnly{sdktrace.TraceIDRatioBased(c.Ratio)})),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "holdfast"), attribute.String("service.version", c.Version),
			attribute.String("service.instance.id", c.Node), attribute.String("holdfast.ring", c.Ring),
		)),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/holdfast-sync/holdfast/tracing")}, nil
}

// Provider is for libraries that make spans themselves.
func (t *Tracer) Provider() trace.TracerProvider { return t.provider }

// Close sends what waits, at most for three seconds, and ends.
func (t *Tracer) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// requestsOnly begins traces with requests alone: background work that belongs
// to many requests, or to none, is no trace of its own.
type requestsOnly struct{ sdktrace.Sampler }

// ShouldSample is asked for spans without a parent.
func (s requestsOnly) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Kind != trace.SpanKindServer {
		return sdktrace.SamplingResult{Decision: sdktrace.Drop}
	}
	return s.Sampler.ShouldSample(p)
}
