package group_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/group"
)

func never(int) bool { return false }

func TestCallsThatWaitAreTakenTogether(t *testing.T) {
	q := group.NewQueue[int](100)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := q.Do(t.Context(), i); (err != nil) != (i%2 == 1) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	odd := errors.New("odd")
	var calls []*group.Call[int]
	for taken := 0; taken < 20; {
		calls, _ = q.Take(calls[:0], never)
		taken += len(calls)
		for _, c := range calls {
			if c.Item%2 == 1 {
				c.Finish(odd)
			} else {
				c.Finish(nil)
			}
		}
	}
	wg.Wait()
}

func TestEnoughIsEnough(t *testing.T) {
	q := group.NewQueue[int](10)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { _ = q.Do(t.Context(), 1) })
	}
	weight := 0
	weigh := func(n int) bool { weight += n; return weight >= 4 }
	var calls []*group.Call[int]
	for len(calls) < 4 {
		if weight < 4 {
			calls = q.TakeWaiting(calls, weigh)
		}
	}
	if len(calls) != 4 {
		t.Fatalf("%d calls were taken", len(calls))
	}
	rest, _ := q.Take(nil, never)
	for len(rest) < 2 {
		rest = q.TakeWaiting(rest, never)
	}
	for _, c := range append(calls, rest...) {
		c.Finish(nil)
	}
	wg.Wait()
}

func TestTooManyWait(t *testing.T) {
	q := group.NewQueue[int](2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var refused atomic.Int32
	for range 5 {
		wg.Go(func() {
			if err := q.Do(ctx, 1); errors.Is(err, store.ErrOverloaded) {
				if refused.Add(1) == 3 {
					cancel()
				}
			} else if !errors.Is(err, store.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if refused.Load() != 3 {
		t.Fatalf("%d were refused", refused.Load())
	}
}

// A call that was given up before it was taken is never done; one that was given
// up later may have been.
func TestGivingUp(t *testing.T) {
	q := group.NewQueue[int](10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Do(ctx, 1); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if calls := q.TakeWaiting(nil, never); len(calls) != 0 {
		t.Fatal("a call was taken that nobody waits for")
	}
	ctx, cancel = context.WithCancel(t.Context())
	told := make(chan error)
	go func() { told <- q.Do(ctx, 2) }()
	calls, _ := q.Take(nil, never)
	cancel()
	if err := <-told; !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	calls[0].Finish(nil) // blocks nobody
}

func TestClose(t *testing.T) {
	q := group.NewQueue[int](10)
	told := make(chan error)
	go func() { told <- q.Do(context.Background(), 1) }()
	calls, _ := q.Take(nil, never)
	go func() { told <- q.Do(context.Background(), 2) }()
	q.Close()
	q.Close()
	if err := <-told; !errors.Is(err, store.ErrUnavailable) {
		t.Fatal("the call that waited:", err)
	}
	calls[0].Finish(nil)
	if err := <-told; err != nil {
		t.Fatal("the call that was taken:", err)
	}
	if err := q.Do(context.Background(), 3); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal("a call after the end:", err)
	}
	if calls, open := q.Take(nil, never); open || len(calls) > 0 {
		t.Fatal("the queue is still open")
	}
}

// Every call is answered once, whoever gives up when.
func TestRace(t *testing.T) {
	q := group.NewQueue[int](64)
	var done atomic.Int64
	var workers, callers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			var calls []*group.Call[int]
			for open := true; open; {
				calls, open = q.Take(calls[:0], never)
				for _, c := range calls {
					done.Add(1)
					c.Finish(nil)
				}
			}
		})
	}
	var ok, unknown atomic.Int64
	for range 16 {
		callers.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%50)*time.Microsecond)
				switch err := q.Do(ctx, i); {
				case err == nil:
					ok.Add(1)
				case errors.Is(err, store.ErrOutcomeUnknown):
					unknown.Add(1)
				}
				cancel()
			}
		})
	}
	callers.Wait()
	q.Close()
	workers.Wait()
	if ok.Load() > done.Load() || done.Load() > ok.Load()+unknown.Load() {
		t.Fatalf("%d done, %d told so, %d unknown", done.Load(), ok.Load(), unknown.Load())
	}
}
