package delivery_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/sqlite"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

func openFile(t *testing.T) *sqlite.Store {
	t.Helper()
	return openSQLite(t).(*sqlite.Store)
}

// appendTo gives a stream of a store n transactions.
func appendTo(t *testing.T, s store.Store, stream int, shop string, n int) {
	t.Helper()
	a := storetest.Step(storetest.ID(0x55, stream), holdfast.Head{}, byte(stream), n)
	a.Next.Owner.Shop, a.Batch.Context.Shop = shop, shop
	a.Batch.Correlation = storetest.ID(0x56, stream)
	if err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

type watchedStore struct {
	*sqlite.Store
	claims atomic.Int64
	silent atomic.Bool // leases can't be renewed or taken
}

func (s *watchedStore) ClaimDeliveries(ctx context.Context, q store.ClaimQuery) (store.Claimed, error) {
	s.claims.Add(1)
	return s.Store.ClaimDeliveries(ctx, q)
}

func (s *watchedStore) RenewDeliveries(ctx context.Context, all []store.DeliveryLease, lease time.Duration) ([]store.DeliveryLease, error) {
	if s.silent.Load() {
		return nil, store.ErrUnavailable
	}
	return s.Store.RenewDeliveries(ctx, all, lease)
}

func (s *watchedStore) RecoverDeliveries(ctx context.Context) (int, error) {
	if s.silent.Load() {
		return 0, store.ErrUnavailable
	}
	return s.Store.RecoverDeliveries(ctx)
}

type senderFunc func(ctx context.Context, c *delivery.Call) delivery.Result

func (f senderFunc) Send(ctx context.Context, c *delivery.Call) delivery.Result { return f(ctx, c) }
func (senderFunc) Close() error                                                 { return nil }

func newMachine(t *testing.T, s delivery.Store, change func(*delivery.Config), consumers ...delivery.Consumer) *delivery.Machine {
	t.Helper()
	cfg := delivery.Config{Store: s, Consumers: consumers, Logger: quiet(), Node: "n", Poll: 50 * time.Millisecond, Random: func() float64 { return 1 }}
	if change != nil {
		change(&cfg)
	}
	m, err := delivery.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen: " + what)
		}
	}
}

func stopWithin(m *delivery.Machine, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m.Stop(ctx)
}

// Nothing is due, in as many stores as a claim looks at: a pool asks once a poll, and not as fast as it can.
func TestAPoolWithNothingDueRests(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	const shops = 20
	for i := range shops {
		appendTo(t, s, i+1, fmt.Sprintf("%04d", i), 1)
	}
	var calls atomic.Int64
	m := newMachine(t, s, nil, delivery.Consumer{
		Name: "orders", Order: delivery.OrderNone, Retry: delivery.Retry{First: time.Hour, Most: time.Hour},
		Sender: senderFunc(func(context.Context, *delivery.Call) delivery.Result {
			calls.Add(1)
			return delivery.Result{Verdict: delivery.Passing, Code: "x"}
		}),
	})
	m.Start()
	defer stopWithin(m, time.Second)
	until(t, "every one is called", func() bool { return calls.Load() == shops })
	time.Sleep(200 * time.Millisecond)
	before := s.claims.Load()
	time.Sleep(time.Second)
	if n := s.claims.Load() - before; n > 100 {
		t.Errorf("%d claims in a second with nothing due, want about 20", n)
	}
}

// A consumer that has confirmed has it: as long as nobody took the delivery over, that counts.
func TestAConfirmationIsNotThrownAway(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	appendTo(t, s, 1, "0042", 1)
	var calls atomic.Int64
	m := newMachine(t, s, func(c *delivery.Config) { c.Lease = 200 * time.Millisecond }, delivery.Consumer{
		Name:  "orders",
		Retry: delivery.Retry{First: time.Millisecond, Most: time.Millisecond},
		Sender: senderFunc(func(ctx context.Context, _ *delivery.Call) delivery.Result {
			calls.Add(1)
			<-ctx.Done() // the answer was complete at that moment
			return delivery.Result{Verdict: delivery.Confirmed, Reference: "R-1"}
		}),
	})
	s.silent.Store(true)
	m.Start()
	time.Sleep(700 * time.Millisecond)
	stopWithin(m, 2*time.Second)
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls after one was confirmed", n)
	}
}

