package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/store"
)

var quick = delivery.Retry{First: 5 * time.Millisecond, Most: 40 * time.Millisecond}

// A consumer that hangs fills its own pool and no other one.
func TestASlowConsumerDelaysNobody(t *testing.T) {
	s := openSQLite(t)
	hang := make(chan struct{})
	slow, fast := &sender{}, &sender{}
	slow.set(func(ctx context.Context, _ *delivery.Call) delivery.Result {
		select {
		case <-hang:
		case <-ctx.Done():
		}
		return delivery.Result{Verdict: delivery.Confirmed}
	})
	m := start(t, s, nil,
		delivery.Consumer{Name: "slow", Order: delivery.OrderNone, Concurrency: 2, Timeout: time.Minute, Sender: slow},
		delivery.Consumer{Name: "fast", Order: delivery.OrderStream, Sender: fast})
	accept(t, s, 1, 60)
	m.Wake()
	eventually(t, func() error {
		if n := fast.count(); n < 60 {
			return fmt.Errorf("%d calls of the fast one", n)
		}
		return nil
	})
	if n := slow.count(); n != 2 {
		t.Errorf("the slow one has %d calls at once", n)
	}
	close(hang)
	done(t, s, accept(t, s, 1, 1))
}

// A consumer that is down gets one trial after each rest, and no transaction pays with its tries.
func TestAConsumerThatIsDownIsLeftAlone(t *testing.T) {
	s := openSQLite(t)
	down := &sender{}
	down.set(func(context.Context, *delivery.Call) delivery.Result {
		return delivery.Result{Verdict: delivery.Passing, Down: true, Code: "status-500"}
	})
	m := start(t, s, nil, delivery.Consumer{
		Name: "orders", Order: delivery.OrderNone, Sender: down, Retry: delivery.Retry{First: time.Millisecond, Most: time.Millisecond, Attempts: 1000},
		Breaker: delivery.Breaker{Failures: 3, Rest: 100 * time.Millisecond},
	})
	stream := accept(t, s, 1, 40)
	m.Wake()
	eventually(t, func() error {
		if err := m.Health()["orders"]; err == nil {
			return errors.New("it is up")
		}
		return nil
	})
	before, began := down.count(), time.Now()
	time.Sleep(600 * time.Millisecond) // six rests
	if n := down.count() - before; n > 1+int(time.Since(began)/(90*time.Millisecond)) {
		t.Errorf("%d calls of a consumer that is down", n)
	}
	down.set(nil)
	done(t, s, stream)
	if m.Health()["orders"] != nil {
		t.Error(m.Health())
	}
}

// Retry-After silences the whole pool.
func TestRetryAfterIsHeeded(t *testing.T) {
	s := openSQLite(t)
	busy := &sender{}
	busy.set(func(context.Context, *delivery.Call) delivery.Result {
		return delivery.Result{Verdict: delivery.Passing, Code: "status-429", RetryAfter: 400 * time.Millisecond}
	})
	m := start(t, s, nil, delivery.Consumer{Name: "orders", Order: delivery.OrderStream, Concurrency: 1, Sender: busy, Retry: delivery.Retry{First: time.Millisecond, Most: time.Second}})
	stream := accept(t, s, 1, 5)
	m.Wake()
	eventually(t, func() error {
		if busy.count() == 0 {
			return errors.New("not asked")
		}
		return nil
	})
	began := time.Now()
	busy.set(nil)
	done(t, s, stream)
	if took := time.Since(began); took < 350*time.Millisecond {
		t.Errorf("it was asked again after %s", took)
	}
}

