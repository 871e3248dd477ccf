package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

var deliveryTests = []struct {
	name string
	test func(*testing.T, store.Store)
}{
	{"PlansFollowTheLog", plansFollowTheLog},
	{"OnePlanWins", onePlanWins},
	{"ALaneIsInOrder", aLaneIsInOrder},
	{"LanesAreParallel", lanesAreParallel},
	{"TheNextConsumer", theNextConsumer},
	{"AFailureFailsWhatFollows", aFailureFailsWhatFollows},
	{"GenerationsFence", generationsFence},
	{"LeasesEnd", leasesEnd},
	{"Retries", retries},
	{"StoresTakeTurns", storesTakeTurns},
	{"Deeds", deedsOnDeliveries},
	{"AQuarantinedOneHoldsItsLane", aQuarantinedOneHoldsItsLane},
	{"Repairs", repairs},
	{"MissingFilesWake", missingFilesWake},
	{"Changes", changes},
	{"Messages", messages},
	{"StreamDeliveries", streamDeliveries},
	{"DeliveryLists", deliveryLists},
	{"APageIsBounded", aPageIsBounded},
	{"GiveUpTellsOnce", giveUpTellsOnce},
	{"ANamelessShopTakesTurns", aNamelessShopTakesTurns},
	{"ManyNodes", manyNodes},
}

// Lane is one of a number.
func Lane(n int) holdfast.Lane { return holdfast.Lane{0: byte(n), 1: byte(n >> 8), 15: 1} }

// Consumer is one of the suite's: its order and what it comes after.
type Consumer struct {
	Name  string
	After []string
	Lane  func(store.LoggedTransaction) holdfast.Lane
}

// oneLane is an order in which everything comes one after the other.
func oneLane(store.LoggedTransaction) holdfast.Lane { return Lane(1) }

// ownLane is no order.
func ownLane(t store.LoggedTransaction) holdfast.Lane {
	var l holdfast.Lane
	copy(l[:], t.ID[:])
	l[1] ^= t.ID[15]
	return l
}

