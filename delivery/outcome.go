package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// result is an attempt on its way into the database.
type result struct {
	store.FinishedDelivery
	pool *pool
	of   holdfast.Delivery
}

func joinQuoted(all []string) string { return strings.Join(all, `","`) }

// finish says what an attempt makes of a delivery.
func (p *pool) finish(d store.ClaimedDelivery, r Result, began time.Time) store.FinishedDelivery {
	f := store.FinishedDelivery{Position: d.Position, Generation: d.Generation, Stream: d.Stream, Seq: d.Seq, Code: r.Code, Detail: r.Detail, Reference: r.Reference}
	switch {
	case r.Verdict == Confirmed:
		f.Status, f.Code, f.Detail = holdfast.DeliveryDelivered, "", ""
		p.confirmed(&f, &d)
	case r.Verdict == Permanent || p.exhausted(&d):
		p.surrendered(&f, &d)
	default:
		f.Status, f.DueIn = holdfast.DeliveryWaiting, p.pause(d.Attempts, r.RetryAfter)
	}
	p.m.cfg.Attempted(Attempt{Consumer: p.Name, Status: f.Status, Code: f.Code, Took: time.Since(began), Age: time.Since(d.CreatedAt)})
	p.log(&f, &d, r, time.Since(began))
	return f
}

// exhausted says that it has been tried enough.
func (p *pool) exhausted(d *store.ClaimedDelivery) bool {
	return p.Retry.Attempts > 0 && d.Attempts >= p.Retry.Attempts || p.Retry.For > 0 && time.Since(d.CreatedAt) >= p.Retry.For
}

// pause is the time to the next attempt: full jitter, and not before the consumer wants.
func (p *pool) pause(attempts int64, asked time.Duration) time.Duration {
	ceiling := p.Retry.Most
	if shift := min(attempts-1, 30); shift >= 0 && p.Retry.First<<shift>>shift == p.Retry.First {
		ceiling = min(ceiling, p.Retry.First<<shift)
	}
	return max(min(time.Duration(p.m.cfg.Random()*float64(ceiling)), ceiling), min(asked, time.Hour)) // a float rounds large ones up
}

func changeOf(d *store.ClaimedDelivery, kind holdfast.ChangeKind) *holdfast.Change {
	return &holdfast.Change{Kind: kind, Stream: d.Stream, Seq: d.Seq, Transaction: d.Transaction, Consumer: d.Consumer}
}

func (p *pool) event(d *store.ClaimedDelivery, action holdfast.AuditAction, outcome holdfast.AuditOutcome) *holdfast.AuditEvent {
	return &holdfast.AuditEvent{
		ID: holdfast.NewID(time.Now()), Action: action, Outcome: outcome, Actor: holdfast.AuditActor{Kind: "system", ID: p.m.cfg.Node},
		Target: holdfast.AuditTarget{Kind: "consumer", ID: p.Name}, Context: d.Context, Stream: d.Stream, First: d.Seq, Last: d.Seq, Transaction: d.Transaction,
		Consumer: p.Name, Node: p.m.cfg.Node,
	}
}

// confirmed tells the device and the auditor; a device that has been shown another outcome hears that it has changed.
func (p *pool) confirmed(f *store.FinishedDelivery, d *store.ClaimedDelivery) {
	kind := holdfast.ChangeDelivered
	if shown := (&Call{ClaimedDelivery: *d}).shown(); shown != "" && f.Reference != "" && shown != f.Reference {
		kind = holdfast.ChangeOutcomeChanged
	}
	f.Change = changeOf(d, kind)
	f.Change.Reference = f.Reference
	f.Event = p.event(d, holdfast.ActionDelivered, holdfast.OutcomeSuccess)
	f.Event.Reference = f.Reference
}

