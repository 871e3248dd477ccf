package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// DeskStore is the part of a store that operators' decisions need.
type DeskStore interface {
	Deliveries(ctx context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error)
	ActOnDeliveries(ctx context.Context, d holdfast.Deed, event func(holdfast.Delivery) holdfast.AuditEvent) (holdfast.Done, error)
	store.Quarantine
	Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error)
	SendMessage(ctx context.Context, m holdfast.Message, event holdfast.AuditEvent) error
}

// Schemas decide whether a payload is acceptable.
type Schemas interface {
	Check(typ string, version int64, payload []byte) []byte
}

// Desk is where operators look and decide. Every decision is an audit event, with who and why, in the Tx that makes it so.
type Desk struct {
	Store   DeskStore
	Schemas Schemas // nil: every payload is acceptable
	Node    string
	// Redact masks what goes into the details of audit events; nil: as it is.
	Redact func(dst, text []byte) []byte
	// Decided is told that something may be due; nil: nobody.
	Decided func()
}

// actions are how the audit log calls the verbs.
var actions = map[holdfast.Verb]holdfast.AuditAction{
	holdfast.VerbRetry: holdfast.ActionRetried, holdfast.VerbSkip: holdfast.ActionSkipped, holdfast.VerbGiveUp: holdfast.ActionFailed, holdfast.VerbRepair: holdfast.ActionRepaired,
}

// Deliveries lists.
func (d *Desk) Deliveries(ctx context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error) {
	all, err := d.Store.Deliveries(ctx, q)
	return all, explain(err)
}

// Act does a deed to deliveries.
func (d *Desk) Act(ctx context.Context, deed holdfast.Deed) (holdfast.Done, error) {
	done, err := d.Store.ActOnDeliveries(ctx, deed, func(of holdfast.Delivery) holdfast.AuditEvent {
		e := d.event(ctx, deed.Verb, deed.Who, deed.Why, of.Stream, of.Seq, of.Transaction, map[string]any{"status": of.Status, "code": of.Code, "attempts": of.Attempts})
		e.Consumer = of.Consumer
		return e
	})
	d.decided()
	return done, explain(err)
}

func (d *Desk) decided() {
	if d.Decided != nil {
		d.Decided()
	}
}

// event of a decision. The context is that of the operator's request.
func (d *Desk) event(ctx context.Context, verb holdfast.Verb, who, why string, stream holdfast.ID, seq int64, id holdfast.ID, more map[string]any) holdfast.AuditEvent {
	principal := holdfast.PrincipalFrom(ctx)
	more["why"] = why
	details, _ := json.Marshal(more) // texts and numbers: can't fail
	if d.Redact != nil {
		details = d.Redact(nil, details)
	}
	return holdfast.AuditEvent{
		ID: holdfast.NewID(time.Now()), Action: actions[verb], Outcome: holdfast.OutcomeSuccess,
		Actor:  holdfast.AuditActor{Kind: "operator", ID: who, Scope: principal.Scope},
		Target: holdfast.AuditTarget{Kind: "transactions", ID: stream.String()}, Context: holdfast.RequestContextFrom(ctx),
		Stream: stream, First: seq, Last: seq, Transaction: id, Node: d.Node, Details: details,
	}
}

// Quarantined lists.
func (d *Desk) Quarantined(ctx context.Context, q holdfast.QuarantineQuery) ([]holdfast.Quarantined, error) {
	all, err := d.Store.Quarantined(ctx, q)
	return all, explain(err)
}

// Decide does a deed to quarantined transactions. A retry is for those whose payload the schemas of today accept; the others stay,
// and Refused tells how many.
func (d *Desk) Decide(ctx context.Context, deed holdfast.Deed) (done holdfast.Done, refused int, err error) {
	defer d.decided()
	if deed.Verb != holdfast.VerbRetry {
		done, err = d.release(ctx, deed)
		return done, 0, explain(err)
	}
	all, err := d.Store.Quarantined(ctx, deed.Quarantine)
	if err != nil {
		return done, 0, explain(err)
	}
	done.More = len(all) == deed.Quarantine.Limit
	for _, q := range all {
		done.Last = q.Number
		fits, err := d.fits(ctx, q)
		if err != nil {
			return done, refused, explain(err)
		}
		if !fits {
			refused++
			continue
		}
		one := deed
		one.Quarantine = holdfast.QuarantineQuery{Stream: q.Stream, Seq: q.Seq, Limit: 1}
		released, err := d.release(ctx, one)
		if err != nil {
			return done, refused, explain(err)
		}
		done.Count += released.Count
	}
	return done, refused, nil
}

