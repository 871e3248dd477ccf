package sync_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	stdsync "sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/sync"
)

// model is the contract of a store in its plainest form: what each call means,
// with nothing shared or cached. The rules are tested against it; that the real
// stores mean the same is proved by storetest.
type model struct {
	mu      stdsync.Mutex
	epoch   store.Epoch
	streams map[holdfast.ID]*modelStream
	queues  map[holdfast.ID]holdfast.Queue
	// fault may answer instead of an append, before or after it is written.
	fault func(a *store.Append) (before, after error)
	looks int
	tries int
	named map[holdfast.ID][]holdfast.NamedAttachment // ordered by seq and digest
}

type modelStream struct {
	head    holdfast.Head
	held    []store.Held
	batches map[holdfast.ID]holdfast.BatchRecord
}

func newModel() *model {
	return &model{
		epoch:   store.Epoch{Number: 1, ID: idOf(0xE, 1)},
		streams: map[holdfast.ID]*modelStream{}, queues: map[holdfast.ID]holdfast.Queue{},
	}
}

func (m *model) Named(_ context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []holdfast.NamedAttachment
	for _, n := range m.named[q.Stream] {
		behind := n.Seq > q.AfterSeq || n.Seq == q.AfterSeq && bytes.Compare(n.Digest[:], q.AfterDigest[:]) > 0
		if behind && (q.Below == 0 || n.Copies < q.Below) && len(out) < q.Limit {
			out = append(out, n)
		}
	}
	return out, nil
}

// Nothing is delivered from a model.
func (m *model) StreamDeliveries(_ context.Context, stream holdfast.ID, _ bool) (int64, int64, error) {
	v, err := m.View(context.Background(), store.Key{Stream: stream})
	return v.Head.AcceptedThrough, 0, err
}

func (*model) Deliveries(context.Context, holdfast.DeliveryQuery) ([]holdfast.Delivery, error) {
	return nil, nil
}

func (*model) Repairs(context.Context, holdfast.ID, int64) ([]holdfast.Repair, error) {
	return nil, nil
}

func (*model) Changes(context.Context, holdfast.ChangesQuery) ([]holdfast.Change, error) {
	return nil, nil
}

func (*model) LastChange(context.Context, holdfast.ID) (int64, int64, error) { return 0, 0, nil }

func (*model) SendMessage(context.Context, holdfast.Message, holdfast.AuditEvent) error { return nil }

func (m *model) Epoch(context.Context) (store.Epoch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch, nil
}

func (m *model) View(_ context.Context, k store.Key) (store.View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	v := store.View{Epoch: m.epoch.Number}
	if s := m.streams[k.Stream]; s != nil {
		v.Head = s.head
		if rec, ok := s.batches[k.Correlation]; ok {
			v.Batch = &rec
		}
	}
	return v, nil
}

func (m *model) Held(_ context.Context, q store.HeldQuery) ([]store.Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []store.Held
	if s := m.streams[q.Stream]; s != nil {
		for _, h := range s.held {
			if h.Seq >= q.First && h.Seq <= q.Last || slices.Contains(q.IDs, h.ID) {
				found = append(found, h)
			}
		}
	}
	return found, nil
}

func (m *model) Transaction(_ context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.streams[stream]; s != nil && seq >= 1 && seq <= s.head.AcceptedThrough {
		h := s.held[seq-1]
		return holdfast.StoredTransaction{ID: h.ID, Seq: h.Seq, Raw: h.Raw, Problem: h.Problem}, nil
	}
	return holdfast.StoredTransaction{}, store.ErrNotFound
}

