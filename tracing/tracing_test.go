package tracing

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sink keeps what would leave the process; err is what sending answers.
type sink struct {
	spans []sdktrace.ReadOnlySpan
	err   error
}

func (s *sink) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	s.spans = append(s.spans, spans...)
	return s.err
}

func (*sink) Shutdown(context.Context) error { return nil }

// Whatever a library writes into a span, only what is allowed leaves.
func TestOnlyWhatIsAllowedLeaves(t *testing.T) {
	s := &sink{}
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(&exporter{next: s, report: func(error) {}}))
	_, span := p.Tracer("library").Start(context.Background(), "query", trace.WithAttributes(
		attribute.String("url.query", "canary"), attribute.String("user_agent.original", "canary"), attribute.String("db.query.text", "canary"),
		route.String("/v1"), attribute.StringSlice("db.query.parameters", []string{"canary"}),
	))
	span.RecordError(errors.New("canary"))
	span.SetStatus(codes.Error, "canary")
	span.AddEvent("canary")
	span.End()
	if len(s.spans) != 1 {
		t.Fatal(s.spans)
	}
	got := s.spans[0]
	if a := got.Attributes(); len(a) != 1 || a[0].Key != route || len(got.Events()) != 0 {
		t.Errorf("%v %v", a, got.Events())
	}
	if got.Status() != (sdktrace.Status{Code: codes.Error}) {
		t.Errorf("%+v", got.Status())
	}
}

// A failure is told once each way, is no failure of the sender's, and is short.
func TestFailuresAreToldOnce(t *testing.T) {
	var told []error
	s := &sink{}
	e := &exporter{next: s, report: func(err error) { told = append(told, err) }}
	long := errors.New(strings.Repeat("x", 10_000))
	for _, s.err = range []error{nil, long, long, nil, nil, long} {
		if err := e.ExportSpans(context.Background(), nil); err != nil {
			t.Error(err)
		}
	}
	if len(told) != 3 || told[0] == nil || len(told[0].Error()) > 400 || told[1] != nil || told[2] == nil {
		t.Errorf("%d: %.100v", len(told), told)
	}
}

// Background work is no trace of its own, and what the caller decided holds.
func TestRequestsBeginTraces(t *testing.T) {
	tracer, err := New(Config{Endpoint: "http://127.0.0.1:1", Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tracer.Close(context.Background()) }()
	start := func(ctx context.Context, kind trace.SpanKind) bool {
		_, span := tracer.Provider().Tracer("x").Start(ctx, "x", trace.WithSpanKind(kind))
		defer span.End()
		return span.SpanContext().IsSampled()
	}
	from := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true,
		}))
	}
	if start(context.Background(), trace.SpanKindClient) || !start(context.Background(), trace.SpanKindServer) {
		t.Error("who begins a trace")
	}
	if start(from(0), trace.SpanKindServer) || !start(from(trace.FlagsSampled), trace.SpanKindServer) {
		t.Error("the caller's decision")
	}
	if ctx, end := tracer.Store(context.Background(), "sqlite", "append"); trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("a span of the store without a request")
	} else {
		end("unavailable")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{}, {Endpoint: "127.0.0.1:4318"}, {Endpoint: "ftp://h"}, {Endpoint: "http://h", Ratio: 2}, {Endpoint: "http://h", Ratio: -1}} {
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "tracing: the ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// The end waits for nobody longer than it says, even when there is something to send.
func TestCloseIsBounded(t *testing.T) {
	tracer, err := New(Config{Endpoint: "http://192.0.2.1:4318", Ratio: 1}) // an address that never answers
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Provider().Tracer("x").Start(context.Background(), "x", trace.WithSpanKind(trace.SpanKindServer))
	span.End()
	began := time.Now()
	_ = tracer.Close(context.Background())
	if took := time.Since(began); took > closeWithin+time.Second {
		t.Errorf("ended after %s", took)
	}
}
