package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// StreamConfig names a stream and where its transactions come from.
type StreamConfig struct {
	ID     holdfast.ID
	Source Source
	// After is the number before the first that the source still has: everything
	// through it is known to be durable. Digest is the running digest there.
	After  int64
	Digest holdfast.Digest
}

// Stream sends one queue. Send and Verify are called from one goroutine at a
// time; Progress from any.
type Stream struct {
	client *Client
	cfg    StreamConfig
	link   *link
	chain  *chain

	mu       sync.Mutex // guards progress
	progress Progress

	origin   Origin // of the last transaction read, for requests that are about the stream
	limit    int    // transactions in the next batch
	ceiling  int    // what limit returns to: the configured one, or the gateway's
	maxBytes int64  // of a batch: the configured ones, or the gateway's
	suspect  int64  // through it the limit stays as small as it was made
	salt     byte   // of the next batch's correlation id
}

// Stream begins a stream; nothing is sent yet.
func (c *Client) Stream(cfg StreamConfig) *Stream {
	s := &Stream{client: c, cfg: cfg, limit: c.cfg.MaxTransactions, ceiling: c.cfg.MaxTransactions, maxBytes: c.cfg.MaxBytes}
	s.progress.AcceptedThrough, s.progress.DurableThrough = cfg.After, cfg.After
	s.chain = newChain(cfg.After, cfg.Digest, s.read)
	s.link = newLink(c, s.notify)
	return s
}

// Progress is how far the stream is.
func (s *Stream) Progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.progress
}

// Digest is the running digest at seq, computed from the source's bytes.
func (s *Stream) Digest(seq int64) (holdfast.Digest, error) { return s.chain.digest(seq) }

