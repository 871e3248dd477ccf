package middleware

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// newStack is everything in the order that the package's documentation gives.
func newStack(t *testing.T, drain *Drain) (http.Handler, func() []string) {
	t.Helper()
	log, hook := newLog()
	rate, err := NewRateLimiter(RateConfig{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	admission := NewAdmission(drain, rate)
	a := authenticator{"device": {Subject: "t1", Scope: holdfast.ScopeDevice, Device: "d1"}, "auditor": {Subject: "t2", Scope: holdfast.ScopeAuditor}}
	r := chi.NewRouter()
	r.Use(Protocol, ClientAddress(), RequestContext, AccessLog(log, fixedTime), Recover(log), HeaderLimits(0, 0), drain.Handler)
	r.Group(func(r chi.Router) {
		r.Use(InFlight(10), Authenticate(a, func(string, string) (bool, []holdfast.Scope) {
			return false, []holdfast.Scope{holdfast.ScopeDevice}
		}), JSONBody, newTestBodies(t, nil).Handler)
		r.Post("/v1/streams/{streamId}/batches", func(w http.ResponseWriter, r *http.Request) {
			rc := holdfast.RequestContextFrom(r.Context())
			switch {
			case len(rc.Invalid) > 0 || len(BodyBytes(r)) == 0:
				problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeInvalidRequest})
			case admission.Admit(r.Context()) != nil:
				problem.Write(w, r, admission.Admit(r.Context()))
			case rc.Contradiction != "":
				problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeForbidden})
			default:
				_, _ = w.Write(BodyBytes(r))
			}
		})
	})
	return r, func() (codes []string) {
		for _, e := range hook.AllEntries() {
			code, _ := e.Data["problem"].(string)
			codes = append(codes, code)
		}
		return codes
	}
}

// The checks come in the order of the protocol: a request with several things
// wrong is answered for the first of them.
func TestChecksComeInTheirOrder(t *testing.T) {
	var drain, draining Drain
	draining.Begin()
	type change func(*http.Request)
	none := func(*http.Request) {}
	set := func(name, value string) change { return func(r *http.Request) { r.Header.Set(name, value) } }
	wrongs := []struct {
		code   holdfast.Code
		status int
		make   change
	}{
		{holdfast.CodeHeadersTooLarge, 431, set("X-Huge", strings.Repeat("x", 20<<10))},
		{holdfast.CodeUnauthenticated, 401, set("Authorization", "Bearer unknown")},
		{holdfast.CodeForbidden, 403, set("Authorization", "Bearer auditor")},
		{holdfast.CodeUnsupportedMediaType, 415, set("Content-Type", "text/plain")},
		{holdfast.CodeTooLarge, 413, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), testLimit+1
		}},
		{holdfast.CodeInvalidRequest, 400, set("X-User-Id", "\x01")},
		{holdfast.CodeDraining, 503, none},
		{holdfast.CodeForbidden, 403, set("X-Device-Id", "d2")},
	}
	for first := range wrongs {
		d := &drain
		if first <= 6 {
			d = &draining
		}
		h, codes := newStack(t, d)
		r := request("POST", "/v1/streams/"+uuid1+"/batches", "{}", "Content-Type", "application/json", "Authorization", "Bearer device")
		for i := len(wrongs) - 1; i >= first; i-- { // all that come later are wrong too
			wrongs[i].make(r)
		}
		w := do(h, r)
		wantProblem(t, w, wrongs[first].status, wrongs[first].code)
		if w.Header().Get(ProtocolHeader) != "1" {
			t.Errorf("%s: no protocol", wrongs[first].code)
		}
		if got := codes(); len(got) != 1 || got[0] != string(wrongs[first].code) {
			t.Errorf("%s: the log says %v", wrongs[first].code, got)
		}
	}
}

func TestStackOverARealConnection(t *testing.T) {
	h, codes := newStack(t, &Drain{})
	server := httptest.NewServer(h)
	defer server.Close()
	for range 3 {
		r, err := http.NewRequest(http.MethodPost, server.URL+"/v1/streams/"+uuid1+"/batches", strings.NewReader(zstandard(t, `{"a":1}`)))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": "Bearer device", "Content-Type": "application/json", "Content-Encoding": "zstd"} {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || string(body) != `{"a":1}` {
			t.Fatalf("status %d, %q", resp.StatusCode, body)
		}
	}
	resp, err := http.Get(server.URL + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 404 || resp.Header.Get(ProtocolHeader) != "1" {
		t.Fatalf("status %d, %v", resp.StatusCode, resp.Header)
	}
	server.Close()
	if got := codes(); len(got) != 4 {
		t.Fatalf("%d lines in the log, want 4", len(got))
	}
}
