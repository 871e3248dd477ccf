package faults_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

// Whenever a node is killed, what is held and what the audit log tells are the same:
// both were written in one transaction.
func TestKilledNodesLeaveNoGapInTheAuditLog(t *testing.T) {
	harness.EachStore(t, 1, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		n := c.Nodes[0]
		const streams = 6
		for range 4 {
			var wg sync.WaitGroup
			stop := make(chan struct{})
			for i := range streams {
				wg.Go(func() {
					s := harness.NewStream(i)
					for {
						select {
						case <-stop:
							return
						default:
						}
						a, err := harness.Do("GET", n.URL+s.Path(""), nil)
						if err != nil || a.Status != 200 {
							return
						}
						next := a.Number("Holdfast-Accepted-Through") + 1
						_, _ = harness.Do("POST", n.URL+s.Path("/batches"), s.Body(next, next+2), harness.JSON(harness.ID(7000+i, int(next)))...)
					}
				})
			}
			time.Sleep(150 * time.Millisecond) // load, not a wait for something
			n.Kill()
			close(stop)
			wg.Wait()
			n.Restart()
			n.AwaitReady()
		}
		total := int64(0)
		for i := range streams {
			s := harness.NewStream(i)
			held := n.Must("GET", s.Path(""), nil).Number("Holdfast-Accepted-Through")
			var page struct {
				Events []struct{ FirstSeq, LastSeq int64 }
			}
			a := n.Must("GET", fmt.Sprintf("/v1/audit/events?limit=1000&action=transaction.accepted&stream=%s", s.ID), nil)
			if err := json.Unmarshal(a.Body, &page); err != nil {
				t.Fatal(err)
			}
			next := int64(1)
			for _, e := range page.Events {
				if e.FirstSeq != next {
					t.Fatalf("stream %d: an event begins at %d, want %d", i, e.FirstSeq, next)
				}
				next = e.LastSeq + 1
			}
			if next-1 != held {
				t.Errorf("stream %d: held through %d, the audit log tells %d", i, held, next-1)
			}
			total += held
		}
		if total == 0 {
			t.Fatal("nothing was taken")
		}
	})
}
