package sync

import (
	"context"
	"errors"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Stream tells how far a stream has come; one that nobody began has come to 0.
func (g *Gateway) Stream(ctx context.Context, stream holdfast.ID) (holdfast.StreamState, error) {
	ctx, cancel := g.patient(ctx)
	defer cancel()
	s, err := g.lookAs(ctx, store.Key{Stream: stream})
	if err != nil {
		return holdfast.StreamState{}, explain(err)
	}
	state := holdfast.StreamState{Watermarks: g.marks(ctx, stream, s), Quarantined: s.head.Quarantined}
	if state.DeliveredThrough, state.Undelivered, err = g.Store.StreamDeliveries(ctx, stream, g.Delivering()); err != nil && !errors.Is(err, store.ErrNotFound) {
		return holdfast.StreamState{}, explain(err)
	}
	state.DeliveredThrough = min(state.DeliveredThrough, s.head.AcceptedThrough) // the second look may have seen more
	if state.MissingAttachments, err = g.missing(ctx, stream); err != nil {
		return holdfast.StreamState{}, explain(err)
	}
	queue, err := g.Store.Queue(ctx, stream)
	switch {
	case err == nil:
		state.Queue = &queue
	case !errors.Is(err, store.ErrNotFound):
		return holdfast.StreamState{}, explain(err)
	}
	return state, nil
}

// Batch tells again what the batch was answered first, with today's watermarks.
func (g *Gateway) Batch(ctx context.Context, stream, correlation holdfast.ID) (holdfast.Receipt, error) {
	ctx, cancel := g.patient(ctx)
	defer cancel()
	s, err := g.lookAs(ctx, store.Key{Stream: stream, Correlation: correlation})
	if err != nil {
		return holdfast.Receipt{}, explain(err)
	}
	if s.record == nil {
		return holdfast.Receipt{}, notFound("The stream has no batch with this correlation id.")
	}
	held, err := g.Store.Held(ctx, store.HeldQuery{Stream: stream, First: s.record.First, Last: s.record.Last})
	if err != nil {
		return holdfast.Receipt{}, explain(err)
	}
	sent := make([]holdfast.Transaction, len(held))
	for i := range held {
		sent[i] = holdfast.Transaction{ID: held[i].ID, Seq: held[i].Seq}
	}
	receipt := replayed(s, sent)
	g.hold(ctx, stream, &receipt.Watermarks)
	return receipt, nil
}

// Transaction reads one back with its bytes, so that custody can be proved.
func (g *Gateway) Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, holdfast.Watermarks, error) {
	ctx, cancel := g.patient(ctx)
	defer cancel()
	s, err := g.lookAs(ctx, store.Key{Stream: stream})
	if err != nil {
		return holdfast.StoredTransaction{}, holdfast.Watermarks{}, explain(err)
	}
	tx, err := g.Store.Transaction(ctx, stream, seq)
	if err == nil {
		tx.Deliveries, err = g.Store.Deliveries(ctx, holdfast.DeliveryQuery{Stream: stream, Seq: seq, Limit: maxConsumers})
	}
	if err == nil {
		tx.Repairs, err = g.Store.Repairs(ctx, stream, seq)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = notFound("The stream holds no transaction with this sequence number.")
	}
	return tx, g.marks(ctx, stream, s), explain(err)
}

// maxConsumers is more than there are.
const maxConsumers = 1000

// ReportQueue keeps what a device says of its own queue.
func (g *Gateway) ReportQueue(stream holdfast.ID, q holdfast.Queue) { g.queues.report(stream, q) }

// lookAs looks at a stream for whoever the request context names. Who reads by
// a scope of their own (operator, auditor, admin) need not own the stream.
func (g *Gateway) lookAs(ctx context.Context, key store.Key) (situation, error) {
	s, err := g.look(ctx, key)
	if err != nil {
		return situation{}, err
	}
	rc, who := holdfast.RequestContextFrom(ctx), holdfast.PrincipalFrom(ctx)
	var owner holdfast.Owner
	if who.Anonymous || who.Scope == holdfast.ScopeDevice {
		owner = rc.Owner()
	}
	return s, admit(s, owner, rc.Contradiction, rc.SeenEpoch)
}

func notFound(detail string) error {
	return &holdfast.Error{Code: holdfast.CodeNotFound, Detail: detail}
}