func (d *Desk) release(ctx context.Context, deed holdfast.Deed) (holdfast.Done, error) {
	return d.Store.Release(ctx, deed, func(q holdfast.Quarantined) holdfast.AuditEvent {
		return d.event(ctx, deed.Verb, deed.Who, deed.Why, q.Stream, q.Seq, q.Transaction, map[string]any{"quarantined": true})
	})
}

// fits says whether the payload is acceptable today.
func (d *Desk) fits(ctx context.Context, q holdfast.Quarantined) (bool, error) {
	tx, err := d.Store.Transaction(ctx, q.Stream, q.Seq)
	if err != nil || d.Schemas == nil {
		return err == nil, err
	}
	return d.check(tx.Raw, nil) == nil, nil
}

// check is the schema's problem with a transaction, or with another payload for it; nil: none.
func (d *Desk) check(raw, payload []byte) []byte {
	if d.Schemas == nil {
		return nil
	}
	m := membersOf(raw)
	if payload == nil {
		payload = m["payload"]
	}
	var version int64
	_ = json.Unmarshal(m["schema"], &version) // intake has read it before
	return d.Schemas.Check(m.text("type"), version, payload)
}

// Repair gives a transaction another payload, which must be acceptable.
func (d *Desk) Repair(ctx context.Context, r holdfast.Repair) error {
	tx, err := d.Store.Transaction(ctx, r.Stream, r.Seq)
	if err != nil {
		return explain(err)
	}
	if problem := d.check(tx.Raw, r.Payload); problem != nil {
		var told struct {
			Detail string
			Errors []struct{ Pointer, Detail string }
		}
		_ = json.Unmarshal(problem, &told)
		e := &holdfast.Error{Code: holdfast.CodeSchemaViolation, Detail: "The new payload breaks its schema as well."}
		for _, one := range told.Errors {
			e.Fields = append(e.Fields, holdfast.FieldError{Pointer: "/payload" + one.Pointer, HasPointer: true, Detail: one.Detail})
		}
		return e
	}
	err = d.Store.RepairTransaction(ctx, r, d.event(ctx, holdfast.VerbRepair, r.Who, r.Why, r.Stream, r.Seq, tx.ID, map[string]any{"payloadBytes": len(r.Payload)}))
	d.decided()
	return explain(err)
}

// Repairs are those of a transaction, the oldest first.
func (d *Desk) Repairs(ctx context.Context, stream holdfast.ID, seq int64) ([]holdfast.Repair, error) {
	all, err := d.Store.Repairs(ctx, stream, seq)
	return all, explain(err)
}

// Send says something to a device, a store or a user. The same id again changes nothing.
func (d *Desk) Send(ctx context.Context, m holdfast.Message, who string) error {
	kind, target := m.To()
	details, _ := json.Marshal(map[string]any{"bytes": len(m.Body), "expiresAt": m.ExpiresAt}) // can't fail
	return explain(d.Store.SendMessage(ctx, m, holdfast.AuditEvent{
		ID: holdfast.NewID(time.Now()), Action: holdfast.ActionMessage, Outcome: holdfast.OutcomeSuccess,
		Actor:  holdfast.AuditActor{Kind: "operator", ID: who, Scope: holdfast.PrincipalFrom(ctx).Scope},
		Target: holdfast.AuditTarget{Kind: kind, ID: target}, Context: holdfast.RequestContextFrom(ctx), Node: d.Node, Details: details,
	}))
}

// explain turns what a store answers into what an operator is told.
func explain(err error) error {
	var known *holdfast.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrNotFound):
		return &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "There is no such transaction."}
	case errors.Is(err, store.ErrConflict):
		return &holdfast.Error{Code: holdfast.CodeNotApplicable, Detail: "Nothing of the transaction waits for that: it is neither quarantined nor held, or has been accepted only a moment ago."}
	case errors.Is(err, store.ErrOutcomeUnknown):
		return &holdfast.Error{Code: holdfast.CodeOutcomeUnknown, RetryAfter: time.Second, Err: err, Detail: "Whether it was done is not known; look, and do it again if it was not."}
	case errors.Is(err, store.ErrOverloaded):
		return &holdfast.Error{Code: holdfast.CodeOverloaded, RetryAfter: time.Second, Err: err, Detail: "Too much waits to be written; nothing was done."}
	}
	return &holdfast.Error{Code: holdfast.CodeBackendUnavailable, RetryAfter: 2 * time.Second, Err: err, Detail: "The database can't be reached; nothing was done."}
}
