package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-sync/holdfast"
)

// Handler makes a span of every request, below the caller's traceparent. Its
// name is made known by [Tracer.Answered].
func (t *Tracer) Handler(next http.Handler) http.Handler {
	return otelhttp.NewMiddleware(
		"request", otelhttp.WithTracerProvider(t.provider), otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelhttp.WithPropagators(parentOnly{}),
		otelhttp.WithSpanNameFormatter(func(string, *http.Request) string { return "request" }),
	)(next)
}

// parentOnly reads traceparent (W3C Trace Context) and not tracestate, which
// would pass a caller's text on.
type parentOnly struct{ propagation.TraceContext }

// Extract reads the one header.
func (p parentOnly) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return p.TraceContext.Extract(ctx, propagation.MapCarrier{"traceparent": carrier.Get("traceparent")})
}

// Request is what a span says of one.
type Request struct {
	// Method and Route come from a bounded set; Route is empty without one.
	Method, Route string
	// Status is 0 when there was no answer.
	Status  int
	Problem holdfast.Code
	Context holdfast.RequestContext
}

// Answered completes the span of the request whose context it is.
func (t *Tracer) Answered(ctx context.Context, r Request) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	name := r.Method
	if r.Route != "" {
		name += " " + r.Route
	}
	span.SetName(name)
	attributes := make([]attribute.KeyValue, 0, 10)
	attributes = append(attributes, method.String(r.Method))
	for _, one := range [...]attribute.KeyValue{
		route.String(r.Route), problem.String(string(r.Problem)), correlation.String(r.Context.Correlation), shop.String(r.Context.Shop),
		user.String(r.Context.User), device.String(r.Context.Device), session.String(r.Context.Session), appVersion.String(r.Context.AppVersion),
	} {
		if one.Value.AsString() != "" {
			attributes = append(attributes, one)
		}
	}
	if r.Status != 0 {
		attributes = append(attributes, status.Int(r.Status))
	}
	span.SetAttributes(attributes...)
	if r.Status == 0 || r.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// Store begins the span of an operation of the store, where its request is
// traced. The function ends it; failed is the kind of failure, empty for none.
func (t *Tracer) Store(ctx context.Context, backend, name string) (context.Context, func(failed string)) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, func(string) {}
	}
	ctx, span := t.tracer.Start(
		ctx, "store."+name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(database.String(backend), operation.String(name)),
	)
	return ctx, func(failed string) {
		if failed != "" {
			span.SetAttributes(failure.String(failed))
		}
		if failed != "" && failed != "conflict" { // a conflict is somebody else's progress
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
