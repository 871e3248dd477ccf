package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// Every row of the protocol that says "again" is retried with the same bytes
// under the same id, and changes nothing.
func TestWhatIsNoVerdictIsRetriedUnderTheSameId(t *testing.T) {
	src := transactions(3)
	var srv *server
	whole := func(q *seen) []byte { return srv.receiptBody(q, 7, 3, holdfast.StatusAccepted) }
	rows := map[string]reply{
		"connection closed": drop,
		"a captive portal": func(w http.ResponseWriter, _ *seen) {
			_, _ = io.WriteString(w, "<html>Welcome to Free Wi-Fi</html>")
		},
		"a captive portal that answers JSON": func(w http.ResponseWriter, q *seen) { _, _ = w.Write(whole(q)) },
		"a proxy's 413":                      func(w http.ResponseWriter, _ *seen) { w.WriteHeader(http.StatusRequestEntityTooLarge) },
		"a firewall's 403":                   func(w http.ResponseWriter, _ *seen) { w.WriteHeader(http.StatusForbidden) },
		"a redirect": func(w http.ResponseWriter, _ *seen) {
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"a marked redirect": func(w http.ResponseWriter, _ *seen) {
			mark(w)
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusFound)
		},
		"truncated JSON": func(w http.ResponseWriter, q *seen) {
			mark(w)
			_, _ = w.Write(whole(q)[:40])
		},
		"a body that breaks off": func(w http.ResponseWriter, q *seen) {
			mark(w)
			w.Header().Set("Content-Length", strconv.Itoa(len(whole(q))))
			_, _ = w.Write(whole(q)[:40])
		},
		"a 201 that says nothing":      func(w http.ResponseWriter, _ *seen) { mark(w); w.WriteHeader(http.StatusCreated) },
		"a receipt without watermarks": func(w http.ResponseWriter, _ *seen) { mark(w); _, _ = io.WriteString(w, `{"results":[]}`) },
		"a digest that is none": func(w http.ResponseWriter, q *seen) {
			mark(w)
			_, _ = w.Write([]byte(strings.Replace(string(whole(q)), `"digest":"`, `"digest":"zz`, 1)))
		},
		"a digest that is not hexadecimal": func(w http.ResponseWriter, q *seen) {
			mark(w)
			_, _ = w.Write([]byte(strings.Replace(string(whole(q)), digestOf(src, 3).String(), strings.Repeat("z", 64), 1)))
		},
		"results of another range": func(w http.ResponseWriter, q *seen) {
			mark(w)
			_, _ = w.Write(srv.receiptBody(&seen{first: 2, last: 3}, 7, 3, holdfast.StatusAccepted))
		},
		"results of another stream": func(w http.ResponseWriter, q *seen) {
			mark(w)
			_, _ = w.Write([]byte(strings.ReplaceAll(string(whole(q)), src[0].ID.String(), streamA.String())))
		},
		"an answer too long": func(w http.ResponseWriter, _ *seen) {
			mark(w)
			_, _ = io.WriteString(w, strings.Repeat(" ", 70_000))
		},
		"a 409 without a problem":       func(w http.ResponseWriter, _ *seen) { mark(w); w.WriteHeader(http.StatusConflict) },
		"500":                           problemReply(500, "internal"),
		"500 without a problem":         func(w http.ResponseWriter, _ *seen) { mark(w); w.WriteHeader(http.StatusInternalServerError) },
		"502":                           problemReply(502, "internal"),
		"504":                           problemReply(504, "internal"),
		"408":                           problemReply(408, "request-timeout"),
		"429":                           problemReply(429, "rate-limited", "Retry-After: 3"),
		"503 overloaded":                problemReply(503, "overloaded", "Retry-After: 3"),
		"503 draining":                  problemReply(503, "draining", "Retry-After: 3"),
		"503 backend-unavailable":       problemReply(503, "backend-unavailable", "Retry-After: 3"),
		"503 outcome-unknown":           problemReply(503, "outcome-unknown", "Retry-After: 3"),
		"503 fenced":                    problemReply(503, "fenced", "Retry-After: 3"),
		"409 request-in-progress":       problemReply(409, "request-in-progress", "Retry-After: 3"),
		"503 with an unheard-of code":   problemReply(503, "moon-phase"),
		"503 without so much as a body": func(w http.ResponseWriter, _ *seen) { mark(w); w.WriteHeader(http.StatusServiceUnavailable) },
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			srv = newServer(t, src, row)
			r := newRig(t, Config{MaxAnswerBytes: 60_000}, srv)
			s := r.Stream(StreamConfig{ID: streamA, Source: src})
			if err := s.Send(testContext(t)); err != nil {
				t.Fatal(err)
			}
			all := srv.requests()
			wantEqual(t, "requests", ranges(all), "1-3 1-3")
			wantEqual(t, "correlation id", all[1].correlation(), all[0].correlation())
			wantEqual(t, "waits", len(r.clock.slept), 1)
			wantEqual(t, "retries", s.Progress().Retries, 1)
			wantEqual(t, "counted once", s.Progress().Accepted, 3)
			if strings.HasPrefix(name, "429") || strings.HasPrefix(name, "503 o") || strings.HasPrefix(name, "409 r") {
				wantEqual(t, "wait", r.clock.slept[0], 3300*time.Millisecond)
			}
		})
	}
}