// PlanAll plans everything that is not planned yet, as the delivery machine does.
func PlanAll(ctx context.Context, s store.Store, consumers ...Consumer) error {
	for {
		page, err := s.Unplanned(ctx, 100, len(consumers) > 0)
		if err != nil || page.To == page.From {
			return err
		}
		p := store.Plan{From: page.From, To: page.To}
		for _, t := range page.Transactions {
			status := holdfast.DeliveryWaiting
			if t.Problem != nil {
				status = holdfast.DeliveryQuarantined
				p.Changes = append(p.Changes, holdfast.Change{Kind: holdfast.ChangeQuarantined, Stream: t.Stream, Seq: t.Seq, Transaction: t.ID})
			}
			for _, c := range consumers {
				p.Deliveries = append(p.Deliveries, holdfast.Delivery{
					Stream: t.Stream, Seq: t.Seq, Transaction: t.ID, Type: "pick.completed", Shop: t.Shop, Consumer: c.Name, Lane: c.Lane(t), After: c.After, Status: status,
				})
			}
		}
		if err := s.SavePlan(ctx, p); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func mustPlan(tb testing.TB, s store.Store, consumers ...Consumer) {
	tb.Helper()
	if err := PlanAll(tb.Context(), s, consumers...); err != nil {
		tb.Fatal(err)
	}
}

func claim(tb testing.TB, s store.Store, consumer string, most int) []store.ClaimedDelivery {
	tb.Helper()
	var all []store.ClaimedDelivery
	q := store.ClaimQuery{Consumer: consumer, Node: "n1", Most: most, Lease: time.Minute}
	for {
		c, err := s.ClaimDeliveries(tb.Context(), q)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, c.Deliveries...)
		if q.Most = most - len(all); q.Most <= 0 || len(c.Deliveries) == 0 && q.After == (store.ClaimCursor{}) && c.Next == q.After {
			return all
		}
		q.After = c.Next
	}
}

func finished(d store.ClaimedDelivery, status holdfast.DeliveryStatus) store.FinishedDelivery {
	f := store.FinishedDelivery{Position: d.Position, Generation: d.Generation, Stream: d.Stream, Seq: d.Seq, Status: status}
	if status == holdfast.DeliveryDelivered {
		f.Reference = fmt.Sprintf("R-%d", d.Seq)
		f.Change = &holdfast.Change{Kind: holdfast.ChangeDelivered, Stream: d.Stream, Seq: d.Seq, Transaction: d.Transaction, Consumer: d.Consumer, Reference: f.Reference}
		f.Event = &holdfast.AuditEvent{ID: ID(0xee, int(d.Position)), Action: holdfast.ActionDelivered, Outcome: holdfast.OutcomeSuccess, Stream: d.Stream, First: d.Seq, Last: d.Seq}
	}
	return f
}

func finish(tb testing.TB, s store.Store, all ...store.FinishedDelivery) {
	tb.Helper()
	won, err := s.FinishDeliveries(tb.Context(), all)
	if err != nil || len(won) != len(all) || slices.Contains(won, false) {
		tb.Fatal(won, err)
	}
}

func seqs(all []store.ClaimedDelivery) (out []int64) {
	for _, d := range all {
		out = append(out, d.Seq)
	}
	slices.Sort(out)
	return out
}

func wantSeqs(tb testing.TB, all []store.ClaimedDelivery, want ...int64) {
	tb.Helper()
	if got := seqs(all); !slices.Equal(got, want) {
		tb.Fatalf("claimed %v, want %v", got, want)
	}
}

func plansFollowTheLog(t *testing.T, s store.Store) {
	page, err := s.Unplanned(t.Context(), 10, true)
	if err != nil || page.From != page.To || len(page.Transactions) != 0 {
		t.Fatalf("%+v %v", page, err)
	}
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	mustAppend(t, s, Step(stream, head, 1, 20))
	if page, err = s.Unplanned(t.Context(), 5, true); err != nil || len(page.Transactions) != 3 {
		t.Fatalf("a page holds whole batches, at most 5 transactions unless one has more: %+v %v", page, err)
	}
	first := page.Transactions[0]
	want := Transaction(1, 1)
	if first.Stream != stream || first.Seq != 1 || first.ID != want.ID || string(first.Raw) != string(want.Raw) || first.Shop != "0042" || first.Problem != nil {
		t.Fatalf("%+v", first)
	}
	if err := s.SavePlan(t.Context(), store.Plan{From: page.From, To: page.To}); err != nil {
		t.Fatal(err)
	}
	if page, err = s.Unplanned(t.Context(), 5, false); err != nil || page.To == page.From || len(page.Transactions) != 0 {
		t.Fatalf("without bodies: %+v %v", page, err)
	}
	if page, err = s.Unplanned(t.Context(), 5, true); err != nil || len(page.Transactions) != 20 || page.Transactions[19].Seq != 23 {
		t.Fatalf("%d %v", len(page.Transactions), err)
	}
	planned, log, err := s.PlannedThrough(t.Context())
	if err != nil || planned != page.From || log != page.To {
		t.Fatal(planned, log, err)
	}
}

func onePlanWins(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 50))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := PlanAll(t.Context(), s, Consumer{Name: "orders", Lane: ownLane}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(claim(t, s, "orders", 200)); n != 50 {
		t.Errorf("%d of 50", n)
	}
}

func aLaneIsInOrder(t *testing.T, s store.Store) {
	orders := Consumer{Name: "orders", Lane: oneLane}
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	mustPlan(t, s, orders)
	for seq := int64(1); seq <= 3; seq++ {
		got := claim(t, s, "orders", 10)
		wantSeqs(t, got, seq)
		d := got[0]
		if want := Transaction(1, seq); string(d.Raw) != string(want.Raw) || d.Transaction != want.ID || d.Attempts != 1 || d.Context.Device != "ipad-0042-03" ||
			d.Epoch != 1 || d.Consumer != "orders" || d.Lane != Lane(1) || d.LeaseUntil.IsZero() || d.Shop != "0042" {
			t.Fatalf("%+v", d)
		}
		if seq == 2 { // comes behind while the lane is busy
			mustAppend(t, s, Step(stream, head, 1, 1))
			mustPlan(t, s, orders)
		}
		finish(t, s, finished(d, holdfast.DeliveryDelivered))
	}
	wantSeqs(t, claim(t, s, "orders", 10), 4)
}

