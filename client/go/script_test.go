package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

var streamA = mustID("0192f3c0-0000-7000-8000-00000000000a")

func mustID(s string) holdfast.ID {
	id, err := holdfast.ParseID(s)
	if err != nil {
		panic(err)
	}
	return id
}

// transactions makes a source of n small transactions.
func transactions(n int) Slice {
	var all Slice
	for i := 1; i <= n; i++ {
		id := mustID(fmt.Sprintf("0192f3c0-0000-7000-8000-%012x", 0x1000+i))
		raw := fmt.Sprintf(`{"id":%q,"seq":%d,"type":"t","occurredAt":"2026-11-20T10:15:00Z","payload":{"n": %d}}`, id, i, i)
		all = append(all, Transaction{
			ID: id, Raw: []byte(raw), Origin: Origin{Store: "0042", Device: "ipad-1", User: "u1", Session: "s1", AppVersion: "1.2.3"},
			OccurredAt: time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC),
		})
	}
	return all
}

// digestOf is d(n) by the protocol's own words.
func digestOf(src Slice, n int64) holdfast.Digest {
	var d holdfast.Digest
	for _, t := range src[:n] {
		d = d.Next(holdfast.HashOf(t.Raw))
	}
	return d
}

// fakeClock never waits: it moves on and remembers for how long.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 20, 10, 20, 40, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// seen is a request as the server got it.
type seen struct {
	method, path string
	header       http.Header
	raws         []json.RawMessage
	first, last  int64
}

func (s *seen) correlation() string { return s.header.Get("Correlation-Id") }

// reply is one scripted answer; nil replies are made by do.
type reply func(w http.ResponseWriter, r *seen)

// server answers each request with the next reply of its script, and what
// comes after the script as a gateway that takes everything.
type server struct {
	*httptest.Server
	t      *testing.T
	source Slice

	mu     sync.Mutex
	script []reply
	seen   []*seen
	epoch  int64
}

func newServer(t *testing.T, src Slice, script ...reply) *server {
	t.Helper()
	s := &server{t: t, source: src, script: script, epoch: 7}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	got := s.record(r)
	s.mu.Lock()
	s.seen = append(s.seen, got)
	next := s.takeEverything
	if len(s.script) > 0 {
		next, s.script = s.script[0], s.script[1:]
	}
	s.mu.Unlock()
	next(w, got)
}

func (s *server) record(r *http.Request) *seen {
	got := &seen{method: r.Method, path: r.URL.Path, header: r.Header.Clone()}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			s.t.Errorf("the body is not gzip: %v", err)
			return got
		}
		body = z
	}
	if r.Method != http.MethodPost {
		return got
	}
	var b struct {
		Transactions []json.RawMessage `json:"transactions"`
	}
	raw, err := io.ReadAll(body)
	if err == nil {
		err = json.Unmarshal(raw, &b)
	}
	if err != nil {
		s.t.Errorf("the body can't be read: %v", err)
	}
	got.raws = b.Transactions
	for i, raw := range b.Transactions {
		var t struct{ Seq int64 }
		_ = json.Unmarshal(raw, &t)
		if i == 0 {
			got.first = t.Seq
		}
		got.last = t.Seq
		if want := s.source[t.Seq-1].Raw; !bytes.Equal(raw, want) {
			s.t.Errorf("transaction %d was sent as %s, want %s", t.Seq, raw, want)
		}
	}
	return got
}

// takeEverything answers 201 at this epoch, held through the batch's end.
func (s *server) takeEverything(w http.ResponseWriter, r *seen) {
	s.receipt(w, r, 201, s.epoch, r.last, holdfast.StatusAccepted)
}

func mark(w http.ResponseWriter) { w.Header().Set("Holdfast-Protocol", "1") }

func (s *server) receipt(w http.ResponseWriter, r *seen, status int, epoch, through int64, each holdfast.Status) {
	mark(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Holdfast-Epoch", strconv.FormatInt(epoch, 10))
	w.WriteHeader(status)
	_, _ = w.Write(s.receiptBody(r, epoch, through, each))
}

func (s *server) receiptBody(r *seen, epoch, through int64, each holdfast.Status) []byte {
	results := []map[string]any{}
	for n := r.first; n <= r.last && n > 0; n++ {
		results = append(results, map[string]any{"seq": n, "id": s.source[n-1].ID, "status": each})
	}
	body, err := json.Marshal(map[string]any{
		"epoch": epoch, "acceptedThrough": through, "durableThrough": through,
		"digest": digestOf(s.source, min(through, s.source.Last())).String(), "results": results,
		"deliveredThrough": 0, "quarantined": 2, "undelivered": 3,
	})
	if err != nil {
		s.t.Error(err)
	}
	return body
}

// problemReply is a marked refusal; the extras are headers ("Name: value") and
// members ("name=json").
func problemReply(status int, code string, extras ...string) reply {
	return func(w http.ResponseWriter, _ *seen) {
		mark(w)
		body := fmt.Sprintf(`{"type":"/problems/%s","title":"x","status":%d,"code":%q,"detail":"because"`, code, status, code)
		for _, e := range extras {
			if name, value, ok := strings.Cut(e, ": "); ok {
				w.Header().Set(name, value)
			} else if name, value, ok := strings.Cut(e, "="); ok {
				body += fmt.Sprintf(`,%q:%s`, name, value)
			}
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body+"}")
	}
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter, _ *seen) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func (s *server) requests() []*seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*seen(nil), s.seen...)
}

// rig is a client with a fake clock against scripted servers.
type rig struct {
	*Client
	clock  *fakeClock
	events []Event
}

func newRig(t *testing.T, cfg Config, servers ...*server) *rig {
	t.Helper()
	r := &rig{clock: newFakeClock()}
	for _, s := range servers {
		cfg.Endpoints = append(cfg.Endpoints, s.URL)
	}
	cfg.Clock = r.clock
	if cfg.Random == nil {
		cfg.Random = func() float64 { return 0.5 }
	}
	cfg.Observe = func(ev Event) { r.events = append(r.events, ev) }
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
	return r
}

func (r *rig) kinds() string {
	var all []string
	for _, ev := range r.events {
		all = append(all, string(ev.Kind))
	}
	return strings.Join(all, " ")
}

func ranges(all []*seen) string {
	var out []string
	for _, r := range all {
		out = append(out, fmt.Sprintf("%d-%d", r.first, r.last))
	}
	return strings.Join(out, " ")
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