// The gateway broke it off; that must not use a delivery's tries up and give it up.
func TestAStopGivesNothingUp(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	appendTo(t, s, 1, "0042", 1)
	var calls atomic.Int64
	m := newMachine(t, s, nil, delivery.Consumer{
		Name: "orders", Fail: true, Retry: delivery.Retry{Attempts: 1}, Timeout: time.Minute,
		Sender: senderFunc(func(ctx context.Context, _ *delivery.Call) delivery.Result {
			calls.Add(1)
			<-ctx.Done()
			return delivery.Result{Verdict: delivery.Passing, Code: "interrupted"} // as package rest says
		}),
	})
	m.Start()
	until(t, "a call", func() bool { return calls.Load() == 1 })
	stopWithin(m, 100*time.Millisecond)
	var all []holdfast.Delivery
	until(t, "it is recorded", func() bool {
		var err error
		all, err = s.Deliveries(t.Context(), holdfast.DeliveryQuery{Limit: 10})
		return err == nil && len(all) == 1 && all[0].Status != holdfast.DeliveryDelivering
	})
	if all[0].Status != holdfast.DeliveryWaiting {
		t.Errorf("a delivery that the shutdown broke off is %s", all[0].Status)
	}
}

// Health never waits, and one slow call keeps no other consumer's results back while the consumers are read anew.
func TestNothingWaitsForAReload(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	appendTo(t, s, 1, "0042", 1)
	var calls atomic.Int64
	consumer := delivery.Consumer{Name: "orders", Timeout: time.Minute, Sender: senderFunc(func(ctx context.Context, _ *delivery.Call) delivery.Result {
		calls.Add(1)
		<-ctx.Done()
		return delivery.Result{Verdict: delivery.Passing, Code: "interrupted"}
	})}
	m := newMachine(t, s, nil, consumer)
	m.Start()
	defer stopWithin(m, 100*time.Millisecond)
	until(t, "a call", func() bool { return calls.Load() == 1 })
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = m.Reload(ctx, []delivery.Consumer{consumer})
	}()
	time.Sleep(100 * time.Millisecond)
	for name, ask := range map[string]func(){"Health": func() { m.Health() }, "WakePools": m.WakePools} {
		began := time.Now()
		ask()
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("%s waited %s for a reload", name, took)
		}
	}
	<-reloaded
}

// The consumers are read anew before the database was there (SIGHUP while it is down): the pools of then must not stay beside those of Start.
func TestAReloadBeforeTheStart(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	for i := range 10 {
		appendTo(t, s, i+1, "0042", 1)
	}
	var now, most, calls atomic.Int64
	consumer := delivery.Consumer{Name: "orders", Concurrency: 1, Sender: senderFunc(func(context.Context, *delivery.Call) delivery.Result {
		n := now.Add(1)
		defer now.Add(-1)
		most.Store(max(most.Load(), n))
		time.Sleep(20 * time.Millisecond)
		calls.Add(1)
		return delivery.Result{Verdict: delivery.Confirmed}
	})}
	consumer.Order = delivery.OrderNone
	m := newMachine(t, s, nil, consumer)
	if err := m.Reload(t.Context(), []delivery.Consumer{consumer}); err != nil {
		t.Fatal(err)
	}
	m.Start()
	until(t, "all are called", func() bool { return calls.Load() == 10 })
	stopWithin(m, time.Second)
	if most.Load() > 1 {
		t.Errorf("%d calls at once, want 1", most.Load())
	}
	before := s.claims.Load()
	time.Sleep(200 * time.Millisecond)
	if n := s.claims.Load() - before; n > 0 {
		t.Errorf("%d claims after the stop; the next result panics on a closed channel", n)
	}
}

// More results wait than their channel holds: who stops must not hold the lock that who records them wants.
func TestAStopWithManyResults(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	for i := range 6 {
		appendTo(t, s, i+1, fmt.Sprintf("%04d", i), 300)
	}
	var calls atomic.Int64
	release := make(chan struct{})
	var all []delivery.Consumer
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		all = append(all, delivery.Consumer{
			Name: name, Concurrency: 256, Order: delivery.OrderNone, Timeout: time.Minute,
			Sender: senderFunc(func(context.Context, *delivery.Call) delivery.Result {
				calls.Add(1)
				<-release
				return delivery.Result{Verdict: delivery.Confirmed}
			}),
		})
	}
	m := newMachine(t, s, nil, all...)
	m.Start()
	until(t, "all workers are busy", func() bool { return calls.Load() == 5*256 })
	time.Sleep(time.Second) // they have as many again in their hands
	if counts, err := s.CountDeliveries(t.Context()); err == nil {
		t.Log(counts)
	}
	stopped := make(chan struct{})
	go func() { stopWithin(m, 5*time.Second); close(stopped) }()
	time.Sleep(200 * time.Millisecond)
	close(release)
	select {
	case <-stopped:
	case <-time.After(15 * time.Second):
		t.Fatal("the stop never ends")
	}
}

