package middleware

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

func fixedTime() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) }

// steps is a clock that goes on by 1.5 ms with each look.
func steps() func() time.Time {
	at := fixedTime()
	return func() time.Time {
		at = at.Add(1500 * time.Microsecond)
		return at
	}
}

func logged(t *testing.T, h http.HandlerFunc, r *http.Request, uses ...func(http.Handler) http.Handler) *logrus.Entry {
	t.Helper()
	log, hook := newLog()
	router := chi.NewRouter()
	router.Use(append([]func(http.Handler) http.Handler{ClientAddress(), RequestContext, AccessLog(log, steps()), Recover(log)}, uses...)...)
	router.Method(r.Method, "/v1/streams/{streamId}/batches", h)
	do(router, r)
	entries := hook.AllEntries()
	if len(entries) == 0 {
		t.Fatal("nothing is logged")
	}
	return entries[len(entries)-1]
}

func TestAccessLogSaysWhatHappened(t *testing.T) {
	a := authenticator{"t": {Subject: "t1", Scope: holdfast.ScopeDevice, Device: "d1"}}
	r := request("POST", "/v1/streams/"+strings.ToUpper(uuid1)+"/batches?secret=query", "12345",
		"Correlation-Id", uuid2, "X-Store-Id", "s1", "X-User-Id", "u1", "X-Session-Id", "x1", "X-App-Version", "9",
		"Traceparent", trace, "Authorization", "Bearer t", "X-Other", "secret header")
	r.RemoteAddr = "192.0.2.7:1234"
	e := logged(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "answer")
	}, r, Authenticate(a, func(string, string) (bool, []holdfast.Scope) { return false, []holdfast.Scope{holdfast.ScopeDevice} }))
	want := logrus.Fields{
		"method": "POST", "route": "/v1/streams/{streamId}/batches", "status": 201, "streamId": uuid1, "durationMs": 1.5,
		"bytesIn": int64(5), "bytesOut": int64(6), "correlationId": uuid2, "storeId": "s1", "userId": "u1",
		"deviceId": "d1", "sessionId": "x1", "appVersion": "9", "traceparent": trace, "traceId": trace[3:35], "subject": "t1", "scope": "device",
		"client": "192.0.2.7",
	}
	if !reflect.DeepEqual(e.Data, want) || e.Level != logrus.InfoLevel {
		t.Fatalf("got  %v %v\nwant %v", e.Level, e.Data, want)
	}
}

func TestAccessLogLeavesOutWhatIsNotThere(t *testing.T) {
	e := logged(t, func(http.ResponseWriter, *http.Request) {}, request("POST", "/v1/streams/no-uuid/batches", ""))
	want := logrus.Fields{
		"method": "POST", "route": "/v1/streams/{streamId}/batches", "status": 200, "durationMs": 1.5,
		"bytesIn": int64(0), "bytesOut": int64(0), "client": "192.0.2.1",
	}
	if !reflect.DeepEqual(e.Data, want) {
		t.Fatalf("got  %v\nwant %v", e.Data, want)
	}
}

func TestAccessLogLevels(t *testing.T) {
	for code, level := range map[holdfast.Code]logrus.Level{
		holdfast.CodeInternal: logrus.ErrorLevel, holdfast.CodeBackendUnavailable: logrus.InfoLevel,
		holdfast.CodeOverloaded: logrus.InfoLevel, holdfast.CodeInvalidRequest: logrus.InfoLevel,
	} {
		e := logged(t, func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, &holdfast.Error{Code: code}) },
			request("POST", "/v1/streams/"+uuid1+"/batches", ""))
		if e.Level != level || e.Data["problem"] != string(code) {
			t.Errorf("%s: %v, %v", code, e.Level, e.Data)
		}
	}
	e := logged(t, func(http.ResponseWriter, *http.Request) { panic("x") }, request("POST", "/v1/streams/"+uuid1+"/batches", ""))
	if e.Level != logrus.ErrorLevel || e.Data["status"] != 500 {
		t.Errorf("a panic: %v, %v", e.Level, e.Data)
	}
}

func TestAccessLogOfAnAnswerThatNeverCame(t *testing.T) {
	log, hook := newLog()
	func() {
		defer func() { _ = recover() }()
		do(AccessLog(log, steps())(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })), request("GET", "/", ""))
	}()
	if e := hook.LastEntry(); e == nil || e.Data["status"] != 0 {
		t.Fatalf("got %v", e)
	}
}

func TestAccessLogOfWhatHasNoRoute(t *testing.T) {
	log, hook := newLog()
	router := chi.NewRouter()
	router.Use(AccessLog(log, steps()))
	router.Get("/known", func(http.ResponseWriter, *http.Request) {})
	do(router, request("GET", "/unknown-secret", ""))
	do(router, request(strings.Repeat("X", 40), "/known", ""))
	entries := hook.AllEntries()
	if len(entries) != 2 || entries[0].Data["status"] != 404 || entries[1].Data["method"] != "other" {
		t.Fatalf("got %v", entries)
	}
	for _, e := range entries {
		if line, _ := e.String(); strings.Contains(line, "unknown-secret") {
			t.Fatalf("the path is logged: %s", line)
		}
	}
}

func TestClientAddress(t *testing.T) {
	for _, c := range []struct {
		name      string
		trusted   []string
		remote    string
		forwarded string
		want      any
	}{
		{"direct", nil, "203.0.113.5:1", "198.51.100.1", "203.0.113.5"},
		{"behind a trusted proxy", []string{"10.0.0.0/8"}, "10.1.2.3:1", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"behind somebody else", []string{"10.0.0.0/8"}, "203.0.113.5:1", "198.51.100.1", "203.0.113.5"},
		{"garbage in between", []string{"10.0.0.0/8"}, "10.1.2.3:1", "198.51.100.1, garbage", nil},
	} {
		log, hook := newLog()
		r := request("GET", "/", "", "X-Forwarded-For", c.forwarded)
		r.RemoteAddr = c.remote
		do(ClientAddress(c.trusted...)(AccessLog(log, steps())(answers("ok"))), r)
		if got := hook.LastEntry().Data["client"]; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWriterCountsWhatIsSentAsAFile(t *testing.T) {
	log, hook := newLog()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.WriteString(strings.Repeat("x", 100_000))
	server := httptest.NewServer(AccessLog(log, time.Now)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, file.Name())
	})))
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	server.Close()
	if err != nil || len(body) != 100_000 || hook.LastEntry().Data["bytesOut"] != int64(100_000) {
		t.Fatalf("%d bytes, %v; logged %v", len(body), err, hook.LastEntry().Data)
	}
}

func TestWriterFlushes(t *testing.T) {
	log, _ := newLog()
	w := httptest.NewRecorder()
	AccessLog(log, time.Now)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
	})).ServeHTTP(w, request("GET", "/", ""))
	if !w.Flushed {
		t.Fatal("not flushed")
	}
}
