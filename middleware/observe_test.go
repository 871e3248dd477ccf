package middleware

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// observed keeps what it is told.
type observed struct {
	began int
	all   []Answered
	// found is what the test's own key holds in the contexts.
	found []any
}

type observedKey struct{}

func (o *observed) Began() { o.began++ }

func (o *observed) Answered(ctx context.Context, a Answered) {
	o.all, o.found = append(o.all, a), append(o.found, ctx.Value(observedKey{}))
}

// observe serves a request as a gateway does, with an observer, and a log below it.
func observe(t *testing.T, h http.HandlerFunc, r *http.Request, uses ...func(http.Handler) http.Handler) (Answered, map[string]any) {
	t.Helper()
	log, hook := newLog()
	o := &observed{}
	router := chi.NewRouter()
	router.Use(append([]func(http.Handler) http.Handler{ClientAddress(), RequestContext, Observe(o, steps()), AccessLog(log, steps()), Recover(log)}, uses...)...)
	router.HandleFunc("/v1/streams/{streamId}/batches", h)
	func() {
		defer func() { _ = recover() }() // http.ErrAbortHandler
		do(router, r.WithContext(context.WithValue(r.Context(), observedKey{}, "span")))
	}()
	if o.began != 1 || len(o.all) != 1 || o.found[0] != "span" {
		t.Fatalf("%+v", o)
	}
	return o.all[0], hook.LastEntry().Data
}

func TestObserversAreToldWhatHappened(t *testing.T) {
	a := authenticator{"t": {Subject: "t1", Scope: holdfast.ScopeDevice, Device: "d1"}}
	r := request("POST", "/v1/streams/"+uuid1+"/batches?secret=query", "12345", "Correlation-Id", uuid2, "X-Store-Id", "s1", "Authorization", "Bearer t")
	got, logged := observe(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "answer")
	}, r, Authenticate(a, func(string, string) (bool, []holdfast.Scope) { return false, []holdfast.Scope{holdfast.ScopeDevice} }))
	want := Answered{
		Method: "POST", Route: "/v1/streams/{streamId}/batches", Status: 201, BytesIn: 5, BytesOut: 6, Took: 1500 * time.Microsecond,
		Context: holdfast.RequestContext{Correlation: uuid2, Shop: "s1", Device: "d1"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// The log below the observer says the same.
	if logged["bytesIn"] != int64(5) || logged["bytesOut"] != int64(6) || logged["deviceId"] != "d1" || logged["status"] != 201 {
		t.Errorf("%v", logged)
	}
}

func TestObserversAreToldOfWhateverHappens(t *testing.T) {
	path := "/v1/streams/" + uuid1 + "/batches"
	for name, c := range map[string]struct {
		method, path string
		handler      http.HandlerFunc
		want         Answered
	}{
		"problem": {"GET", path, func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeFenced})
		}, Answered{Method: "GET", Route: "/v1/streams/{streamId}/batches", Status: 503, Problem: holdfast.CodeFenced}},
		"panic": {
			"GET", path, func(http.ResponseWriter, *http.Request) { panic("x") },
			Answered{Method: "GET", Route: "/v1/streams/{streamId}/batches", Status: 500, Problem: holdfast.CodeInternal},
		},
		"given up": {
			"GET", path, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			Answered{Method: "GET", Route: "/v1/streams/{streamId}/batches"},
		},
		"not a word":     {"HEAD", path, func(http.ResponseWriter, *http.Request) {}, Answered{Method: "HEAD", Route: "/v1/streams/{streamId}/batches", Status: 200}},
		"no such route":  {"GET", "/made/up", nil, Answered{Method: "GET", Status: 404}},
		"made-up method": {"MADEUP", path, nil, Answered{Method: "other", Status: 405}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := observe(t, c.handler, request(c.method, c.path, ""))
			got.BytesOut, got.Took = 0, 0
			if got.Method == "other" {
				got.Route = "" // the router's business
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}
