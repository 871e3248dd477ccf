package middleware

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
)

// Answered is a request that was answered, as an [Observer] is told of it.
type Answered struct {
	// Method is one that HTTP knows, else "other".
	Method string
	// Route is the pattern of the route, for example /v1/streams/{streamId}; empty
	// when there is none.
	Route string
	// Status is 0 when the connection was given up without an answer.
	Status  int
	Problem holdfast.Code // empty without
	// BytesIn and BytesOut are those of the bodies, in as they came, before decoding.
	BytesIn, BytesOut int64
	Took              time.Duration
	// Context has the names of the credentials, where there were any.
	Context holdfast.RequestContext
}

// Observer is told of every request. It is on the way of the answer: it must
// return at once.
type Observer interface {
	// Began is called before anything is done for the request.
	Began()
	// Answered is called once for every Began, with the request's context.
	Answered(ctx context.Context, a Answered)
}

// Observe tells o of every request. It has to stand inside the router, after
// [RequestContext] and before [AccessLog], and tells the time by now.
func Observe(o Observer, now func() time.Time) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := now()
			o.Began()
			rw := recording(w)
			e, inner := withEvent(r)
			defer func() {
				a := Answered{
					Method: knownMethod(r.Method), Status: rw.status, Problem: rw.problem,
					BytesIn: e.bytesIn, BytesOut: rw.bytes, Took: now().Sub(began), Context: e.context,
				}
				if route := chi.RouteContext(r.Context()); route != nil {
					a.Route = route.RoutePattern()
				}
				o.Answered(r.Context(), a)
			}()
			next.ServeHTTP(rw, inner)
			rw.begin() // who returns without a word has answered 200
		})
	}
}

func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
