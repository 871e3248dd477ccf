package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

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
