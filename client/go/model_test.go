package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
)

// model is a gateway in a hundred lines: one stream, the rules of intake, a
// fault before or after each commit, and failovers that lose the tail.
type model struct {
	t      *rapid.T
	source Slice
	server

	held     [][]byte
	byID     map[string][]byte // correlation id → fingerprint of its transactions
	taken    map[string]bool   // correlation ids whose batch is committed
	faults   []string          // of the next requests, one each
	maxCount int64
	problems []string
}

var allFaults = []string{
	"none", "none", "none", "drop before", "drop after", "truncate after", "portal before", "portal after",
	"503 before", "503 after", "429", "500 before", "500 after", "in progress", "stale", "fenced", "failover", "failover, drop",
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := "none"
	if len(m.faults) > 0 {
		fault, m.faults = m.faults[0], m.faults[1:]
	}
	q := m.record(r)
	switch fault {
	case "failover", "failover, drop":
		m.failover(len(m.faults))
		if fault == "failover, drop" {
			drop(w, q)
			return
		}
	case "drop before":
		drop(w, q)
		return
	case "portal before":
		_, _ = io.WriteString(w, "<html>sign in</html>")
		return
	case "503 before":
		problemReply(503, "overloaded", "Retry-After: 1")(w, q)
		return
	case "429":
		problemReply(429, "rate-limited", "Retry-After: 2")(w, q)
		return
	case "500 before":
		problemReply(500, "internal")(w, q)
		return
	case "in progress":
		problemReply(409, "request-in-progress", "Retry-After: 1")(w, q)
		return
	case "fenced":
		problemReply(503, "fenced", "Retry-After: 5")(w, q)
		return
	case "stale":
		if m.epoch > 1 && q.method == http.MethodGet {
			m.receipt(w, &seen{}, 200, 1, 0, "")
			return
		}
		if m.epoch > 1 {
			problemReply(409, "sequence-gap", "expectedSeq=1", "epoch=1", "Holdfast-Epoch: 1")(w, q)
			return
		}
	}
	rec := httptest.NewRecorder()
	m.intake(rec, q)
	switch fault {
	case "drop after":
		drop(w, q)
	case "portal after":
		_, _ = io.WriteString(w, "<html>sign in</html>")
	case "503 after":
		problemReply(503, "outcome-unknown", "Retry-After: 1")(w, q)
	case "500 after":
		problemReply(500, "internal")(w, q)
	default:
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		body := rec.Body.Bytes()
		if fault == "truncate after" {
			body = body[:len(body)/2]
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
	}
}

// failover promotes a standby that lacks the last n transactions.
func (m *model) failover(n int) {
	m.epoch++
	m.held = m.held[:max(0, len(m.held)-n)]
	m.taken = map[string]bool{}
}

func (m *model) intake(w http.ResponseWriter, q *seen) {
	through := int64(len(m.held))
	if q.method == http.MethodGet {
		m.receipt(w, &seen{}, 200, m.epoch, through, "")
		return
	}
	id, print := q.correlation(), []byte(nil)
	for _, raw := range q.raws {
		h := holdfast.HashOf(raw)
		print = append(print, h[:]...)
	}
	if old, ok := m.byID[id]; ok && !bytes.Equal(old, print) {
		m.problems = append(m.problems, "one correlation id for two batches")
	}
	m.byID[id] = print
	if q.first > through+1 {
		b, _ := json.Marshal(through + 1)
		e, _ := json.Marshal(m.epoch)
		problemReply(409, "sequence-gap", "expectedSeq="+string(b), "epoch="+string(e))(w, q)
		return
	}
	if int64(len(q.raws)) > m.maxCount {
		problemReply(413, "too-large")(w, q)
		return
	}
	for i, raw := range q.raws {
		seq := q.first + int64(i)
		if seq <= through {
			if !bytes.Equal(m.held[seq-1], raw) {
				m.problems = append(m.problems, "other bytes under the same number")
			}
			continue
		}
		m.held = append(m.held, bytes.Clone(raw))
	}
	status := 201
	if q.last <= through {
		status = 200
	}
	if m.taken[id] {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	m.taken[id] = true
	m.receipt(w, q, status, m.epoch, int64(len(m.held)), holdfast.StatusAccepted)
}

func TestWhateverHappensEverythingIsHeldOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := transactions(rapid.IntRange(1, 40).Draw(rt, "transactions"))
		m := &model{
			t: rt, source: src, byID: map[string][]byte{}, taken: map[string]bool{},
			faults:   rapid.SliceOfN(rapid.SampledFrom(allFaults), 0, 40).Draw(rt, "faults"),
			maxCount: rapid.Int64Range(1, 50).Draw(rt, "gateway's maxTransactions"),
		}
		m.server = server{t: t, source: src, epoch: 1}
		for i := range rapid.IntRange(0, len(src)).Draw(rt, "held before") {
			m.held = append(m.held, src[i].Raw)
		}
		web := httptest.NewServer(m)
		defer web.Close()
		clock := newFakeClock()
		c, err := New(Config{
			Endpoints: []string{web.URL, web.URL + "/"}, Clock: clock,
			MaxTransactions: rapid.IntRange(1, 50).Draw(rt, "maxTransactions"),
			Gzip:            rapid.Bool().Draw(rt, "gzip"),
			Random:          func() float64 { return 0.5 },
		})
		if err != nil {
			rt.Fatal(err)
		}
		s := c.Stream(StreamConfig{ID: streamA, Source: src})
		ctx := testContext(t)
		for {
			if err := s.Send(ctx); err != nil {
				rt.Fatalf("send: %v", err)
			}
			_, err := s.Verify(ctx)
			if err == nil {
				break
			}
			var behind *BehindError
			if !errors.As(err, &behind) {
				rt.Fatalf("verify: %v", err)
			}
		}
		m.check(src, s, clock)
	})
}

func (m *model) check(src Slice, s *Stream, clock *fakeClock) {
	if len(m.held) != len(src) {
		m.t.Fatalf("%d are held of %d", len(m.held), len(src))
	}
	for i, raw := range m.held {
		if !bytes.Equal(raw, src[i].Raw) {
			m.t.Fatalf("number %d is %s", i+1, raw)
		}
	}
	if len(m.problems) > 0 {
		m.t.Fatalf("the model saw: %v", m.problems)
	}
	p := s.Progress()
	if p.AcceptedThrough != src.Last() || p.Epoch != m.epoch {
		m.t.Fatalf("progress is %+v in epoch %d", p, m.epoch)
	}
	// 40 faults of at most a minute each: the end comes in bounded time.
	if waited := clock.Now().Sub(newFakeClock().Now()); waited > time.Hour {
		m.t.Fatalf("it took %v", waited)
	}
}

func TestManyStreamsShareOneClient(t *testing.T) {
	src := transactions(30)
	srv := newServer(t, src)
	c, err := New(Config{Endpoints: []string{srv.URL}, MaxTransactions: 7})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for i := range 8 {
		go func() {
			done <- c.Stream(StreamConfig{ID: holdfast.ID{byte(i)}, Source: src}).Send(testContext(t))
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	ids := map[string]bool{}
	for _, q := range srv.requests() {
		ids[q.correlation()] = true
	}
	wantEqual(t, "correlation ids", len(ids), len(srv.requests()))
}
