package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Delivery begins the span of an attempt below the request that brought the transaction, days ago perhaps; onward is the
// traceparent for the consumer. Without a sampled request there is none.
func (t *Tracer) Delivery(ctx context.Context, consumer, traceparent string) (with context.Context, onward string, done func(failed string)) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, traceparent, func(string) {}
	}
	ctx, span := t.tracer.Start(ctx, "delivery", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attribute.String("holdfast.consumer", consumer)))
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return ctx, carrier["traceparent"], func(failed string) {
		if failed != "" {
			span.SetStatus(codes.Error, failed)
		}
		span.End()
	}
}