// Send sends until the gateway has accepted everything the source has, and has
// shown the digest that proves it. It returns early with the context's error or
// with one of the errors of this package; called again it goes on.
func (s *Stream) Send(ctx context.Context) error {
	for s.Progress().AcceptedThrough < s.cfg.Source.Last() {
		b, err := s.slice()
		if err != nil {
			return err
		}
		started := s.Progress().Retries
		a, err := s.link.do(ctx, b.request)
		if errors.Is(err, errSmaller) {
			s.cut(b, fmt.Errorf("no answer to %d transactions at once", b.count()))
			continue
		}
		if err != nil {
			return err
		}
		if err := s.take(b, a, s.Progress().Retries > started); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read gives a transaction of the source, checked.
func (s *Stream) read(seq int64) (Transaction, error) {
	t, err := s.cfg.Source.Transaction(seq)
	if err == nil {
		err = t.Origin.Validate()
	}
	if err != nil {
		return t, &SourceError{Stream: s.cfg.ID, Seq: seq, Err: err}
	}
	s.origin = t.Origin
	return t, nil
}

// slice cuts the next batch.
func (s *Stream) slice() (*batch, error) {
	first, last := s.Progress().AcceptedThrough+1, s.cfg.Source.Last()
	var sl slicer
	var oldest time.Time
	for seq := first; seq <= last; seq++ {
		t, err := s.read(seq)
		if err != nil {
			return nil, err
		}
		if !sl.fits(&t, s.limit, s.maxBytes) {
			break
		}
		if seq == first {
			oldest = t.OccurredAt
		}
		content := holdfast.HashOf(t.Raw)
		sl.add(seq, &t, content)
		s.chain.extend(seq, content)
	}
	b := sl.finish(s.cfg.ID, s.salt, s.client.cfg.Gzip)
	b.request.header.Set("Holdfast-Queue", s.queue(last-first+1, oldest))
	return b, nil
}

// queue tells how much waits, and for how many seconds the oldest has.
func (s *Stream) queue(depth int64, oldest time.Time) string {
	text := fmt.Sprintf("depth=%d", depth)
	if !oldest.IsZero() {
		age := s.client.cfg.Clock.Now().Sub(oldest)
		text += fmt.Sprintf(", oldest=%d", int64(max(age, 0)/time.Second))
	}
	return text
}

// take follows the gateway's verdict on a batch.
func (s *Stream) take(b *batch, a *answer, retried bool) error {
	p := &a.problem
	switch {
	case a.status < 300:
		return s.taken(b, a, retried)
	case p.Code == holdfast.CodeSequenceGap:
		return s.gap(b, a)
	case p.Code == holdfast.CodeStreamForked:
		return &ForkedError{Stream: s.cfg.ID, Seq: p.Seq, AcceptedThrough: p.AcceptedThrough}
	case p.Code == holdfast.CodeCorrelationIDReused && s.salt < 3:
		s.salt++
		return nil
	case b.count() > 1 && cuttable(a.status):
		s.learn(p)
		s.cut(b, fmt.Errorf("%d %s", a.status, p.Code))
		return nil
	}
	return &RefusedError{Stream: s.cfg.ID, Seq: b.first, Status: a.status, Code: p.Code, Detail: p.Detail, Fields: p.fields()}
}

// cuttable are the refusals that may be about a single transaction, or about
// how many there are.
func cuttable(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// learn keeps to the limits that a refusal names.
func (s *Stream) learn(p *problem) {
	if p.MaxTransactions > 0 {
		s.ceiling = int(min(p.MaxTransactions, int64(s.ceiling)))
	}
	if p.MaxBytes > 0 {
		s.maxBytes = min(p.MaxBytes, s.maxBytes)
	}
}

// cut halves what is sent at once until everything in this batch is through.
func (s *Stream) cut(b *batch, cause error) {
	s.limit = min(max(1, b.count()/2), s.ceiling)
	s.suspect = max(s.suspect, b.last)
	s.salt = 0
	s.notify(Event{Kind: EventSlice, First: b.first, Last: b.last, Cause: cause})
}

// taken counts a receipt and moves to its watermark.
func (s *Stream) taken(b *batch, a *answer, retried bool) error {
	r := &a.receipt
	if err := s.settle(r.watermarks); err != nil {
		return err
	}
	heldBefore := a.replayed && !retried
	ev := Event{
		Kind: EventTaken, First: b.first, Last: b.last,
		AcceptedThrough: r.AcceptedThrough, Epoch: r.Epoch, Replayed: a.replayed,
	}
	s.mu.Lock()
	s.progress.count(r, b.last, heldBefore)
	s.mu.Unlock()
	for i := range r.Results {
		if res := &r.Results[i]; res.Problem != nil {
			ev.Quarantined = append(ev.Quarantined, res.quarantined())
		}
	}
	s.salt = 0
	if r.AcceptedThrough >= s.suspect {
		s.limit = s.ceiling
	}
	s.notify(ev)
	return nil
}

func (p *Progress) count(r *receipt, last int64, heldBefore bool) {
	p.Batches++
	p.Duplicates += max(0, r.AcceptedThrough-last)
	for i := range r.Results {
		switch {
		case heldBefore || r.Results[i].Status == holdfast.StatusDuplicate:
			p.Duplicates++
		case r.Results[i].Status == holdfast.StatusQuarantined:
			p.Quarantined++
		default:
			p.Accepted++
		}
	}
}

// gap rewinds to what the gateway expects.
func (s *Stream) gap(b *batch, a *answer) error {
	held := a.problem.ExpectedSeq - 1
	if held < 0 || held >= b.first-1 {
		s.link.failed(a.retryAfter, fmt.Errorf("a gap that is none: %d expected, %d sent", held+1, b.first))
		return nil
	}
	if held < s.cfg.After {
		return &LostError{Stream: s.cfg.ID, First: held + 1, Last: s.cfg.After}
	}
	s.move(a.epoch, held)
	return nil
}

// settle moves to a watermark whose digest proves that both sides hold the same.
func (s *Stream) settle(w watermarks) error {
	last := s.cfg.Source.Last()
	switch {
	case w.AcceptedThrough > last:
		return &DivergedError{Stream: s.cfg.ID, AcceptedThrough: w.AcceptedThrough, Last: last, Theirs: w.Digest.Digest}
	case w.AcceptedThrough < s.cfg.After:
		return &LostError{Stream: s.cfg.ID, First: w.AcceptedThrough + 1, Last: s.cfg.After}
	}
	ours, err := s.chain.digest(w.AcceptedThrough)
	if err != nil {
		return err
	}
	if ours != w.Digest.Digest {
		return &DivergedError{Stream: s.cfg.ID, AcceptedThrough: w.AcceptedThrough, Last: last, Ours: ours, Theirs: w.Digest.Digest}
	}
	s.move(w.Epoch, w.AcceptedThrough)
	s.mu.Lock()
	s.progress.DurableThrough = w.DurableThrough
	s.mu.Unlock()
	return nil
}

// move sets the watermark. A fall in a newer epoch is a failover, and the tail
// is sent at once; a fall in the same one is slowed down as a failure is, so
// that no pair of quarrelling nodes makes a storm.
func (s *Stream) move(epoch, held int64) {
	s.mu.Lock()
	before := s.progress
	s.progress.AcceptedThrough = held
	s.progress.Epoch = max(before.Epoch, epoch)
	fell := held < before.AcceptedThrough
	if fell {
		s.progress.Rewinds++
	}
	s.mu.Unlock()
	newer := before.Epoch != 0 && epoch > before.Epoch
	if newer {
		s.notify(Event{Kind: EventEpoch, Epoch: epoch, AcceptedThrough: held})
	} else if fell {
		s.notify(Event{Kind: EventRegression, Epoch: epoch, AcceptedThrough: held})
		s.link.failed(0, errors.New("the gateway holds less than before"))
	}
}

func (s *Stream) notify(ev Event) {
	ev.Stream = s.cfg.ID
	if ev.Kind == EventRetry {
		s.mu.Lock()
		s.progress.Retries++
		s.mu.Unlock()
	}
	s.client.cfg.Observe(ev)
}
