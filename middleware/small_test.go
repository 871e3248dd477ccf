package middleware

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
)

func TestProtocolMarksEveryAnswer(t *testing.T) {
	w := do(Protocol(answers("ok")), request("GET", "/", ""))
	for name, want := range map[string]string{
		"Holdfast-Protocol": "1", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestRecoverAnswersForAPanic(t *testing.T) {
	for name, value := range map[string]any{"text": "secret of the request", "error": errors.New("secret of the request"), "number": 7} {
		log, hook := newLog()
		h := RequestContext(Recover(log)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "7")
			panic(value)
		})))
		w := do(h, request("POST", "/secret-path?q=secret", "secret body", "Correlation-Id", uuid1, "Authorization", "Bearer secret"))
		wantProblem(t, w, 500, holdfast.CodeInternal)
		if w.Header().Get("Content-Length") == "7" {
			t.Errorf("%s: the handler's Content-Length stayed", name)
		}
		entries := hook.AllEntries()
		if len(entries) != 1 || entries[0].Level != logrus.ErrorLevel || entries[0].Data["correlationId"] != uuid1 {
			t.Fatalf("%s: log %v", name, entries)
		}
		line, _ := entries[0].String()
		if strings.Contains(line, "secret") || !strings.Contains(line, "recover.go") {
			t.Errorf("%s: the log says %s", name, line)
		}
	}
}

func TestRecoverNamesWhatTheRuntimeFound(t *testing.T) {
	log, hook := newLog()
	h := Recover(log)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		var none []int
		_ = none[len(hook.AllEntries())]
	}))
	wantProblem(t, do(h, request("GET", "/", "")), 500, holdfast.CodeInternal)
	if kind := hook.LastEntry().Data["panic"]; kind != "runtime error: index out of range [0] with length 0" {
		t.Fatalf("panic %q", kind)
	}
}

func TestRecoverBreaksOffAnAnswerThatHasBegun(t *testing.T) {
	log, hook := newLog()
	server := httptest.NewServer(Recover(log)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("later")
	})))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Fatal("the client takes half an answer for a whole one")
	}
	if n := len(hook.AllEntries()); n != 1 {
		t.Fatalf("%d lines in the log", n)
	}
}

func TestRecoverLetsAnAbortThrough(t *testing.T) {
	log, hook := newLog()
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the value itself is what net/http compares
			t.Fatalf("recovered %v", v)
		}
		if len(hook.AllEntries()) != 0 {
			t.Fatal("an abort is logged")
		}
	}()
	do(Recover(log)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })), request("GET", "/", ""))
}

func TestHeaderLimits(t *testing.T) {
	h := HeaderLimits(0, 0)(answers("ok"))
	r := request("GET", "/", "", "X-Device-Id", strings.Repeat("x", 100))
	room := DefaultMaxHeaderBytes - headerSize(r) - len("X-Fill")
	r.Header.Set("X-Fill", strings.Repeat("x", room))
	if w := do(h, r); w.Code != 200 {
		t.Fatalf("headers of exactly the limit: status %d", w.Code)
	}
	r.Header.Set("X-Fill", strings.Repeat("x", room+1))
	wantProblem(t, do(h, r), 431, holdfast.CodeHeadersTooLarge)

	many := request("GET", "/", "")
	for range 2000 {
		many.Header.Add("X-Many", "12345")
	}
	wantProblem(t, do(h, many), 431, holdfast.CodeHeadersTooLarge)

	if w := do(h, request("GET", "/"+strings.Repeat("x", DefaultMaxURIBytes-1), "")); w.Code != 200 {
		t.Fatalf("a target of exactly the limit: status %d", w.Code)
	}
	wantProblem(t, do(h, request("GET", "/"+strings.Repeat("x", DefaultMaxURIBytes), "")), 431, holdfast.CodeHeadersTooLarge)
	wantProblem(t, do(HeaderLimits(10, 1)(answers("ok")), request("GET", "/", "")), 431, holdfast.CodeHeadersTooLarge)
}

func TestInFlightRefusesWhatIsTooMuch(t *testing.T) {
	const most = 4
	inside, leave := make(chan struct{}), make(chan struct{})
	h := InFlight(most)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside <- struct{}{}
		<-leave
	}))
	var wg sync.WaitGroup
	for range most {
		wg.Go(func() {
			if w := do(h, request("GET", "/", "")); w.Code != 200 {
				t.Errorf("status %d", w.Code)
			}
		})
		<-inside
	}
	for range 3 {
		w := do(h, request("GET", "/", ""))
		wantProblem(t, w, 503, holdfast.CodeOverloaded)
		if w.Header().Get("Retry-After") != "1" {
			t.Fatalf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
	close(leave)
	wg.Wait()
	go func() { <-inside }()
	if w := do(h, request("GET", "/", "")); w.Code != 200 {
		t.Fatalf("when all have left: status %d", w.Code)
	}
}

func TestInFlightCountsAPanicAsGone(t *testing.T) {
	log, _ := newLog()
	h := Recover(log)(InFlight(1)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })))
	for range 3 {
		wantProblem(t, do(h, request("GET", "/", "")), 500, holdfast.CodeInternal)
	}
}

func TestDrain(t *testing.T) {
	var d Drain
	a := NewAdmission(&d, nil)
	h := d.Handler(answers("ok"))
	if err := a.Admit(context.Background()); err != nil || d.Draining() {
		t.Fatalf("before: %v", err)
	}
	if w := do(h, request("GET", "/", "")); w.Header().Get("Connection") != "" {
		t.Fatal("the connection is closed before draining")
	}
	d.Begin()
	var e *holdfast.Error
	if err := a.Admit(context.Background()); !errors.As(err, &e) || e.Code != holdfast.CodeDraining || e.RetryAfter <= 0 {
		t.Fatalf("while draining: %v", err)
	}
	if w := do(h, request("GET", "/", "")); w.Code != 200 || w.Header().Get("Connection") != "close" {
		t.Fatalf("while draining: status %d, Connection %q", w.Code, w.Header().Get("Connection"))
	}
	if !d.Draining() {
		t.Fatal("readiness is not told")
	}
}

func TestAdmissionWithoutAnythingAdmits(t *testing.T) {
	if err := NewAdmission(nil, nil).Admit(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestWriterIsMadeOnce(t *testing.T) {
	log, _ := newLog()
	r := chi.NewRouter()
	var inner http.ResponseWriter
	r.Use(AccessLog(log, fixedTime), Recover(log))
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) { inner = w })
	do(r, request("GET", "/", ""))
	if rw, ok := inner.(*responseWriter); !ok {
		t.Fatalf("the handler sees a %T", inner)
	} else if _, twice := rw.ResponseWriter.(*responseWriter); twice {
		t.Fatal("a writer around a writer")
	}
}
