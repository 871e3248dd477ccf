package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func deedsOnDeliveries(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 4))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane}, Consumer{Name: "archive", Lane: oneLane, After: []string{"orders"}})
	hold := func(seq int64) {
		t.Helper()
		d := claim(t, s, "orders", 1)
		wantSeqs(t, d, seq)
		f := finished(d[0], holdfast.DeliveryHeld)
		f.Code, f.Detail = "status-422", "no such item"
		finish(t, s, f)
		wantSeqs(t, claim(t, s, "orders", 1)) // the lane waits
	}
	do := func(verb holdfast.Verb, want int, statuses ...holdfast.DeliveryStatus) {
		t.Helper()
		var told []holdfast.Delivery
		done, err := s.ActOnDeliveries(t.Context(), holdfast.Deed{Verb: verb, Who: "op", Why: "test", Deliveries: holdfast.DeliveryQuery{Consumer: "orders", Statuses: statuses, Limit: 10}},
			func(d holdfast.Delivery) holdfast.AuditEvent {
				told = append(told, d)
				return holdfast.AuditEvent{ID: ID(0xef, int(d.Position)), Action: "delivery." + holdfast.AuditAction(verb), Outcome: holdfast.OutcomeSuccess}
			})
		if err != nil || done.Count != want || len(told) < want {
			t.Fatal(done, err)
		}
	}
	hold(1)
	do(holdfast.VerbRetry, 1, holdfast.DeliveryHeld)
	hold(1)
	do(holdfast.VerbSkip, 1, holdfast.DeliveryHeld)
	archive := claim(t, s, "archive", 5) // goes on without the reference
	wantSeqs(t, archive, 1)
	if len(archive[0].References) != 0 {
		t.Errorf("%v", archive[0].References)
	}
	finish(t, s, finished(archive[0], holdfast.DeliveryDelivered))
	hold(2)
	do(holdfast.VerbGiveUp, 1, holdfast.DeliveryHeld)
	wantSeqs(t, claim(t, s, "archive", 5))
	d := claim(t, s, "orders", 5) // is being delivered: nothing is done to it
	wantSeqs(t, d, 3)
	do(holdfast.VerbGiveUp, 1) // 4 is waiting behind it
	finish(t, s, finished(d[0], holdfast.DeliveryDelivered))
	wantSeqs(t, claim(t, s, "orders", 5))
	wantSeqs(t, claim(t, s, "archive", 5), 3)
	do(holdfast.VerbRetry, 0)
	kinds := ""
	all, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Limit: 100})
	for i, c := range all {
		if c.Number != int64(i)+1 {
			t.Errorf("change %d has number %d", i, c.Number)
		}
		kinds += fmt.Sprintf("%d %s %s, ", c.Seq, c.Consumer, c.Kind)
	}
	if want := "1 orders skipped, 1 archive delivered, 2 orders failed, 2 archive failed, 4 orders failed, 4 archive failed, 3 orders delivered, "; err != nil || kinds != want {
		t.Errorf("%s %v", kinds, err)
	}
}