// surrendered holds what can't be delivered, or gives it up.
func (p *pool) surrendered(f *store.FinishedDelivery, d *store.ClaimedDelivery) {
	action := holdfast.ActionHeld
	f.Status = holdfast.DeliveryHeld
	if p.Fail {
		action, f.Status = holdfast.ActionFailed, holdfast.DeliveryFailed
		f.Change = changeOf(d, holdfast.ChangeFailed)
		f.Change.Code, f.Change.Detail = f.Code, f.Detail
	}
	f.Event = p.event(d, action, holdfast.OutcomeFailure)
	f.Event.Details, _ = json.Marshal(map[string]any{"code": f.Code, "detail": f.Detail, "attempts": d.Attempts}) // texts: can't fail
}

// log writes the one line of an attempt, under the context of the request that brought the transaction.
func (p *pool) log(f *store.FinishedDelivery, d *store.ClaimedDelivery, r Result, took time.Duration) {
	line := p.m.cfg.Logger.WithFields(logrus.Fields{
		"consumer": p.Name, "stream": d.Stream.String(), "seq": d.Seq, "transaction": d.Transaction.String(), "status": string(f.Status), "attempt": d.Attempts,
		"durationMs": float64(took.Microseconds()) / 1000,
	})
	for name, value := range d.Context.Fields() {
		line = line.WithField(name, value)
	}
	switch f.Status {
	case holdfast.DeliveryDelivered:
		line.WithField("reference", f.Reference).Info("delivery")
	case holdfast.DeliveryWaiting:
		line.WithFields(logrus.Fields{"code": r.Code, "detail": r.Detail, "againInMs": f.DueIn.Milliseconds()}).Warn("delivery")
	default:
		line.WithFields(logrus.Fields{"code": r.Code, "detail": r.Detail}).Error("delivery")
	}
}

// recordAtOnce bounds how many results share a commit.
const recordAtOnce = 256

// record writes results, all that wait in one commit, until there are no more.
func (m *Machine) record() {
	for first := range m.done {
		all := []result{first}
	more:
		for len(all) < recordAtOnce {
			select {
			case one, open := <-m.done:
				if !open {
					break more
				}
				all = append(all, one)
			default:
				break more
			}
		}
		m.save(all)
	}
}

// save writes results again and again as long as their leases run: an answer that is not recorded would be asked for again.
func (m *Machine) save(all []result) {
	finished := make([]store.FinishedDelivery, len(all))
	for i := range all {
		finished[i] = all[i].FinishedDelivery
	}
	deadline := time.Now().Add(m.cfg.Lease)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		won, err := m.cfg.Store.FinishDeliveries(ctx, finished)
		cancel()
		if err == nil {
			m.saved(all, won)
			break
		}
		if time.Now().After(deadline) {
			m.cfg.Logger.WithError(err).WithField("deliveries", len(all)).Error("what became of deliveries can't be recorded; they are made again under the same keys")
			break
		}
		time.Sleep(pause)
	}
	for i := range all {
		m.held.end(store.DeliveryLease{Position: all[i].Position, Generation: all[i].Generation})
		if left := all[i].pool.held.Add(-1); left <= int64(all[i].pool.Concurrency) {
			all[i].pool.poke()
		}
	}
}

// saved tells who waits for it.
func (m *Machine) saved(all []result, won []bool) {
	var told []holdfast.Change
	over := false
	for i := range all {
		f := &all[i].FinishedDelivery
		if !won[i] {
			m.cfg.Logger.WithFields(logrus.Fields{"consumer": all[i].pool.Name, "stream": f.Stream.String(), "seq": f.Seq}).
				Warn("an attempt does not count: the delivery was taken over")
			continue
		}
		over = over || !f.Status.Open()
		if f.Change != nil {
			told = append(told, *f.Change)
		}
	}
	m.tellChanges(told)
	if over {
		m.wakePools()
	}
}

// String is for people.
func (v Verdict) String() string {
	switch v {
	case Confirmed:
		return "confirmed"
	case Permanent:
		return "permanent"
	case Passing:
		return "passing"
	}
	return fmt.Sprint(int(v))
}
