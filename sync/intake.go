package sync

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// maxAttempts bounds how often a batch is decided again because its stream
// moved meanwhile. Every conflict is somebody else's progress.
const maxAttempts = 32

// AcceptBatch takes a batch whole or not at all and answers for each of its
// transactions; a batch must hold at least one. The request context in ctx says
// for whom. An error is always a *holdfast.Error, and nothing has changed then,
// except that for outcome-unknown it is not known. Work that was begun is
// finished even if ctx ends.
func (g *Gateway) AcceptBatch(ctx context.Context, b *holdfast.Batch) (holdfast.Receipt, error) {
	rc := holdfast.RequestContextFrom(ctx)
	r := request{Batch: b, owner: rc.Owner(), contradiction: rc.Contradiction, seenEpoch: rc.SeenEpoch}
	ctx, cancel := g.patient(ctx)
	defer cancel()

	key := store.Key{Stream: b.Stream, Correlation: b.Correlation}
	if !g.inFlight.claim(key) {
		receipt, err := g.inProgress(ctx, key, r)
		g.hold(ctx, b.Stream, &receipt.Watermarks)
		return receipt, explain(g.held(ctx, b.Stream, err))
	}
	defer g.inFlight.release(key)
	receipt, err := g.intake(ctx, key, r, rc)
	g.hold(ctx, b.Stream, &receipt.Watermarks)
	return receipt, explain(g.held(ctx, b.Stream, err))
}

// intake decides and tries until a decision holds.
func (g *Gateway) intake(ctx context.Context, key store.Key, r request, rc holdfast.RequestContext) (holdfast.Receipt, error) {
	s, hinted, err := g.firstLook(ctx, key, r)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	problems := quarantine{check: g.Schemas.Check}
	for range maxAttempts {
		d, err := g.decide(ctx, &s, r)
		if err != nil {
			return holdfast.Receipt{}, err
		}
		switch d.verdict {
		case replayBatch:
			g.Recorder.Replayed(ctx, r.Stream, r.First(), r.Last())
			return replayed(s, r.Transactions), nil
		case appendBatch:
			step := g.step(ctx, s, r, rc, d, &problems)
			err = g.Store.Append(ctx, step)
			if hinted {
				g.judgeHint(err)
				hinted = false
			}
			if err == nil {
				return g.accepted(s, step, r.Transactions), nil
			}
			if !errors.Is(err, store.ErrConflict) {
				return holdfast.Receipt{}, err
			}
		case lookCloser: // the stream moved between two looks
		}
		stood := s.head
		if s, err = g.look(ctx, key); err != nil {
			return holdfast.Receipt{}, err
		}
		// The head is where the attempt expected it, so something else is in the
		// way: an id that is held.
		if s.head == stood {
			if err := g.lookAtHeld(ctx, &s, r); err != nil {
				return holdfast.Receipt{}, err
			}
		}
	}
	return holdfast.Receipt{}, &holdfast.Error{
		Code: holdfast.CodeOverloaded, RetryAfter: time.Second,
		Detail: "The stream is being changed from too many sides at once.",
	}
}

// judgeHint tells what a remembered head was worth, by what the store said of the
// step that was decided with it.
func (g *Gateway) judgeHint(err error) {
	switch {
	case err == nil:
		g.Hinted(HintHit)
	case errors.Is(err, store.ErrConflict):
		g.Hinted(HintLie)
	}
}

// firstLook is a remembered head if the batch continues it, else the database's.
func (g *Gateway) firstLook(ctx context.Context, key store.Key, r request) (s situation, hinted bool, err error) {
	epoch, err := g.knownEpoch(ctx)
	if err != nil {
		return situation{}, false, err
	}
	if head, ok := g.Hints.Head(ctx, epoch.ID, key.Stream); ok {
		s := situation{epoch: epoch.Number, head: head}
		if d, err := decide(s, r); err == nil && d.verdict == appendBatch {
			return s, true, nil
		}
	}
	g.Hinted(HintMiss)
	s, err = g.look(ctx, key)
	return s, false, err
}

func (g *Gateway) look(ctx context.Context, key store.Key) (situation, error) {
	view, err := g.Store.View(ctx, key)
	if err != nil {
		return situation{}, err
	}
	g.sawEpoch(view.Epoch)
	return situation{epoch: view.Epoch, head: view.Head, record: view.Batch}, nil
}

func (g *Gateway) lookAtHeld(ctx context.Context, s *situation, r request) error {
	q := store.HeldQuery{Stream: r.Stream, First: r.First(), Last: r.Last(), IDs: make([]holdfast.ID, len(r.Transactions))}
	for i := range r.Transactions {
		q.IDs[i] = r.Transactions[i].ID
	}
	held, err := g.Store.Held(ctx, q)
	s.held, s.looked = held, err == nil
	return err
}

// decide looks at what is held when the decision needs it.
func (g *Gateway) decide(ctx context.Context, s *situation, r request) (decision, error) {
	d, err := decide(*s, r)
	if err != nil || d.verdict != lookCloser || s.looked {
		return d, err
	}
	if err := g.lookAtHeld(ctx, s, r); err != nil {
		return decision{}, err
	}
	return decide(*s, r)
}

// inProgress answers a copy of a batch that this node is working on: what is
// settled already is told, all else has to wait.
func (g *Gateway) inProgress(ctx context.Context, key store.Key, r request) (holdfast.Receipt, error) {
	s, err := g.look(ctx, key)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	if err := admit(s, r.owner, r.contradiction, max(r.Epoch, r.seenEpoch)); err != nil {
		return holdfast.Receipt{}, err
	}
	if s.record != nil {
		d, err := g.decide(ctx, &s, r)
		if err != nil {
			return holdfast.Receipt{}, err
		}
		if d.verdict == replayBatch {
			return replayed(s, r.Transactions), nil
		}
	}
	return holdfast.Receipt{}, s.refuse(holdfast.Error{
		Code: holdfast.CodeRequestInProgress, RetryAfter: time.Second,
		Detail: "A request with this correlation id is being worked on.",
	})
}

// accepted is the answer to a step that was written.
func (g *Gateway) accepted(s situation, step *store.Append, sent []holdfast.Transaction) holdfast.Receipt {
	if epoch := g.epoch.Load(); epoch != nil && epoch.Number == step.Epoch {
		g.Hints.Remember(epoch.ID, step.Stream, step.Next)
	}
	s.head = step.Next
	return holdfast.Receipt{
		Watermarks: *s.watermarks(),
		Results:    results(&step.Batch, sent),
		New:        len(step.Transactions) > 0,
	}
}