func lanesAreParallel(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 6))
	mustPlan(t, s, Consumer{Name: "orders", Lane: func(t store.LoggedTransaction) holdfast.Lane { return Lane(int(t.Seq % 3)) }}, Consumer{Name: "others", Lane: ownLane})
	got := claim(t, s, "orders", 10)
	wantSeqs(t, got, 1, 2, 3)
	wantSeqs(t, claim(t, s, "others", 10), 1, 2, 3, 4, 5, 6)
	var all []store.FinishedDelivery
	for _, d := range got {
		all = append(all, finished(d, holdfast.DeliveryDelivered))
	}
	finish(t, s, all...)
	wantSeqs(t, claim(t, s, "orders", 10), 4, 5, 6)
}

func theNextConsumer(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 2))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane}, Consumer{Name: "tax", Lane: ownLane},
		Consumer{Name: "archive", Lane: oneLane, After: []string{"orders", "tax"}})
	orders, tax := claim(t, s, "orders", 10), claim(t, s, "tax", 10)
	finish(t, s, finished(orders[0], holdfast.DeliveryDelivered))
	wantSeqs(t, claim(t, s, "archive", 10))
	// Both in one group: the second's lane and the first's waits meet in the same row.
	finish(t, s, finished(tax[0], holdfast.DeliveryDelivered), finished(tax[1], holdfast.DeliveryDelivered), finished(claim(t, s, "orders", 10)[0], holdfast.DeliveryDelivered))
	archive := claim(t, s, "archive", 10)
	wantSeqs(t, archive, 1)
	if r := archive[0].References; r["orders"] != "R-1" || r["tax"] != "R-1" || len(r) != 2 {
		t.Errorf("%v", r)
	}
	finish(t, s, finished(archive[0], holdfast.DeliveryDelivered))
	wantSeqs(t, claim(t, s, "archive", 10), 2)
}

func aFailureFailsWhatFollows(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 2))
	mustPlan(t, s, Consumer{Name: "orders", Lane: ownLane}, Consumer{Name: "archive", Lane: oneLane, After: []string{"orders"}},
		Consumer{Name: "last", Lane: oneLane, After: []string{"orders", "archive"}})
	for _, d := range claim(t, s, "orders", 10) {
		status := holdfast.DeliveryDelivered
		if d.Seq == 1 {
			status = holdfast.DeliveryFailed
		}
		finish(t, s, finished(d, status))
	}
	got := claim(t, s, "archive", 10)
	wantSeqs(t, got, 2)
	finish(t, s, finished(got[0], holdfast.DeliveryDelivered))
	wantSeqs(t, claim(t, s, "last", 10), 2)
	failed, err := s.Deliveries(t.Context(), holdfast.DeliveryQuery{Seq: 1, Stream: stream, Statuses: []holdfast.DeliveryStatus{holdfast.DeliveryFailed}, Limit: 10})
	if err != nil || len(failed) != 3 || failed[1].Code != store.CodePredecessor || failed[1].DoneAt.IsZero() {
		t.Errorf("%+v %v", failed, err)
	}
	all, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Limit: 10})
	if err != nil || len(all) != 4 {
		t.Errorf("%+v %v", all, err)
	}
}

func generationsFence(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane})
	c, err := s.ClaimDeliveries(t.Context(), store.ClaimQuery{Consumer: "orders", Node: "slow", Most: 5, Lease: time.Millisecond})
	if err != nil || len(c.Deliveries) != 1 {
		t.Fatal(c, err)
	}
	late := c.Deliveries[0]
	eventually(t, func() bool {
		n, err := s.RecoverDeliveries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	again := claim(t, s, "orders", 5)
	wantSeqs(t, again, 1)
	if again[0].Generation <= late.Generation || again[0].Attempts != 2 {
		t.Errorf("%+v", again[0].Delivery)
	}
	won, err := s.FinishDeliveries(t.Context(), []store.FinishedDelivery{finished(late, holdfast.DeliveryDelivered)})
	if err != nil || won[0] {
		t.Fatal("a late finisher counted", err)
	}
	lost, err := s.RenewDeliveries(t.Context(), []store.DeliveryLease{{Position: late.Position, Generation: late.Generation}, {Position: again[0].Position, Generation: again[0].Generation}}, time.Minute)
	if err != nil || len(lost) != 1 || lost[0].Generation != late.Generation {
		t.Fatal(lost, err)
	}
	finish(t, s, finished(again[0], holdfast.DeliveryDelivered))
	won, err = s.FinishDeliveries(t.Context(), []store.FinishedDelivery{finished(again[0], holdfast.DeliveryHeld)})
	if err != nil || won[0] {
		t.Fatal("it counted twice", err)
	}
	if events := mustEvents(t, s, store.AuditFilter{Actions: []holdfast.AuditAction{holdfast.ActionDelivered}}); len(events) != 1 {
		t.Errorf("%d events", len(events))
	}
}

func eventually(tb testing.TB, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal("it did not happen")
		}
	}
}

