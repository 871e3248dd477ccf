package postgres_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// Nodes that accept while others plan: everything gets its plan (REVIEW5_STRESS=1; the race is seldom, see the test of the hole).
func TestReview5Stress(t *testing.T) {
	if os.Getenv("REVIEW5_STRESS") == "" {
		t.Skip("REVIEW5_STRESS")
	}
	url := migrated(t, testserver.Postgres(t))
	const nodes = 4
	var stores []store.Store
	for range nodes {
		stores = append(stores, openURL(t, url))
	}
	end := time.Now().Add(6 * time.Second)
	var wg, planners sync.WaitGroup
	done := make(chan struct{})
	orders := storetest.Consumer{Name: "orders", Lane: func(l store.LoggedTransaction) holdfast.Lane { return storetest.Lane(int(l.Seq)) }}
	for range 2 {
		planners.Go(func() {
			for {
				if err := storetest.PlanAll(t.Context(), stores[0], orders); err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range nodes {
		for k := range 4 {
			wg.Go(func() {
				stream := storetest.ID(0x55, n*10+k+1)
				var head holdfast.Head
				for i := 0; time.Now().Before(end); i++ {
					a := storetest.Step(stream, head, byte(n*10+k+1), 1+(i*7+k)%6)
					a.Batch.Correlation = storetest.ID(byte(0x60+n*10+k), i)
					if err := stores[n].Append(t.Context(), a); err != nil {
						t.Error(err)
						return
					}
					head = a.Next
				}
			})
		}
	}
	wg.Wait()
	close(done)
	planners.Wait()
	conn := review5Conn(t, url)
	var all, lost int
	for range 3 {
		_ = storetest.PlanAll(t.Context(), stores[0], orders)
	}
	if err := conn.QueryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.stream = t.stream AND d.seq = t.seq)) FROM transactions t").Scan(&all, &lost); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d transactions, %d without a plan", all, lost)
	if lost > 0 {
		t.Errorf("%d of %d transactions will never be delivered", lost, all)
	}
}
