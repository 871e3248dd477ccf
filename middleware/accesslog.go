package middleware

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
)

// ClientAddress finds the address of the client, for the log and nothing else.
// Without trusted proxies it is the other end of the connection. With them
// (prefixes such as 10.0.0.0/8) X-Forwarded-For is read from the right, over the
// trusted ones. It panics for a string that is no prefix: check settings before.
func ClientAddress(trustedProxies ...string) func(http.Handler) http.Handler {
	if len(trustedProxies) == 0 {
		return chimiddleware.ClientIPFromRemoteAddr
	}
	return chimiddleware.ClientIPFromXFF(trustedProxies...)
}

// event is what the log and observers will say of a request. Inner middlewares fill it.
type event struct {
	context   holdfast.RequestContext
	principal holdfast.Principal
	body      io.ReadCloser
	bytesIn   int64
}

type eventKey struct{}

// withEvent finds the event of a request, else makes one and the request that
// inner handlers get then, which carries it and counts its body.
func withEvent(r *http.Request) (*event, *http.Request) {
	if e, ok := r.Context().Value(eventKey{}).(*event); ok {
		return e, r
	}
	e := &event{context: holdfast.RequestContextFrom(r.Context())}
	inner := r.WithContext(context.WithValue(r.Context(), eventKey{}, e))
	if r.Body != nil && r.Body != http.NoBody {
		e.body = r.Body
		inner.Body = e
	}
	return e, inner
}

// note tells the log of the request who is calling; nothing when nobody wants to know.
func note(ctx context.Context, p holdfast.Principal, rc holdfast.RequestContext) {
	if e, ok := ctx.Value(eventKey{}).(*event); ok {
		e.principal, e.context = p, rc
	}
}

// Read counts the bytes of the request body as they came in, before decoding.
func (e *event) Read(p []byte) (int, error) {
	n, err := e.body.Read(p)
	e.bytesIn += int64(n)
	return n, err
}

// Close closes the request body.
func (e *event) Close() error { return e.body.Close() }

// AccessLog writes one Info event per request, an Error only when the answer is
// internal: that is the one a person must look at. No query, no header and no
// body is in it. It has to stand inside the router, after [RequestContext], and
// tells the time by now.
func AccessLog(log logrus.FieldLogger, now func() time.Time) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := now()
			rw := recording(w)
			e, inner := withEvent(r)
			trail := &holdfast.Trail{}
			inner = inner.WithContext(holdfast.WithTrail(inner.Context(), trail))
			defer func() {
				fields := e.fields(rw, r)
				trail.Each(func(name string, value any) { fields[name] = value })
				fields["durationMs"] = float64(now().Sub(began).Microseconds()) / 1000
				entry := log.WithFields(fields)
				if rw.status >= http.StatusInternalServerError && rw.cause != nil {
					entry = entry.WithError(rw.cause)
				}
				if rw.problem == holdfast.CodeInternal {
					entry.Error("request failed")
					return
				}
				entry.Info("request")
			}()
			next.ServeHTTP(rw, inner)
			rw.begin() // who returns without a word has answered 200
		})
	}
}

func (e *event) fields(w *responseWriter, r *http.Request) logrus.Fields {
	f := make(logrus.Fields, 20)
	f["method"] = loggedMethod(r.Method)
	f["status"] = w.status // 0: the connection was given up without an answer
	f["bytesIn"] = e.bytesIn
	f["bytesOut"] = w.bytes
	set := func(name, value string) {
		if value != "" {
			f[name] = value
		}
	}
	if route := chi.RouteContext(r.Context()); route != nil {
		set("route", route.RoutePattern())
		if id, err := holdfast.ParseID(route.URLParam("streamId")); err == nil {
			set("streamId", id.String())
		}
	}
	set("problem", string(w.problem))
	for name, value := range e.context.Fields() {
		f[name] = value
	}
	set("subject", e.principal.Subject)
	set("scope", string(e.principal.Scope))
	set("client", chimiddleware.GetClientIP(r.Context()))
	return f
}

// loggedMethod keeps a made-up method, which may be of any length, out of the log.
func loggedMethod(m string) string {
	if len(m) > 16 {
		return "other"
	}
	return m
}