func leasesEnd(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane})
	d := claim(t, s, "orders", 1)[0]
	if n, err := s.RecoverDeliveries(t.Context()); n != 0 || err != nil {
		t.Fatal("a lease that runs was taken", n, err)
	}
	wantSeqs(t, claim(t, s, "orders", 1))
	if lost, err := s.RenewDeliveries(t.Context(), []store.DeliveryLease{{Position: d.Position, Generation: d.Generation}}, time.Millisecond); len(lost) != 0 || err != nil {
		t.Fatal(lost, err)
	}
	eventually(t, func() bool { n, err := s.RecoverDeliveries(t.Context()); return err == nil && n == 1 })
	wantSeqs(t, claim(t, s, "orders", 1), 1)
}

func retries(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 2))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane})
	f := finished(claim(t, s, "orders", 1)[0], holdfast.DeliveryWaiting)
	f.DueIn, f.Code, f.Detail = 30*time.Millisecond, "status-500", "it says no"
	finish(t, s, f)
	wantSeqs(t, claim(t, s, "orders", 5)) // not due, and the second one waits behind it
	var d []store.ClaimedDelivery
	eventually(t, func() bool { d = claim(t, s, "orders", 5); return len(d) > 0 })
	wantSeqs(t, d, 1)
	if d[0].Attempts != 2 || d[0].Code != "status-500" {
		t.Errorf("%+v", d[0].Delivery)
	}
	f = finished(d[0], holdfast.DeliveryWaiting)
	f.Unmade = true
	finish(t, s, f)
	if d = claim(t, s, "orders", 5); len(d) != 1 || d[0].Attempts != 2 {
		t.Errorf("an attempt that was not made counted: %+v", d)
	}
}

func storesTakeTurns(t *testing.T, s store.Store) {
	for i, n := range []int{300, 2, 2} {
		a := Step(ID(0x56, i), holdfast.Head{}, byte(10+i), n)
		a.Next.Owner.Shop = fmt.Sprintf("004%d", i)
		mustAppend(t, s, a)
	}
	mustPlan(t, s, Consumer{Name: "orders", Lane: ownLane})
	shops := map[string]int{}
	for _, d := range claim(t, s, "orders", 12) {
		shops[d.Shop]++
	}
	if shops["0041"] != 2 || shops["0042"] != 2 || shops["0040"] != 8 {
		t.Errorf("%v", shops)
	}
}

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

func missingFilesWake(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 2)
	digest := holdfast.HashOf([]byte("file"))
	a.Transactions[0].Attachments = []holdfast.AttachmentRef{{Digest: digest, Size: 4}}
	mustAppend(t, s, a)
	mustPlan(t, s, Consumer{Name: "orders", Lane: ownLane})
	for _, d := range claim(t, s, "orders", 5) {
		f := finished(d, holdfast.DeliveryWaiting)
		f.DueIn, f.Code, f.Unmade = time.Hour, store.CodeMissing, true
		finish(t, s, f)
	}
	wantSeqs(t, claim(t, s, "orders", 5))
	if err := s.WakeDeliveries(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	wantSeqs(t, claim(t, s, "orders", 5), 1)
}

