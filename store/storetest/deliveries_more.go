package storetest

import (
	"bytes"
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// giveUpTellsOnce: a deed on a delivery and on the one that comes after it is told once for each.
func giveUpTellsOnce(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane}, Consumer{Name: "archive", Lane: oneLane, After: []string{"orders"}})
	n := 0
	_, err := s.ActOnDeliveries(t.Context(), holdfast.Deed{Verb: holdfast.VerbGiveUp, Who: "w", Why: "y", Deliveries: holdfast.DeliveryQuery{Stream: stream, Limit: 10}},
		func(holdfast.Delivery) holdfast.AuditEvent {
			n++
			return holdfast.AuditEvent{ID: ID(0xe1, n), Action: holdfast.ActionFailed, Outcome: holdfast.OutcomeSuccess}
		})
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Limit: 10})
	if err != nil || len(all) != 2 {
		t.Errorf("%d changes of two deliveries: %+v %v", len(all), all, err)
	}
}

// aNamelessShopTakesTurns: who claims one at a time comes to every store, whatever the first one's name is.
func aNamelessShopTakesTurns(t *testing.T, s store.Store) {
	for n, shop := range []string{"", "0042"} {
		a := Step(ID(0x55, n+1), holdfast.Head{}, byte(n+1), 1)
		a.Next.Owner.Shop = shop
		a.Batch.Correlation = ID(0x56, n+1)
		mustAppend(t, s, a)
		mustPlan(t, s, Consumer{Name: "orders", Lane: ownLane})
		if shop == "" { // due again in an hour
			d := claim(t, s, "orders", 1)[0]
			f := finished(d, holdfast.DeliveryWaiting)
			f.DueIn = 3600e9
			finish(t, s, f)
		}
	}
	q := store.ClaimQuery{Consumer: "orders", Node: "n", Most: 1, Lease: 60e9}
	for range 100 {
		c, err := s.ClaimDeliveries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Deliveries) == 1 {
			return
		}
		q.After = c.Next
	}
	t.Error("100 claims of one delivery each have not come to the second store")
}

// aPageIsBounded: large bodies come in several pages, whole batches each, in their order.
func aPageIsBounded(t *testing.T, s store.Store) {
	var head holdfast.Head
	for range 5 {
		a := Step(stream, head, 1, 2)
		for i := range a.Transactions {
			a.Transactions[i].Raw = append([]byte(`{"type":"x","payload":{"a":"`), append(bytes.Repeat([]byte("x"), 2<<20), `"}}`...)...)
		}
		head = mustAppend(t, s, a)
	}
	pages, next := 0, int64(1)
	for next <= 10 {
		page, err := s.Unplanned(t.Context(), 1000, true)
		if err != nil || len(page.Transactions) == 0 || len(page.Transactions)%2 != 0 || len(page.Transactions) > 6 {
			t.Fatalf("%d transactions: %v", len(page.Transactions), err)
		}
		for _, one := range page.Transactions {
			if one.Seq != next {
				t.Fatalf("%d, not %d", one.Seq, next)
			}
			next++
		}
		pages++
		if err := s.SavePlan(t.Context(), store.Plan{From: page.From, To: page.To}); err != nil {
			t.Fatal(err)
		}
	}
	if pages < 2 {
		t.Errorf("20 MiB came in %d pages", pages)
	}
}