func TestBackoffIsFullJitterUpToTheCap(t *testing.T) {
	src := transactions(1)
	srv := newServer(t, src)
	for range 9 {
		srv.script = append(srv.script, drop)
	}
	r := newRig(t, Config{Random: func() float64 { return 1 }}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range r.clock.slept {
		got = append(got, d.String())
	}
	wantEqual(t, "waits", strings.Join(got, " "), "1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s")

	srv.script = []reply{drop}
	r = newRig(t, Config{Random: func() float64 { return 0 }}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "the least wait", len(r.clock.slept), 0)
}

func TestRetryAfterIsAFloorWithASpread(t *testing.T) {
	for _, c := range []struct {
		header string
		random float64
		want   time.Duration
	}{
		{"Retry-After: 10", 0, 10 * time.Second},
		{"Retry-After: 10", 1, 12 * time.Second},
		{"Retry-After: 99999999999", 0, 24 * time.Hour},
		{"Retry-After: Fri, 20 Nov 2026 10:00:30 GMT", 0, 30 * time.Second},
		{"Retry-After: soon", 1, time.Second},
		{"Retry-After: -4", 1, time.Second},
	} {
		src := transactions(1)
		srv := newServer(t, src, problemReply(503, "overloaded", c.header, "Date: Fri, 20 Nov 2026 10:00:00 GMT"))
		r := newRig(t, Config{Random: func() float64 { return c.random }}, srv)
		if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if len(r.clock.slept) != 1 || r.clock.slept[0] != c.want {
			t.Errorf("%s: waited %v, want %v", c.header, r.clock.slept, c.want)
		}
	}
	h := http.Header{"Retry-After": {"Fri, 20 Nov 2026 10:00:30 GMT"}}
	wantEqual(t, "a date beside no date", retryAfter(h), 0)
}

func TestAfterThreeFailuresInARowTheNextEndpoint(t *testing.T) {
	src := transactions(1)
	bad := newServer(t, src, drop, drop, drop, drop)
	good := newServer(t, src)
	r := newRig(t, Config{}, bad, good)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "at the first", len(bad.requests()), 3)
	wantEqual(t, "at the second", len(good.requests()), 1)
	wantEqual(t, "same id", good.requests()[0].correlation(), bad.requests()[0].correlation())
}

func TestAStaleOrFencedSiteChangesNothingAndIsLeft(t *testing.T) {
	src := transactions(4)
	rows := map[string]func(s *server) reply{
		"fenced": func(*server) reply { return problemReply(503, "fenced", "Retry-After: 30") },
		"a receipt of an older epoch": func(s *server) reply {
			return func(w http.ResponseWriter, q *seen) { s.receipt(w, q, 201, 6, q.last, holdfast.StatusAccepted) }
		},
		"a gap of an older epoch":  func(*server) reply { return problemReply(409, "sequence-gap", "expectedSeq=1", "epoch=6") },
		"a fork of an older epoch": func(*server) reply { return problemReply(409, "stream-forked", "seq=1", "Holdfast-Epoch: 6") },
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			stale, good := newServer(t, src), newServer(t, src)
			stale.script = []reply{stale.takeEverything, row(stale)}
			r := newRig(t, Config{MaxTransactions: 2}, stale, good)
			s := r.Stream(StreamConfig{ID: streamA, Source: src})
			if err := s.Send(testContext(t)); err != nil {
				t.Fatal(err)
			}
			wantEqual(t, "at the stale site", ranges(stale.requests()), "1-2 3-4")
			wantEqual(t, "at the other", ranges(good.requests()), "3-4")
			wantEqual(t, "events", r.kinds(), "taken retry taken")
			if r.clock.slept[0] > time.Second {
				t.Errorf("the other endpoint was made to wait %v", r.clock.slept[0])
			}
			wantEqual(t, "epoch", s.Progress().Epoch, 7)
		})
	}
}