func changes(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 30))
	other := ID(0x57, 1)
	mustAppend(t, s, Step(other, holdfast.Head{}, 2, 5))
	mustPlan(t, s, Consumer{Name: "orders", Lane: ownLane})
	var all []store.FinishedDelivery
	for _, d := range claim(t, s, "orders", 100) {
		all = append(all, finished(d, holdfast.DeliveryDelivered))
	}
	var wg sync.WaitGroup
	for part := range slices.Chunk(all, 4) { // nodes that number the same stream's changes
		wg.Go(func() {
			if _, err := s.FinishDeliveries(t.Context(), part); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var number int64
	for number < 30 {
		page, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Number: number, Limit: 7})
		if err != nil || len(page) == 0 {
			t.Fatal(page, err)
		}
		for _, c := range page {
			if number++; c.Number != number || c.Kind != holdfast.ChangeDelivered || c.Consumer != "orders" || c.Reference != fmt.Sprintf("R-%d", c.Seq) || c.Transaction != Transaction(1, c.Seq).ID || c.At.IsZero() {
				t.Fatalf("%d: %+v", number, c)
			}
		}
	}
	if last, _, err := s.LastChange(t.Context(), stream); last != 30 || err != nil {
		t.Error(last, err)
	}
	if last, _, err := s.LastChange(t.Context(), other); last != 5 || err != nil {
		t.Error(last, err)
	}
	if last, message, err := s.LastChange(t.Context(), ID(0x58, 1)); last != 0 || message != 0 || err != nil {
		t.Error(last, err)
	}
}

func messages(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	send := func(n int, m holdfast.Message) {
		t.Helper()
		m.ID, m.Body = ID(0x60, n), fmt.Appendf(nil, `{"n":%d}`, n)
		if m.ExpiresAt.IsZero() {
			m.ExpiresAt = time.Now().Add(time.Hour)
		}
		for range 2 { // the second time it is known
			if err := s.SendMessage(t.Context(), m, holdfast.AuditEvent{ID: ID(0x61, n), Action: "message.sent", Outcome: holdfast.OutcomeSuccess}); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(1, holdfast.Message{Device: "d1"})
	send(2, holdfast.Message{Shop: "s1"})
	send(3, holdfast.Message{User: "u1"})
	send(4, holdfast.Message{Device: "d2"})
	send(5, holdfast.Message{Device: "s1"})
	send(6, holdfast.Message{Device: "d1", ExpiresAt: time.Now().Add(-time.Second)})
	bodies := func(q holdfast.ChangesQuery) (out string) {
		t.Helper()
		q.Stream, q.Limit = stream, 10
		all, err := s.Changes(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			out += string(c.Body)
			if c.Kind != holdfast.ChangeMessage || c.Message == 0 || c.Transaction != ID(0x60, int(c.Body[5]-'0')) {
				t.Errorf("%+v", c)
			}
		}
		return out
	}
	if got := bodies(holdfast.ChangesQuery{Device: "d1", Shop: "s1", User: "u1"}); got != `{"n":1}{"n":2}{"n":3}` {
		t.Error(got)
	}
	if got := bodies(holdfast.ChangesQuery{Device: "d1", Shop: "s1", Message: 2}); got != "" {
		t.Error(got)
	}
	if got := bodies(holdfast.ChangesQuery{}); got != "" {
		t.Error(got)
	}
	if _, message, err := s.LastChange(t.Context(), stream); message != 6 || err != nil {
		t.Error(message, err)
	}
	if events := mustEvents(t, s, store.AuditFilter{Actions: []holdfast.AuditAction{"message.sent"}}); len(events) != 6 {
		t.Errorf("%d events", len(events))
	}
}

func streamDeliveries(t *testing.T, s store.Store) {
	check := func(planned bool, through, open int64) {
		t.Helper()
		gotThrough, gotOpen, err := s.StreamDeliveries(t.Context(), stream, planned)
		if err != nil || gotThrough != through || gotOpen != open {
			t.Fatal(gotThrough, gotOpen, err)
		}
	}
	if _, _, err := s.StreamDeliveries(t.Context(), stream, true); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 4))
	check(false, 4, 0)
	check(true, 0, 4)
	mustPlan(t, s, Consumer{Name: "orders", Lane: ownLane}, Consumer{Name: "archive", Lane: ownLane, After: []string{"orders"}})
	check(true, 0, 4)
	for _, d := range claim(t, s, "orders", 10) {
		if d.Seq != 3 {
			finish(t, s, finished(d, holdfast.DeliveryDelivered))
		}
	}
	check(true, 0, 4)
	for _, d := range claim(t, s, "archive", 10) {
		finish(t, s, finished(d, holdfast.DeliveryDelivered))
	}
	check(true, 2, 1)
	mustAppend(t, s, Step(stream, head, 1, 3))
	check(true, 2, 4)
	check(false, 2, 1)
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

// Notices checks that a store hears what another one on the same database does; a backend with one process has one store for both.
func Notices(t *testing.T, listener, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan store.Notice, 100), make(chan struct{})
	go func() { listener.Notices(ctx, func(n store.Notice) { heard <- n }); close(ended) }()
	await := func(what string, ok func(store.Notice) bool) {
		t.Helper()
		for {
			select {
			case n := <-heard:
				if ok(n) {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatal("not heard: " + what)
			}
		}
	}
	await("the beginning", func(n store.Notice) bool { return n.All && n.Work })
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane})
	await("work", func(n store.Notice) bool { return n.Work })
	finish(t, s, finished(claim(t, s, "orders", 1)[0], holdfast.DeliveryDelivered))
	await("a change", func(n store.Notice) bool { return slices.Contains(n.Streams, stream) })
	if err := s.SendMessage(t.Context(), holdfast.Message{ID: ID(1, 1), Device: "d", Body: []byte("1"), ExpiresAt: time.Now().Add(time.Hour)}, holdfast.AuditEvent{ID: ID(1, 2)}); err != nil {
		t.Fatal(err)
	}
	await("a message", func(n store.Notice) bool { return n.All })
	cancel()
	<-ended
}

