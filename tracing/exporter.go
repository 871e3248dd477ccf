package tracing

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// The attributes that this package sets itself.
const (
	method      = attribute.Key("http.request.method")
	route       = attribute.Key("http.route")
	status      = attribute.Key("http.response.status_code")
	correlation = attribute.Key("holdfast.correlation_id")
	shop        = attribute.Key("holdfast.store_id")
	user        = attribute.Key("holdfast.user_id")
	device      = attribute.Key("holdfast.device_id")
	session     = attribute.Key("holdfast.session_id")
	appVersion  = attribute.Key("holdfast.app_version")
	problem     = attribute.Key("holdfast.problem")
	operation   = attribute.Key("holdfast.operation")
	failure     = attribute.Key("holdfast.failure")
	database    = attribute.Key("db.system.name")
)

// allowed is every attribute that may leave the process.
var allowed = map[attribute.Key]bool{
	method: true, route: true, status: true, correlation: true, shop: true, user: true, device: true, session: true,
	appVersion: true, problem: true, operation: true, failure: true, database: true,
}

// exporter takes off what may not leave, and tells of failures once.
type exporter struct {
	next   sdktrace.SpanExporter
	report func(error)
	down   atomic.Bool
}

// ExportSpans never fails: a failure is reported, and the spans are dropped.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	bare := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		bare[i] = stripped{s}
	}
	err := e.next.ExportSpans(ctx, bare)
	if down := err != nil; e.down.Swap(down) != down {
		e.report(short(err))
	}
	return nil
}

// short keeps a collector's long answer out of the log.
func short(err error) error {
	const most = 300
	if err == nil || len(err.Error()) <= most {
		return err
	}
	return errors.New(strings.ToValidUTF8(err.Error()[:most], "") + " …")
}

// Shutdown ends the connection.
func (e *exporter) Shutdown(ctx context.Context) error { return e.next.Shutdown(ctx) }

// stripped is a span with what may leave.
type stripped struct{ sdktrace.ReadOnlySpan }

// Attributes are the allowed ones.
func (s stripped) Attributes() []attribute.KeyValue {
	all := s.ReadOnlySpan.Attributes()
	kept := make([]attribute.KeyValue, 0, len(all))
	for _, one := range all {
		if allowed[one.Key] {
			kept = append(kept, one)
		}
	}
	return kept
}

// Events are none: those of libraries hold texts of errors.
func (stripped) Events() []sdktrace.Event { return nil }

// Status is without its description, which is the text of an error.
func (s stripped) Status() sdktrace.Status {
	return sdktrace.Status{Code: s.ReadOnlySpan.Status().Code}
}