// The consumer asked for silence; what was claimed before waits as well.
func TestRetryAfterSilencesTheQueue(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	appendTo(t, s, 1, "0042", 10)
	var calls atomic.Int64
	m := newMachine(t, s, nil, delivery.Consumer{
		Name: "orders", Concurrency: 1, Order: delivery.OrderNone,
		Sender: senderFunc(func(context.Context, *delivery.Call) delivery.Result {
			calls.Add(1)
			time.Sleep(100 * time.Millisecond)
			return delivery.Result{Verdict: delivery.Passing, Code: "status-429", RetryAfter: time.Minute}
		}),
	})
	m.Start()
	defer stopWithin(m, time.Second)
	time.Sleep(time.Second)
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1: the first answer asked for a minute of silence", n)
	}
}

// What waits for its files says nothing of the consumer: it must not close the breaker of one that is down.
func TestMissingFilesCloseNoBreaker(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	appendTo(t, s, 1, "0042", 6)
	a := storetest.Step(storetest.ID(0x55, 2), holdfast.Head{}, 2, 1)
	digest := holdfast.HashOf([]byte("x"))
	a.Transactions[0].Raw = fmt.Appendf(nil, `{"type":"pick.completed","payload":{},"attachments":[{"sha256":"%s","size":1}]}`, digest)
	a.Transactions[0].Attachments = []holdfast.AttachmentRef{{Digest: digest, Size: 1}}
	var downs atomic.Int64
	m := newMachine(t, s, nil, delivery.Consumer{
		Name: "orders", Concurrency: 1, Order: delivery.OrderNone, Files: true,
		Retry: delivery.Retry{First: time.Hour, Most: time.Hour}, Breaker: delivery.Breaker{Failures: 5, Rest: 100 * time.Millisecond},
		Sender: senderFunc(func(context.Context, *delivery.Call) delivery.Result {
			downs.Add(1)
			return delivery.Result{Verdict: delivery.Passing, Code: "unreachable", Down: true}
		}),
	})
	m.Start()
	defer stopWithin(m, time.Second)
	until(t, "it is down", func() bool { return downs.Load() == 6 && m.Health()["orders"] != nil })
	if err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	m.Wake()
	time.Sleep(700 * time.Millisecond)
	if m.Health()["orders"] == nil {
		t.Error("a delivery that waits for a file has closed the breaker of a consumer that never answered")
	}
}

// The consumer is down and what waits for it is due later: the pool that may try again does not ask as fast as it can.
func TestAPoolOfAConsumerThatIsDownRests(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	appendTo(t, s, 1, "0042", 1)
	var calls atomic.Int64
	m := newMachine(t, s, nil, delivery.Consumer{
		Name: "orders", Retry: delivery.Retry{First: time.Hour, Most: time.Hour},
		Breaker: delivery.Breaker{Failures: 1, Rest: 10 * time.Millisecond},
		Sender: senderFunc(func(context.Context, *delivery.Call) delivery.Result {
			calls.Add(1)
			return delivery.Result{Verdict: delivery.Passing, Code: "unreachable", Down: true}
		}),
	})
	m.Start()
	defer stopWithin(m, time.Second)
	until(t, "a call", func() bool { return calls.Load() == 1 })
	time.Sleep(200 * time.Millisecond)
	before := s.claims.Load()
	time.Sleep(time.Second)
	if n := s.claims.Load() - before; n > 100 {
		t.Errorf("%d claims in a second with nothing due, want about 20", n)
	}
}

// A call that hangs keeps no confirmation of another one from being recorded when the node stops: it would be made again.
func TestAStopRecordsWhatWasConfirmed(t *testing.T) {
	s := &watchedStore{Store: openFile(t)}
	appendTo(t, s, 1, "0042", 5)
	var began, ended atomic.Int64
	release := make(chan struct{})
	hangs := delivery.Consumer{Name: "hangs", Concurrency: 1, Timeout: time.Minute, Sender: senderFunc(func(ctx context.Context, _ *delivery.Call) delivery.Result {
		<-ctx.Done()
		return delivery.Result{Verdict: delivery.Passing, Code: "interrupted"}
	})}
	works := delivery.Consumer{Name: "works", Order: delivery.OrderNone, Timeout: time.Minute, Sender: senderFunc(func(context.Context, *delivery.Call) delivery.Result {
		n := began.Add(1)
		<-release
		time.Sleep(time.Duration(n) * 100 * time.Millisecond)
		ended.Add(1)
		return delivery.Result{Verdict: delivery.Confirmed, Reference: "R-1"}
	})}
	m := newMachine(t, s, nil, hangs, works)
	m.Start()
	until(t, "the calls", func() bool { return began.Load() == 5 })
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	stopWithin(m, 3*time.Second)
	all, err := s.Deliveries(t.Context(), holdfast.DeliveryQuery{Consumer: "works", Statuses: []holdfast.DeliveryStatus{holdfast.DeliveryDelivered}, Limit: 10})
	if err != nil || int64(len(all)) != ended.Load() {
		t.Errorf("%d of %d confirmed calls are recorded, more than two seconds after the last one: %v", len(all), ended.Load(), err)
	}
}