func aQuarantinedOneHoldsItsLane(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 3)
	a.Batch.Problems = []holdfast.TransactionProblem{{Seq: 2, Problem: []byte(`{"code":"payload-invalid"}`)}}
	a.Next.Quarantined = 1
	head := mustAppend(t, s, a)
	open, err := s.Quarantined(t.Context(), holdfast.QuarantineQuery{Limit: 10})
	if err != nil || len(open) != 1 || open[0].Seq != 2 || open[0].Stream != stream || open[0].Type != "pick.completed" || open[0].Shop != "0042" || string(open[0].Problem) != `{"code":"payload-invalid"}` {
		t.Fatalf("%+v %v", open, err)
	}
	release := func(verb holdfast.Verb) int {
		t.Helper()
		done, err := s.Release(t.Context(), holdfast.Deed{Verb: verb, Who: "op", Why: "test", Quarantine: holdfast.QuarantineQuery{Shop: "0042", Type: "pick.completed", Limit: 10}},
			func(q holdfast.Quarantined) holdfast.AuditEvent {
				return holdfast.AuditEvent{ID: ID(0xed, int(q.Number)), Action: holdfast.ActionRepaired, Outcome: holdfast.OutcomeSuccess}
			})
		if err != nil {
			t.Fatal(err)
		}
		return done.Count
	}
	if n := release(holdfast.VerbRetry); n != 0 {
		t.Fatal("released before its plan was made")
	}
	if page, err := s.Unplanned(t.Context(), 10, false); err != nil || len(page.Transactions) != 1 || page.Transactions[0].Seq != 2 || page.Transactions[0].Problem == nil || page.To == page.From {
		t.Fatalf("without bodies: %+v %v", page, err)
	}
	mustPlan(t, s, Consumer{Name: "ordered", Lane: oneLane}, Consumer{Name: "loose", Lane: ownLane}, Consumer{Name: "after", Lane: ownLane, After: []string{"loose"}})
	loose := claim(t, s, "loose", 10)
	wantSeqs(t, loose, 1, 3)
	first := claim(t, s, "ordered", 10)
	wantSeqs(t, first, 1)
	finish(t, s, finished(first[0], holdfast.DeliveryDelivered))
	wantSeqs(t, claim(t, s, "ordered", 10)) // 3 waits behind 2
	if n := release(holdfast.VerbRetry); n != 1 {
		t.Fatal(n)
	}
	wantSeqs(t, claim(t, s, "ordered", 10), 2)
	wantSeqs(t, claim(t, s, "loose", 10), 2)
	wantSeqs(t, claim(t, s, "after", 10))
	if v := mustView(t, s, stream, holdfast.ID{}); v.Head.Quarantined != 0 || v.Head.AcceptedThrough != 3 {
		t.Errorf("%+v", v.Head)
	}
	if n := release(holdfast.VerbSkip); n != 0 {
		t.Error("it was decided twice")
	}
	mustConflict(t, s, Step(stream, head, 1, 1)) // the head has moved
	all, err := s.Quarantined(t.Context(), holdfast.QuarantineQuery{All: true, Stream: stream, Seq: 2, Limit: 10})
	if err != nil || len(all) != 1 || all[0].Verb != holdfast.VerbRetry || all[0].Who != "op" || all[0].Why != "test" || all[0].DecidedAt.IsZero() {
		t.Errorf("%+v %v", all, err)
	}
	if tx, err := s.Transaction(t.Context(), stream, 2); err != nil || tx.Problem != nil {
		t.Errorf("%s %v", tx.Problem, err)
	}
}

func repairs(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 2)
	a.Batch.Problems = []holdfast.TransactionProblem{{Seq: 1, Problem: []byte(`{}`)}}
	a.Next.Quarantined = 1
	mustAppend(t, s, a)
	event := holdfast.AuditEvent{ID: ID(0xec, 1), Action: holdfast.ActionRepaired, Outcome: holdfast.OutcomeSuccess}
	repair := func(seq int64, payload string, want error) {
		t.Helper()
		event.ID[15]++
		err := s.RepairTransaction(t.Context(), holdfast.Repair{Stream: stream, Seq: seq, Payload: []byte(payload), Who: "op", Why: "typo"}, event)
		if !errors.Is(err, want) {
			t.Fatalf("%v, not %v", err, want)
		}
	}
	repair(1, `{"a":0}`, store.ErrConflict) // no plan yet
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane})
	repair(7, `{}`, store.ErrNotFound)
	repair(2, `{}`, store.ErrConflict) // nothing of it waits for that
	repair(1, `{"a":1}`, nil)
	d := claim(t, s, "orders", 5)
	wantSeqs(t, d, 1)
	if string(d[0].Repaired) != `{"a":1}` || string(d[0].Raw) != string(Transaction(1, 1).Raw) {
		t.Errorf("%s", d[0].Repaired)
	}
	finish(t, s, finished(d[0], holdfast.DeliveryHeld))
	repair(1, `{"a":2}`, nil)
	if d = claim(t, s, "orders", 5); len(d) != 1 || string(d[0].Repaired) != `{"a":2}` || d[0].Attempts != 1 {
		t.Errorf("%+v", d)
	}
	all, err := s.Repairs(t.Context(), stream, 1)
	if err != nil || len(all) != 2 || string(all[0].Payload) != `{"a":1}` || all[1].Who != "op" || all[1].Why != "typo" || all[1].At.IsZero() {
		t.Errorf("%+v %v", all, err)
	}
	if v := mustView(t, s, stream, holdfast.ID{}); v.Head.Quarantined != 0 {
		t.Errorf("%+v", v.Head)
	}
}

