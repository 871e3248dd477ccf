package middleware

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

type rateClock struct{ at atomic.Int64 }

func newRateClock() *rateClock {
	c := &rateClock{}
	c.at.Store(fixedTime().UnixNano())
	return c
}

func (c *rateClock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *rateClock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newTestLimiter(t *testing.T, limit int, change func(*RateConfig)) (*Admission, *rateClock) {
	t.Helper()
	clock := newRateClock()
	cfg := RateConfig{Limit: limit, Now: clock.now}
	if change != nil {
		change(&cfg)
	}
	l, err := NewRateLimiter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return NewAdmission(nil, l), clock
}

func as(device, tokenSubject string) context.Context {
	ctx := holdfast.WithRequestContext(context.Background(), holdfast.RequestContext{Device: device})
	return holdfast.WithPrincipal(ctx, holdfast.Principal{Subject: tokenSubject})
}

// admitted counts how many of n requests are let in.
func admitted(a *Admission, ctx context.Context, n int) (in int) { //nolint:revive // the requests are of that context
	for range n {
		if a.Admit(ctx) == nil {
			in++
		}
	}
	return in
}

func TestRateLimitAnswers429WithTheTimeToWait(t *testing.T) {
	a, clock := newTestLimiter(t, 10, nil)
	if in := admitted(a, as("d1", ""), 10); in != 10 {
		t.Fatalf("%d of the first 10 are let in", in)
	}
	var e *holdfast.Error
	if err := a.Admit(as("d1", "")); !errors.As(err, &e) || e.Code != holdfast.CodeRateLimited {
		t.Fatalf("the 11th: %v", err)
	}
	if e.RetryAfter < time.Second || e.RetryAfter > 2*time.Minute {
		t.Fatalf("Retry-After of %v", e.RetryAfter)
	}
	clock.advance(e.RetryAfter - 2*time.Second)
	if err := a.Admit(as("d1", "")); err == nil {
		t.Fatal("let in long before the time that was told")
	}
	clock.advance(2 * time.Second)
	if err := a.Admit(as("d1", "")); err != nil {
		t.Fatalf("not let in when the time told has come: %v", err)
	}
}

func TestRetryAfterIsEnoughWhereverTheWindowIs(t *testing.T) {
	for offset := time.Duration(0); offset < time.Minute; offset += 7 * time.Second {
		for _, limit := range []int{1, 2, 7, 100} {
			a, clock := newTestLimiter(t, limit, nil)
			clock.advance(offset)
			admitted(a, as("d", ""), limit)
			clock.advance(40 * time.Second)
			admitted(a, as("d", ""), limit)
			var e *holdfast.Error
			if !errors.As(a.Admit(as("d", "")), &e) {
				t.Fatalf("offset %v, limit %d: still let in", offset, limit)
			}
			clock.advance(e.RetryAfter)
			if err := a.Admit(as("d", "")); err != nil {
				t.Fatalf("offset %v, limit %d: refused %v later: %v", offset, limit, e.RetryAfter, err)
			}
		}
	}
}

func TestRateLimitSlides(t *testing.T) {
	a, clock := newTestLimiter(t, 60, nil)
	clock.advance(59 * time.Second)
	if in := admitted(a, as("d", ""), 100); in != 60 {
		t.Fatalf("%d let in, want 60", in)
	}
	clock.advance(2 * time.Second) // another window of the clock, but the same minute
	if in := admitted(a, as("d", ""), 100); in > 1 {
		t.Fatalf("%d let in right behind the turn of the window", in)
	}
	clock.advance(30 * time.Second)
	if in := admitted(a, as("d", ""), 100); in < 28 || in > 32 {
		t.Fatalf("%d let in half a window later, want some 30", in)
	}
	clock.advance(10 * time.Minute)
	if in := admitted(a, as("d", ""), 100); in != 60 {
		t.Fatalf("%d let in after a long silence, want 60", in)
	}
}

func TestRateLimitCountsForEachKey(t *testing.T) {
	a, _ := newTestLimiter(t, 3, nil)
	for _, ctx := range []context.Context{as("d1", ""), as("d2", ""), as("", "t1"), as("", "t2"), as("t1", "")} {
		if in := admitted(a, ctx, 5); in != 3 {
			t.Errorf("%d let in, want 3", in)
		}
	}
	if in := admitted(a, as("d1", "t9"), 1); in != 0 {
		t.Error("the device counts, whatever token it comes with")
	}
	if in := admitted(a, context.Background(), 100); in != 100 {
		t.Errorf("%d of 100 that nobody is named for are let in, want all", in)
	}
}

func TestRateLimitCountsExactlyUnderRaces(t *testing.T) {
	a, _ := newTestLimiter(t, 100, nil)
	var in atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { in.Add(int64(admitted(a, as("d", ""), 50))) })
	}
	wg.Wait()
	if in.Load() != 100 {
		t.Fatalf("%d let in, want 100", in.Load())
	}
}

func TestRateLimitHasBoundedMemory(t *testing.T) {
	a, clock := newTestLimiter(t, 1, func(c *RateConfig) { c.MaxKeys = 160 })
	for i := range 10_000 {
		_ = a.Admit(as(fmt.Sprint("device ", i), ""))
	}
	counted := 0
	for i := range 10_000 {
		if a.Admit(as(fmt.Sprint("device ", i), "")) != nil {
			counted++
		}
	}
	if counted > 160 || counted < 100 {
		t.Fatalf("%d keys are counted, want at most 160", counted)
	}
	clock.advance(3 * time.Minute)
	if in := admitted(a, as("new", ""), 2); in != 1 {
		t.Fatalf("%d let in for a new key in a new window, want 1", in)
	}
}

// counter is a shared counter that answers as told.
type counter struct {
	err   error
	ok    bool
	asked int
}

func (c *counter) Take(context.Context, string, Window, int) (Usage, bool, error) {
	c.asked++
	return Usage{Current: 5}, c.ok, c.err
}

func TestSharedCounterDecidesWhileItAnswers(t *testing.T) {
	shared := &counter{ok: true}
	a, _ := newTestLimiter(t, 2, func(c *RateConfig) { c.Shared = shared })
	if in := admitted(a, as("d", ""), 5); in != 5 || shared.asked != 5 {
		t.Fatalf("%d let in, asked %d times", in, shared.asked)
	}
	shared.ok = false
	if in := admitted(a, as("d", ""), 5); in != 0 {
		t.Fatalf("%d let in against the shared counter", in)
	}
	shared.err = errors.New("gone")
	if in := admitted(a, as("d", ""), 5); in != 2 {
		t.Fatalf("%d let in by the local counter, want 2", in)
	}
}

func TestRateConfigThatCannotBe(t *testing.T) {
	for name, c := range map[string]RateConfig{"no limit": {}, "negative window": {Limit: 1, Window: -1}, "negative keys": {Limit: 1, MaxKeys: -1}} {
		if _, err := NewRateLimiter(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	l, _ := NewRateLimiter(RateConfig{Limit: 1 << 30})
	a := NewAdmission(&Drain{}, l)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx := as("device", "")
		for pb.Next() {
			_ = a.Admit(ctx)
		}
	})
}