func (m *model) Append(_ context.Context, a *store.Append) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	var after error
	if m.fault != nil {
		var before error
		if before, after = m.fault(a); before != nil {
			return before
		}
	}
	s := m.streams[a.Stream]
	if s == nil {
		s = &modelStream{batches: map[holdfast.ID]holdfast.BatchRecord{}}
	}
	if a.Epoch != m.epoch.Number || s.head != a.Expected {
		return store.ErrConflict
	}
	if _, used := s.batches[a.Batch.Correlation]; used {
		return store.ErrConflict
	}
	for _, tx := range a.Transactions {
		if slices.ContainsFunc(s.held, func(h store.Held) bool { return h.ID == tx.ID }) {
			return store.ErrConflict
		}
	}
	for _, tx := range a.Transactions {
		h := store.Held{ID: tx.ID, Seq: tx.Seq, Raw: tx.Raw}
		for _, p := range a.Batch.Problems {
			if p.Seq == tx.Seq {
				h.Problem = p.Problem
			}
		}
		s.held = append(s.held, h)
	}
	rec := a.Batch
	rec.Epoch = m.epoch.Number
	s.head, s.batches[rec.Correlation], m.streams[a.Stream] = a.Next, rec, s
	return after
}

func (m *model) SaveQueues(_ context.Context, queues map[holdfast.ID]holdfast.Queue) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, q := range queues {
		m.queues[id] = q
	}
	return nil
}

func (m *model) Queue(_ context.Context, stream holdfast.ID) (holdfast.Queue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q, ok := m.queues[stream]; ok {
		return q, nil
	}
	return holdfast.Queue{}, store.ErrNotFound
}

// hints remembers what it is told and answers with what the test makes of it.
type hints struct {
	mu    stdsync.Mutex
	known map[[2]holdfast.ID]holdfast.Head
	lie   func(holdfast.Head, bool) (holdfast.Head, bool)
}

func (h *hints) Head(_ context.Context, epoch, stream holdfast.ID) (holdfast.Head, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head, ok := h.known[[2]holdfast.ID{epoch, stream}]
	if h.lie != nil {
		return h.lie(head, ok)
	}
	return head, ok
}

func (h *hints) Remember(epoch, stream holdfast.ID, head holdfast.Head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.known = map[[2]holdfast.ID]holdfast.Head{}
	}
	h.known[[2]holdfast.ID{epoch, stream}] = head
}

func newGateway(t interface {
	Fatal(...any)
	Helper()
}, c sync.Config,
) *sync.Gateway {
	t.Helper()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	c.Logger = quiet
	c.QueueFlush = 5 * time.Millisecond
	g, err := sync.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func idOf(kind byte, n int) holdfast.ID {
	return holdfast.ID{0: kind, 6: 0x70, 8: 0x80, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

// txOf is transaction seq of a stream as its device wrote it.
func txOf(seq int64) holdfast.Transaction {
	return txWith(seq, idOf(0xA, int(seq)), fmt.Sprintf(`{"n":%d}`, seq))
}

func txWith(seq int64, id holdfast.ID, payload string) holdfast.Transaction {
	raw := fmt.Appendf(nil, `{"id":"%s","seq":%d,"type":"pick","occurredAt":"2026-11-20T10:15:00Z","payload":%s}`, id, seq, payload)
	return holdfast.Transaction{ID: id, Seq: seq, Type: "pick", Payload: []byte(payload), Raw: raw, Hash: holdfast.HashOf(raw)}
}

func batchOf(stream holdfast.ID, correlation int, first, last int64) *holdfast.Batch {
	b := &holdfast.Batch{Stream: stream, Correlation: idOf(0xC, correlation)}
	for seq := first; seq <= last; seq++ {
		b.Transactions = append(b.Transactions, txOf(seq))
	}
	return b
}

func digestThrough(last int64) holdfast.Digest {
	var d holdfast.Digest
	for seq := int64(1); seq <= last; seq++ {
		d = d.Next(txOf(seq).Hash)
	}
	return d
}

func refusal(t *testing.T, err error) *holdfast.Error {
	t.Helper()
	var e *holdfast.Error
	if !errors.As(err, &e) {
		t.Fatalf("want a refusal, got %v", err)
	}
	return e
}

func as(device, shop string) context.Context {
	ctx := holdfast.WithRequestContext(context.Background(), holdfast.RequestContext{Device: device, Shop: shop})
	return holdfast.WithPrincipal(ctx, holdfast.Principal{Anonymous: true})
}

func statuses(r holdfast.Receipt) (all []holdfast.Status) {
	for _, one := range r.Results {
		all = append(all, one.Status)
	}
	return all
}