func deliveryLists(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 5))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane}, Consumer{Name: "archive", Lane: ownLane, After: []string{"orders"}})
	f := finished(claim(t, s, "orders", 1)[0], holdfast.DeliveryHeld)
	f.Code, f.Detail = "status-422", "why"
	finish(t, s, f)
	now := time.Now()
	for name, c := range map[string]struct {
		q    holdfast.DeliveryQuery
		want int
	}{
		"all": {holdfast.DeliveryQuery{}, 10}, "consumer": {holdfast.DeliveryQuery{Consumer: "orders"}, 5}, "shop": {holdfast.DeliveryQuery{Shop: "0042"}, 10},
		"other shop": {holdfast.DeliveryQuery{Shop: "x"}, 0}, "type": {holdfast.DeliveryQuery{Type: "pick.completed"}, 10}, "other type": {holdfast.DeliveryQuery{Type: "x"}, 0},
		"code": {holdfast.DeliveryQuery{Code: "status-422"}, 1}, "held": {holdfast.DeliveryQuery{Statuses: []holdfast.DeliveryStatus{holdfast.DeliveryHeld}}, 1},
		"open": {holdfast.DeliveryQuery{Statuses: []holdfast.DeliveryStatus{holdfast.DeliveryHeld, holdfast.DeliveryWaiting}}, 10},
		"done": {holdfast.DeliveryQuery{Statuses: []holdfast.DeliveryStatus{holdfast.DeliveryDelivered}}, 0}, "stream": {holdfast.DeliveryQuery{Stream: stream, Seq: 2}, 2},
		"other stream": {holdfast.DeliveryQuery{Stream: ID(1, 1)}, 0}, "since": {holdfast.DeliveryQuery{Since: now.Add(-time.Minute)}, 10}, "future": {holdfast.DeliveryQuery{Since: now.Add(time.Minute)}, 0},
		"until": {holdfast.DeliveryQuery{Until: now.Add(-time.Minute)}, 0}, "limit": {holdfast.DeliveryQuery{Limit: 3}, 3},
	} {
		if c.q.Limit == 0 {
			c.q.Limit = 100
		}
		all, err := s.Deliveries(t.Context(), c.q)
		if err != nil || len(all) != c.want {
			t.Errorf("%s: %d, not %d: %v", name, len(all), c.want, err)
		}
		if len(all) > 2 {
			c.q.After = all[1].Position
			if rest, err := s.Deliveries(t.Context(), c.q); err != nil || c.q.Limit == 100 && len(rest) != len(all)-2 || rest[0].Position != all[2].Position {
				t.Errorf("%s: the next page has %d: %v", name, len(rest), err)
			}
		}
	}
	one, err := s.Deliveries(t.Context(), holdfast.DeliveryQuery{Code: "status-422", Limit: 1})
	if d := one[0]; err != nil || d.Status != holdfast.DeliveryHeld || d.Detail != "why" || d.Node != "n1" || d.Transaction != Transaction(1, 1).ID || d.Attempts != 1 || !d.DoneAt.IsZero() || d.CreatedAt.IsZero() {
		t.Errorf("%+v %v", d, err)
	}
	counts, err := s.CountDeliveries(t.Context())
	if err != nil || len(counts) != 3 || counts[0].Consumer != "archive" || counts[0].Count != 5 || counts[1].Status != holdfast.DeliveryWaiting || counts[1].Count != 4 || counts[2].Count != 1 || counts[2].Oldest.IsZero() {
		t.Errorf("%+v %v", counts, err)
	}
}
