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
