package faults_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// device sends its stream batch after batch as a client should: the same request
// again until there is a verdict. Through is what it was told is accepted.
type device struct {
	harness.Stream
	n       int
	through int64
	retries int
	// statuses counts every answer by status and code; 0 is no answer.
	statuses map[string]int
}

func newDevice(n int) *device {
	return &device{Stream: harness.NewStream(n), n: n, statuses: map[string]int{}}
}

// step sends the next few transactions once, to one of the nodes, and takes over
// the verdict. It returns the time that the answer took.
func (d *device) step(t *testing.T, nodes []*harness.Node, size int64) time.Duration {
	first := d.through + 1
	node := nodes[(d.n+d.retries+int(first))%len(nodes)]
	began := time.Now()
	a, err := harness.Do("POST", node.URL+d.Path("/batches"), d.Body(first, first+size-1), harness.JSON(harness.ID(100+d.n, int(first)))...)
	took := time.Since(began)
	if err != nil {
		d.statuses["none"]++
		d.retries++
		return took
	}
	d.statuses[fmt.Sprintf("%d %s", a.Status, a.Code())]++
	switch {
	case a.Status == 201 || a.Status == 200:
		d.through = first + size - 1
	case a.Status == 503 || a.Code() == "request-in-progress":
		d.retries++
		if a.Number("Retry-After") < 1 {
			t.Errorf("%d %s without Retry-After", a.Status, a.Code())
		}
	default:
		t.Errorf("device %d at %d: %d %s", d.n, first, a.Status, a.Body)
	}
	return took
}

// fleet runs devices until stop says so and returns them.
func fleet(t *testing.T, nodes []*harness.Node, devices int, size int64, during func()) []*device {
	t.Helper()
	all := make([]*device, devices)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range all {
		d := newDevice(i)
		all[i] = d
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := d.through
				d.step(t, nodes, size)
				if d.through == before {
					select { // a refused client waits, or this would be a flood
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
		})
	}
	during()
	close(stop)
	wg.Wait()
	return all
}

// settle finishes what a device was not told, and checks the promises: what it
// was told is there, once, in order, to the byte.
func settle(t *testing.T, nodes []*harness.Node, devices []*device, size int64) {
	t.Helper()
	for _, d := range devices {
		want := d.through + size
		for deadline := time.Now().Add(30 * time.Second); d.through < want; {
			if time.Now().After(deadline) {
				t.Fatalf("device %d does not get on: %v", d.n, d.statuses)
			}
			d.step(t, nodes, size)
		}
		for _, n := range nodes {
			d.Check(t, n, d.through)
		}
	}
}

func total(devices []*device) (through int64, seen map[string]int) {
	seen = map[string]int{}
	for _, d := range devices {
		through += d.through
		for status, n := range d.statuses {
			seen[status] += n
		}
	}
	return through, seen
}

// progress waits until the devices have been told of at least n transactions more.
func progress(t *testing.T, node *harness.Node, devices int, n int64) {
	t.Helper()
	held := func() (sum int64) {
		for i := range devices {
			a, err := harness.Do("GET", node.URL+harness.NewStream(i).Path(""), nil)
			if err == nil && a.Status == 200 {
				sum += a.Number("Holdfast-Accepted-Through")
			}
		}
		return sum
	}
	start := held()
	harness.Eventually(t, 30*time.Second, func() error {
		if now := held(); now < start+n {
			return fmt.Errorf("%d of %d transactions", now-start, n)
		}
		return nil
	})
}