func TestAStaleSiteThatIsTheOnlyOneRests(t *testing.T) {
	src := transactions(1)
	srv := newServer(t, src, problemReply(503, "fenced", "Retry-After: 30"), problemReply(503, "fenced", "Retry-After: 30"))
	r := newRig(t, Config{Random: func() float64 { return 0 }}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if len(r.clock.slept) != 2 || r.clock.slept[0] != 30*time.Second || r.clock.slept[1] != 30*time.Second {
		t.Errorf("waited %v", r.clock.slept)
	}
}

// stall holds its answer back until the client has gone.
func stall(t *testing.T) (*httptest.Server, func() int) {
	count := make(chan struct{}, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		count <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	return srv, func() int { return len(count) }
}

func TestTwoTimeoutsHalveTheBatch(t *testing.T) {
	src := transactions(8)
	hang, hung := stall(t)
	good := newServer(t, src)
	r := newRig(t, Config{
		Endpoints: []string{hang.URL}, Timeout: 300 * time.Millisecond, Retry: RetryPolicy{RotateAfter: 4},
	}, good)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "timeouts", hung(), 4)
	// 8, 8, then 4, 4 at the silent one; 2 at the other, until the eighth is through.
	wantEqual(t, "slices", ranges(good.requests()), "1-2 3-4 5-6 7-8")
}

func TestAGatewayThatBreaksOnABatchIsGivenLess(t *testing.T) {
	src := transactions(8)
	srv := newServer(t, src)
	for range 3 {
		srv.script = append(srv.script, problemReply(500, "internal"))
	}
	r := newRig(t, Config{}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "slices", ranges(srv.requests()), "1-8 1-8 1-8 1-4 5-8")
	if !strings.Contains(r.kinds(), "slice") {
		t.Errorf("events: %s", r.kinds())
	}
}

func TestCredentialsThatAreRefusedStop(t *testing.T) {
	for status, code := range map[int]string{401: "unauthenticated", 403: "forbidden"} {
		src := transactions(1)
		srv := newServer(t, src, problemReply(status, code))
		err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t))
		var refused *CredentialsError
		if !errors.As(err, &refused) || refused.Status != status || string(refused.Code) != code {
			t.Errorf("%d: got %v", status, err)
		}
		if want := fmt.Sprintf("the gateway answers %d %s: because", status, code); err.Error() != want {
			t.Errorf("the text is %q", err)
		}
	}
}

func TestATokenIsRefreshedOnce(t *testing.T) {
	src := transactions(1)
	asked := 0
	refresh := func(_ context.Context, refused string) (string, error) {
		asked++
		return refused + "2", nil
	}
	srv := newServer(t, src, problemReply(401, "unauthenticated"))
	r := newRig(t, Config{Token: "one", Refresh: refresh}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "token", srv.requests()[1].header.Get("Authorization"), "Bearer one2")
	wantEqual(t, "no attempt is counted", len(r.events), 1)

	srv = newServer(t, src, problemReply(401, "unauthenticated"), problemReply(401, "unauthenticated"))
	err := newRig(t, Config{Token: "one", Refresh: refresh}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t))
	var refused *CredentialsError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	wantEqual(t, "refreshes", asked, 2)

	broken := errors.New("no identity provider")
	srv = newServer(t, src, problemReply(401, "unauthenticated"))
	err = newRig(t, Config{Refresh: func(context.Context, string) (string, error) { return "", broken }}, srv).
		Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t))
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
}

func TestATokenThatAnotherStreamRefreshedIsNotRefreshedAgain(t *testing.T) {
	c := &Client{token: "new", cfg: Config{Refresh: func(context.Context, string) (string, error) {
		t.Error("asked")
		return "", nil
	}}}
	if err := c.refresh(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]Config{
		"no endpoint given":             {},
		"not an http or https URL":      {Endpoints: []string{"ftp://x"}},
		"is not an http":                {Endpoints: []string{"localhost:8080"}},
		"has credentials, a query":      {Endpoints: []string{"http://a:b@x"}},
		"a limit or duration":           {Endpoints: []string{"http://x"}, MaxBytes: -1},
		"a character that no token has": {Endpoints: []string{"http://x"}, Token: "a\nb"},
	} {
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "a:b@") {
			t.Errorf("%v tells a password", err)
		}
	}
}

func TestTheDefaultClockAndTransport(t *testing.T) {
	src := transactions(3)
	srv := newServer(t, src, drop)
	c, err := New(Config{Endpoints: []string{srv.URL + "/"}, Retry: RetryPolicy{Base: time.Microsecond}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "path", srv.requests()[1].path, "/v1/streams/"+streamA.String()+"/batches")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (machineClock{}).Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("sleep: %v", err)
	}
}