// What can't be delivered is held, or given up, after a permanent failure or enough tries; its lane waits or goes on.
func TestWhatCantBeDelivered(t *testing.T) {
	for name, c := range map[string]struct {
		verdict delivery.Verdict
		fail    bool
		retry   delivery.Retry
		want    string
		calls   int
	}{
		"permanent, held":   {delivery.Permanent, false, quick, "held", 1},
		"permanent, failed": {delivery.Permanent, true, quick, "failed", 1},
		"tries, held":       {delivery.Passing, false, delivery.Retry{First: time.Millisecond, Most: time.Millisecond, Attempts: 4}, "held", 4},
		"time, failed":      {delivery.Passing, true, delivery.Retry{First: 30 * time.Millisecond, Most: 30 * time.Millisecond, For: time.Millisecond}, "failed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSQLite(t)
			refusing := &sender{}
			refusing.set(func(_ context.Context, call *delivery.Call) delivery.Result {
				if call.Seq == 1 {
					return delivery.Result{Verdict: c.verdict, Code: "status-422", Detail: "d"}
				}
				return delivery.Result{Verdict: delivery.Confirmed}
			})
			m := start(t, s, nil, delivery.Consumer{Name: "orders", Order: delivery.OrderStream, Sender: refusing, Retry: c.retry, Fail: c.fail})
			stream := accept(t, s, 1, 2)
			m.Wake()
			want := []string{"1 orders " + c.want + " status-422", "2 orders delivered "}
			if !c.fail {
				want[1] = "2 orders waiting "
			}
			eventually(t, func() error {
				if got := statuses(t, s, stream); !slices.Equal(got, want) {
					return fmt.Errorf("%q, not %q", got, want)
				}
				return nil
			})
			changes, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Limit: 10})
			if err != nil || c.fail != (len(changes) > 0 && changes[0].Kind == holdfast.ChangeFailed && changes[0].Code == "status-422") {
				t.Errorf("%+v %v", changes, err)
			}
			if n := refusing.count(); c.fail && n != c.calls+1 || !c.fail && n != c.calls {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// A node that stops lets go at once of what it has claimed: another one does not wait for a lease.
func TestStoppingLetsGo(t *testing.T) {
	s := openSQLite(t)
	hang := &sender{}
	hang.set(func(ctx context.Context, _ *delivery.Call) delivery.Result {
		<-ctx.Done()
		return delivery.Result{Verdict: delivery.Passing, Code: "interrupted"}
	})
	consumer := delivery.Consumer{Name: "orders", Order: delivery.OrderNone, Concurrency: 3, Timeout: time.Minute, Sender: hang, Retry: quick}
	first := start(t, s, func(c *delivery.Config) { c.Lease = time.Hour }, consumer)
	stream := accept(t, s, 1, 20)
	first.Wake()
	eventually(t, func() error {
		if hang.count() < 3 {
			return errors.New("not asked")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	first.Stop(ctx)
	other := &sender{}
	consumer.Sender = other
	start(t, s, func(c *delivery.Config) { c.Node = "n2"; c.Lease = time.Hour }, consumer)
	done(t, s, stream)
	if n := other.count(); n != 20 {
		t.Errorf("%d calls", n)
	}
}

// away is a store that can't be reached for a while.
type away struct {
	store.Store
	mu   sync.Mutex
	gone bool
}

func (a *away) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return store.ErrUnavailable
	}
	return nil
}

func (a *away) set(gone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = gone
}

func (a *away) RenewDeliveries(ctx context.Context, all []store.DeliveryLease, lease time.Duration) ([]store.DeliveryLease, error) {
	if err := a.err(); err != nil {
		return nil, err
	}
	return a.Store.RenewDeliveries(ctx, all, lease)
}

func (a *away) FinishDeliveries(ctx context.Context, all []store.FinishedDelivery) ([]bool, error) {
	if err := a.err(); err != nil {
		return nil, err
	}
	return a.Store.FinishDeliveries(ctx, all)
}

// A node that can't renew its lease breaks its call off before another one may begin the same; what it did does not count.
func TestALostLeaseBreaksTheCallOff(t *testing.T) {
	s := &away{Store: openSQLite(t)}
	var ended time.Time
	var mu sync.Mutex
	hang := &sender{}
	hang.set(func(ctx context.Context, _ *delivery.Call) delivery.Result {
		<-ctx.Done()
		mu.Lock()
		defer mu.Unlock()
		ended = time.Now()
		return delivery.Result{Verdict: delivery.Confirmed, Reference: "late"}
	})
	consumer := delivery.Consumer{Name: "orders", Order: delivery.OrderNone, Timeout: time.Minute, Sender: hang, Retry: quick}
	m := start(t, s, func(c *delivery.Config) { c.Lease = 300 * time.Millisecond }, consumer)
	stream := accept(t, s, 1, 1)
	m.Wake()
	eventually(t, func() error {
		if hang.count() == 0 {
			return errors.New("not asked")
		}
		return nil
	})
	s.set(true)
	var began time.Time
	other := &sender{}
	other.set(func(context.Context, *delivery.Call) delivery.Result {
		mu.Lock()
		defer mu.Unlock()
		began = time.Now()
		return delivery.Result{Verdict: delivery.Confirmed, Reference: "R-2"}
	})
	consumer.Sender = other
	start(t, s.Store, func(c *delivery.Config) { c.Lease = 300 * time.Millisecond; c.Node = "n2" }, consumer)
	done(t, s, stream)
	s.set(false)
	mu.Lock()
	defer mu.Unlock()
	if ended.IsZero() || ended.After(began) {
		t.Errorf("the first call ended %s, the second began %s", ended, began)
	}
	found, err := s.Deliveries(t.Context(), holdfast.DeliveryQuery{Stream: stream, Limit: 1})
	if err != nil || found[0].Reference != "R-2" || found[0].Node != "n2" {
		t.Errorf("%+v %v", found, err)
	}
}

// The outcome that a person has been shown goes along; when the consumer answers another one, the device hears of it.
func TestPriorOutcomes(t *testing.T) {
	s := openSQLite(t)
	var prior []string
	var mu sync.Mutex
	consumer := &sender{}
	consumer.set(func(_ context.Context, c *delivery.Call) delivery.Result {
		mu.Lock()
		defer mu.Unlock()
		_, rest, _ := strings.Cut(string(c.Envelope), `"prior":`)
		prior = append(prior, rest[:min(len(rest), 30)])
		return delivery.Result{Verdict: delivery.Confirmed, Reference: fmt.Sprintf("R-%d", c.Seq)}
	})
	m := start(t, s, nil, delivery.Consumer{Name: "orders", Order: delivery.OrderStream, Sender: consumer})
	stream := accept(t, s, 1, 3, func(a *store.Append) {
		a.Batch.Prior = fmt.Appendf(nil, `{"%s":{"referenceNumber":"R-1"},"%s":{"referenceNumber":"R-99"}}`, a.Transactions[0].ID, a.Transactions[1].ID)
	})
	m.Wake()
	done(t, s, stream)
	changes, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Limit: 10})
	var kinds []string
	for _, c := range changes {
		kinds = append(kinds, string(c.Kind)+" "+c.Reference)
	}
	if err != nil || !slices.Equal(kinds, []string{"delivered R-1", "outcome-changed R-2", "delivered R-3"}) {
		t.Errorf("%q %v", kinds, err)
	}
	if !strings.HasPrefix(prior[0], `{"referenceNumber":"R-1"}`) || !strings.HasPrefix(prior[1], `{"referenceNumber":"R-99"}`) || prior[2] != "" {
		t.Errorf("%q", prior)
	}
}

// Consumers can be added and taken away; what was planned for one that is gone waits.
func TestReload(t *testing.T) {
	s := openSQLite(t)
	a, b := &sender{}, &sender{}
	consumer := func(name string, to delivery.Sender, after ...string) delivery.Consumer {
		return delivery.Consumer{Name: name, Order: delivery.OrderStream, Sender: to, After: after}
	}
	m := start(t, s, nil, consumer("a", a))
	done(t, s, accept(t, s, 1, 3))
	if err := m.Reload(t.Context(), []delivery.Consumer{consumer("b", b, "a")}); err == nil {
		t.Error("a consumer came after nobody")
	}
	if err := m.Reload(t.Context(), []delivery.Consumer{consumer("a", a), consumer("b", b, "a")}); err != nil {
		t.Fatal(err)
	}
	done(t, s, accept(t, s, 1, 3))
	if a.count() != 6 || b.count() != 3 {
		t.Errorf("%d and %d calls", a.count(), b.count())
	}
	if err := m.Reload(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	stream := accept(t, s, 1, 2)
	eventually(t, func() error {
		planned, log, err := s.PlannedThrough(t.Context())
		if err == nil && planned < log {
			err = errors.New("not planned")
		}
		return err
	})
	if got := statuses(t, s, stream); len(got) != 9 {
		t.Errorf("%q", got)
	}
}

// Configurations that can't be.
func TestConsumersThatCantBe(t *testing.T) {
	ok := delivery.Consumer{Name: "a", Sender: &sender{}}
	change := func(f func(*delivery.Consumer)) []delivery.Consumer {
		c := ok
		f(&c)
		return []delivery.Consumer{c}
	}
	for want, all := range map[string][]delivery.Consumer{
		"a consumer's name":   change(func(c *delivery.Consumer) { c.Name = "Größe" }),
		"order must be":       change(func(c *delivery.Consumer) { c.Order = "fifo" }),
		"concurrency must be": change(func(c *delivery.Consumer) { c.Concurrency = 257 }),
		"timeout must be":     change(func(c *delivery.Consumer) { c.Timeout = 2 * time.Hour }),
		"retry must have":     change(func(c *delivery.Consumer) { c.Retry = delivery.Retry{First: time.Minute, Most: time.Second} }),
		"breaker must have":   change(func(c *delivery.Consumer) { c.Breaker.Failures = -1 }),
		"no sender":           change(func(c *delivery.Consumer) { c.Sender = nil }),
		"types must be":       change(func(c *delivery.Consumer) { c.Types = []string{"pick.*.done"} }),
		"a is given twice":    {ok, ok},
		"a comes after a consumer that is not there: b": change(func(c *delivery.Consumer) { c.After = []string{"b"} }),
		"a comes after itself: a after a":               change(func(c *delivery.Consumer) { c.After = []string{"a"} }),
		"comes after itself":                            {{Name: "a", After: []string{"b"}, Sender: &sender{}}, {Name: "b", After: []string{"a"}, Sender: &sender{}}},
	} {
		if err := delivery.Check(all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
	if err := delivery.Check([]delivery.Consumer{ok}); err != nil {
		t.Error(err)
	}
}
