package sync

import (
	"context"
	"encoding/json"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Recorder is told of what changes nothing in the database. It must return at once.
type Recorder interface {
	Replayed(ctx context.Context, stream holdfast.ID, first, last int64)
}

type noRecorder struct{}

func (noRecorder) Replayed(context.Context, holdfast.ID, int64, int64) {}

// events are those of a step, to be written with it: one for the run of duplicates, one
// for the run that is taken, and one for each transaction that is set aside.
func (g *Gateway) events(ctx context.Context, r request, step *store.Append, problems []holdfast.TransactionProblem) []holdfast.AuditEvent {
	first, from := r.First(), r.First()+step.Batch.Duplicates
	base := holdfast.AuditEvent{
		Outcome: holdfast.OutcomeSuccess, Actor: holdfast.ActorFrom(ctx), Context: step.Batch.Context, Stream: r.Stream,
		Target:  holdfast.AuditTarget{Kind: "transactions", ID: r.Stream.String()},
		Address: holdfast.AddressFrom(ctx), Node: g.Node,
	}
	events := make([]holdfast.AuditEvent, 0, 2+len(problems))
	add := func(action holdfast.AuditAction, first, last int64) *holdfast.AuditEvent {
		e := base
		e.ID, e.Action, e.First, e.Last = holdfast.NewID(g.Now()), action, first, last
		tx := &r.Transactions[first-r.First()]
		e.ClientAt = tx.OccurredAt
		if first == last {
			e.Transaction = tx.ID
		}
		events = append(events, e)
		return &events[len(events)-1]
	}
	if step.Batch.Duplicates > 0 {
		add(holdfast.ActionDuplicate, first, from-1)
	}
	if from <= r.Last() {
		action := holdfast.ActionAccepted
		if r.Prior != nil || r.Epoch > 0 && r.Epoch < step.Epoch {
			action = holdfast.ActionResent
		}
		add(action, from, r.Last())
	}
	for _, p := range problems {
		e := add(holdfast.ActionQuarantined, p.Seq, p.Seq)
		e.Outcome, e.Code = holdfast.OutcomeFailure, holdfast.CodeSchemaViolation
		e.Details = g.details(map[string]any{"type": r.Transactions[p.Seq-first].Type, "problem": json.RawMessage(p.Problem)})
	}
	return events
}

// details are masked before they are kept.
func (g *Gateway) details(v map[string]any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return g.Redact(nil, text)
}

// timed tells the request's log line how long the database took.
type timed struct{ Store }

func (t timed) Append(ctx context.Context, step *store.Append) error {
	defer spent(ctx, time.Now())
	return t.Store.Append(ctx, step)
}

func (t timed) View(ctx context.Context, key store.Key) (store.View, error) {
	defer spent(ctx, time.Now())
	return t.Store.View(ctx, key)
}

func (t timed) Held(ctx context.Context, q store.HeldQuery) ([]store.Held, error) {
	defer spent(ctx, time.Now())
	return t.Store.Held(ctx, q)
}

func (t timed) Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error) {
	defer spent(ctx, time.Now())
	return t.Store.Transaction(ctx, stream, seq)
}

func spent(ctx context.Context, since time.Time) {
	holdfast.TrailFrom(ctx).Spent("store", time.Since(since))
}
