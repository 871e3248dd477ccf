package middleware

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// Authenticator finds out who is calling. It answers a *[holdfast.Error]:
// unauthenticated for credentials that are missing (an empty bearer) or no good,
// backend-unavailable when it can't tell now.
type Authenticator interface {
	Authenticate(ctx context.Context, bearer string) (holdfast.Principal, error)
}

// Access tells who may call an operation, by method and route pattern: everybody
// when public, else who holds one of the scopes.
type Access func(method, pattern string) (public bool, scopes []holdfast.Scope)

// Authenticate answers 401 or 403, or puts the caller into the context
// ([holdfast.PrincipalFrom]). It has to stand where the route is known, and after
// [RequestContext]: names that the credentials carry replace those of the
// headers, and a header that says otherwise is kept as Contradiction, for whoever
// checks the owner to refuse at the turn of that check.
func Authenticate(a Authenticator, access Access) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			public, scopes := access(r.Method, chi.RouteContext(r.Context()).RoutePattern())
			if public {
				next.ServeHTTP(w, r)
				return
			}
			p, err := a.Authenticate(r.Context(), bearer(r.Header["Authorization"]))
			if err != nil {
				problem.Write(w, r, err)
				return
			}
			rc := speakFor(p, holdfast.RequestContextFrom(r.Context()))
			note(r.Context(), p, rc)
			if !p.May(scopes...) {
				problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeForbidden, Detail: lacking(scopes)})
				return
			}
			ctx := holdfast.WithRequestContext(holdfast.WithPrincipal(r.Context(), p), rc)
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func lacking(scopes []holdfast.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return "The credentials do not hold the scope that this needs: " + strings.Join(names, " or ") + "."
}

// bearer is the token of the one Authorization header (RFC 6750, 2.1), empty
// when there is none, several, or one of another form.
func bearer(values []string) string {
	if len(values) != 1 {
		return ""
	}
	scheme, token, found := strings.Cut(strings.Trim(values[0], " \t"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	token = strings.TrimLeft(token, " ")
	for i := range len(token) {
		if !token68(token[i]) {
			return ""
		}
	}
	return token
}

func token68(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/=", c) >= 0
}

// speakFor lets the names of the credentials win.
func speakFor(p holdfast.Principal, rc holdfast.RequestContext) holdfast.RequestContext {
	for _, f := range [...]struct {
		header, token string
		value         *string
	}{{"X-Device-Id", p.Device, &rc.Device}, {"X-Store-Id", p.Shop, &rc.Shop}, {"X-User-Id", p.User, &rc.User}} {
		if f.token == "" {
			continue
		}
		if *f.value != "" && *f.value != f.token && rc.Contradiction == "" {
			rc.Contradiction = f.header
		}
		*f.value = f.token
	}
	return rc
}
