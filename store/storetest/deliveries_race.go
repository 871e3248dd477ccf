package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

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
