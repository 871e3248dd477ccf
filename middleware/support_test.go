package middleware

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/holdfast-sync/holdfast"
)

// document is what a test looks at in a problem document.
type document struct {
	Type            string `json:"type"`
	Status          int    `json:"status"`
	Code            string `json:"code"`
	Detail          string `json:"detail"`
	MaxBytes        int64  `json:"maxBytes"`
	MaxTransactions int64  `json:"maxTransactions"`
}

func readProblem(t *testing.T, body io.Reader) document {
	t.Helper()
	var d document
	if err := json.NewDecoder(body).Decode(&d); err != nil {
		t.Fatalf("the body is no problem document: %v", err)
	}
	return d
}

// wantProblem checks an answer that is a problem, and gives it back.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code holdfast.Code) document {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type %q", got)
	}
	d := readProblem(t, w.Body)
	if d.Code != string(code) || d.Status != status || d.Type != "/problems/"+string(code) {
		t.Fatalf("problem %+v, want %s", d, code)
	}
	return d
}

// answers is a handler that answers 200 with a word.
func answers(word string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, word) })
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func request(method, target, body string, headers ...string) *http.Request {
	var rd io.Reader = http.NoBody
	if body != "" {
		rd = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(context.Background(), method, target, rd)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func newLog() (*logrus.Logger, *logtest.Hook) {
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	return log, hook
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}