// manyNodes append, plan, claim, fail and finish at once. Whatever meets whatever: every delivery is delivered once, each lane in
// order, the second consumer behind the first, and nothing is stuck.
func manyNodes(t *testing.T, s store.Store) {
	const streams, batches, each = 4, 12, 3
	lane := func(t store.LoggedTransaction) holdfast.Lane { return Lane(int(t.Seq % 4)) } // shared by the streams
	consumers := []Consumer{{Name: "orders", Lane: lane}, {Name: "archive", Lane: lane, After: []string{"orders"}}}
	var appended, work sync.WaitGroup
	var mu sync.Mutex
	seen := map[string][]int64{} // positions in the order of their delivery
	total := 0
	for i := range streams {
		appended.Go(func() {
			head := holdfast.Head{}
			for range batches {
				a := Step(ID(0x70, i), head, byte(20+i), each)
				if err := s.Append(t.Context(), a); err != nil {
					t.Error(err)
					return
				}
				head = a.Next
			}
		})
	}
	for range 3 {
		appended.Go(func() {
			for range 30 {
				if err := PlanAll(t.Context(), s, consumers...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	for n := range 4 {
		work.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				name := consumers[(n+round)%2].Name
				c, err := s.ClaimDeliveries(t.Context(), store.ClaimQuery{Consumer: name, Node: fmt.Sprint(n), Most: 5, Lease: time.Minute})
				if err != nil {
					t.Error(err)
					return
				}
				var all []store.FinishedDelivery
				for _, d := range c.Deliveries {
					if (d.Position+d.Attempts)%5 == 0 {
						all = append(all, finished(d, holdfast.DeliveryWaiting))
						continue
					}
					all = append(all, finished(d, holdfast.DeliveryDelivered))
					mu.Lock()
					key := fmt.Sprintf("%s %x", name, d.Lane)
					if name == "archive" && d.References["orders"] == "" {
						t.Errorf("%d came before its reference", d.Position)
					}
					seen[key] = append(seen[key], d.Position)
					total++
					mu.Unlock()
				}
				if len(all) > 0 {
					if won, err := s.FinishDeliveries(t.Context(), all); err != nil || slices.Contains(won, false) {
						t.Error(won, err)
						return
					}
				}
			}
		})
	}
	appended.Wait()
	mustPlan(t, s, consumers...)
	eventually(t, func() bool {
		counts, err := s.CountDeliveries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(counts) == 0 || t.Failed()
	})
	close(stop)
	work.Wait()
	if want := streams * batches * each * 2; total != want {
		t.Errorf("%d deliveries, not %d", total, want)
	}
	for key, positions := range seen {
		if !slices.IsSorted(positions) {
			t.Errorf("lane %s: %v", key, positions)
		}
	}
}
