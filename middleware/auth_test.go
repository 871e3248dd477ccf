package middleware

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
)

// authenticator knows some tokens.
type authenticator map[string]holdfast.Principal

func (a authenticator) Authenticate(_ context.Context, bearer string) (holdfast.Principal, error) {
	if bearer == "down" {
		return holdfast.Principal{}, &holdfast.Error{Code: holdfast.CodeBackendUnavailable, RetryAfter: 2 * time.Second}
	}
	p, ok := a[bearer]
	if !ok {
		return p, &holdfast.Error{Code: holdfast.CodeUnauthenticated}
	}
	return p, nil
}

// seen is what the handler behind the authentication saw.
type seen struct {
	called  bool
	who     holdfast.Principal
	context holdfast.RequestContext
}

func authRouter(a Authenticator, s *seen) http.Handler {
	r := chi.NewRouter()
	r.Use(Protocol, RequestContext)
	r.Group(func(r chi.Router) {
		r.Use(Authenticate(a, func(method, pattern string) (bool, []holdfast.Scope) {
			switch method + " " + pattern {
			case "GET /open/{id}":
				return true, nil
			case "POST /streams/{id}":
				return false, []holdfast.Scope{holdfast.ScopeDevice}
			case "GET /streams/{id}":
				return false, []holdfast.Scope{holdfast.ScopeDevice, holdfast.ScopeOperator}
			}
			return false, nil
		}))
		h := func(_ http.ResponseWriter, r *http.Request) {
			*s = seen{true, holdfast.PrincipalFrom(r.Context()), holdfast.RequestContextFrom(r.Context())}
		}
		r.Get("/open/{id}", h)
		r.Post("/streams/{id}", h)
		r.Get("/streams/{id}", h)
		r.Get("/unlisted", h)
	})
	return r
}

func TestAuthentication(t *testing.T) {
	a := authenticator{
		"device":   {Subject: "t1", Scope: holdfast.ScopeDevice},
		"operator": {Subject: "t2", Scope: holdfast.ScopeOperator},
		"admin":    {Subject: "t3", Scope: holdfast.ScopeAdmin},
		"nothing":  {Subject: "t4"},
	}
	for _, c := range []struct {
		name, method, target string
		authorization        []string
		status               int
	}{
		{"good", "POST", "/streams/1", []string{"Bearer device"}, 200},
		{"scheme in any case", "POST", "/streams/1", []string{"bEARER  device "}, 200},
		{"missing", "POST", "/streams/1", nil, 401},
		{"empty", "POST", "/streams/1", []string{""}, 401},
		{"no token", "POST", "/streams/1", []string{"Bearer"}, 401},
		{"another scheme", "POST", "/streams/1", []string{"Basic device"}, 401},
		{"token alone", "POST", "/streams/1", []string{"device"}, 401},
		{"twice", "POST", "/streams/1", []string{"Bearer device", "Bearer device"}, 401},
		{"two tokens", "POST", "/streams/1", []string{"Bearer device device"}, 401},
		{"bad characters", "POST", "/streams/1", []string{"Bearer de\x80vice"}, 401},
		{"unknown", "POST", "/streams/1", []string{"Bearer unknown"}, 401},
		{"can't be told", "POST", "/streams/1", []string{"Bearer down"}, 503},
		{"wrong scope", "POST", "/streams/1", []string{"Bearer operator"}, 403},
		{"no scope", "POST", "/streams/1", []string{"Bearer nothing"}, 403},
		{"other scope of this one", "GET", "/streams/1", []string{"Bearer operator"}, 200},
		{"admin", "POST", "/streams/1", []string{"Bearer admin"}, 200},
		{"public", "GET", "/open/1", nil, 200},
		{"public with a bad token", "GET", "/open/1", []string{"Bearer unknown"}, 200},
		{"operation that nobody listed", "GET", "/unlisted", []string{"Bearer device"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s seen
			r := request(c.method, c.target, "")
			r.Header["Authorization"] = c.authorization
			w := do(authRouter(a, &s), r)
			if w.Code != c.status || s.called != (c.status == 200) {
				t.Fatalf("status %d, want %d; handler called: %t", w.Code, c.status, s.called)
			}
			switch c.status {
			case 401:
				wantProblem(t, w, 401, holdfast.CodeUnauthenticated)
				if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
					t.Fatalf("WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
				}
			case 403:
				wantProblem(t, w, 403, holdfast.CodeForbidden)
			case 503:
				wantProblem(t, w, 503, holdfast.CodeBackendUnavailable)
				if w.Header().Get("Retry-After") != "2" {
					t.Fatalf("Retry-After %q", w.Header().Get("Retry-After"))
				}
			}
		})
	}
}

func TestNamesOfTheTokenWin(t *testing.T) {
	a := authenticator{
		"named": {Subject: "t", Scope: holdfast.ScopeDevice, Device: "d1", Shop: "s1", User: "u1"},
		"bare":  {Subject: "t", Scope: holdfast.ScopeDevice},
	}
	for _, c := range []struct {
		name, token string
		headers     []string
		want        holdfast.RequestContext
	}{
		{"no headers", "named", nil, holdfast.RequestContext{Device: "d1", Shop: "s1", User: "u1"}},
		{"same", "named", []string{"X-Device-Id", "d1", "X-Store-Id", "s1"}, holdfast.RequestContext{Device: "d1", Shop: "s1", User: "u1"}},
		{"another device", "named", []string{"X-Device-Id", "d2"}, holdfast.RequestContext{Device: "d1", Shop: "s1", User: "u1", Contradiction: "X-Device-Id"}},
		{"another store", "named", []string{"X-Store-Id", "s2"}, holdfast.RequestContext{Device: "d1", Shop: "s1", User: "u1", Contradiction: "X-Store-Id"}},
		{"another user", "named", []string{"X-User-Id", "u2"}, holdfast.RequestContext{Device: "d1", Shop: "s1", User: "u1", Contradiction: "X-User-Id"}},
		{"all others", "named", []string{"X-User-Id", "u2", "X-Store-Id", "s2", "X-Device-Id", "D1"}, holdfast.RequestContext{Device: "d1", Shop: "s1", User: "u1", Contradiction: "X-Device-Id"}},
		{"token without names", "bare", []string{"X-Device-Id", "d2", "X-User-Id", "u"}, holdfast.RequestContext{Device: "d2", User: "u"}},
	} {
		var s seen
		r := request("POST", "/streams/1", "", append(c.headers, "Authorization", "Bearer "+c.token)...)
		if w := do(authRouter(a, &s), r); w.Code != 200 {
			t.Fatalf("%s: status %d", c.name, w.Code)
		}
		got := s.context
		if got.Device != c.want.Device || got.Shop != c.want.Shop || got.User != c.want.User || got.Contradiction != c.want.Contradiction {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestModeOpenAsksNobody(t *testing.T) {
	var s seen
	w := do(authRouter(authenticator{"": {Anonymous: true}}, &s), request("POST", "/streams/1", "", "X-Device-Id", "d"))
	if w.Code != 200 || !s.who.Anonymous || s.context.Device != "d" || s.context.Contradiction != "" {
		t.Fatalf("status %d, %+v", w.Code, s)
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer abc")
	f.Add("bearer  a.b-c_d~e+f/g==")
	f.Fuzz(func(t *testing.T, value string) {
		token := bearer([]string{value})
		if strings.ContainsAny(token, " \t\r\n\x00,\"") || !strings.Contains(value, token) {
			t.Fatalf("%q gives the token %q", value, token)
		}
	})
}
