package middleware

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"

	"github.com/holdfast-sync/holdfast"
)

// Recorder keeps what was refused, and sessions, for the audit log. It must return at once.
type Recorder interface {
	Refused(ctx context.Context, code holdfast.Code, method, route string, stream holdfast.ID)
	Seen(ctx context.Context)
}

// Audit tells the recorder of every refusal, and of the session of every request that
// was let in. It has to stand right inside [AccessLog], whose knowledge it uses.
func Audit(rec Recorder) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := holdfast.WithAddress(r.Context(), chimiddleware.GetClientIP(r.Context()))
			r = r.WithContext(ctx)
			defer func() {
				rw, ok := w.(*responseWriter)
				e, known := ctx.Value(eventKey{}).(*event)
				if !ok || !known {
					return
				}
				ctx := holdfast.WithPrincipal(holdfast.WithRequestContext(ctx, e.context), e.principal)
				if rw.problem != "" {
					route, stream := "", holdfast.ID{}
					if rc := chi.RouteContext(ctx); rc != nil {
						route = rc.RoutePattern()
						stream, _ = holdfast.ParseID(rc.URLParam("streamId"))
					}
					rec.Refused(ctx, rw.problem, loggedMethod(r.Method), route, stream)
				}
				if rw.problem == "" && (e.principal.Anonymous || e.principal.Subject != "") {
					rec.Seen(ctx)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
}
