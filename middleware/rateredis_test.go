package middleware

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
)

// newNode is a rate limiter of one node that shares the Redis.
func newNode(t *testing.T, addr string, limit int, clock *rateClock, change func(*RedisCounterConfig)) (*Admission, *logtest.Hook) {
	t.Helper()
	log, hook := newLog()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	cfg := RedisCounterConfig{Client: client, Log: log, Timeout: time.Second, Pause: 50 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	l, err := NewRateLimiter(RateConfig{Limit: limit, Now: clock.now, Shared: NewRedisCounter(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	return NewAdmission(nil, l), hook
}

func TestNodesCountTogether(t *testing.T) {
	s, clock := newRedisServer(t), newRateClock()
	var in atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		node, _ := newNode(t, s.addr, 100, clock, nil)
		for range 4 {
			wg.Go(func() { in.Add(int64(admitted(node, as("d", ""), 50))) })
		}
	}
	wg.Wait()
	if in.Load() != 100 {
		t.Fatalf("three nodes let %d in, want 100", in.Load())
	}
	node, _ := newNode(t, s.addr, 100, clock, nil)
	if n := admitted(node, as("other", ""), 101); n != 100 {
		t.Fatalf("%d let in for another device", n)
	}
	clock.advance(90 * time.Second) // half of the window before still counts
	if n := admitted(node, as("d", ""), 100); n != 50 {
		t.Fatalf("%d let in half a window later, want 50", n)
	}
}

func TestCountsInRedisEnd(t *testing.T) {
	s, clock := newRedisServer(t), newRateClock()
	node, _ := newNode(t, s.addr, 100, clock, nil)
	admitted(node, as("a device {with} braces\n", ""), 3)
	keys := s.client().Keys(context.Background(), "*").Val()
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "holdfast:rate:{") || strings.Contains(keys[0], "device") {
		t.Fatalf("keys %q", keys)
	}
	if ttl := s.client().PTTL(context.Background(), keys[0]).Val(); ttl <= time.Minute || ttl > 2*time.Minute {
		t.Fatalf("kept for %v, want two windows", ttl)
	}
}

func TestDeadRedisLeavesTheLocalCount(t *testing.T) {
	s, clock := newRedisServer(t), newRateClock()
	node, log := newNode(t, s.addr, 10, clock, nil)
	if n := admitted(node, as("d", ""), 5); n != 5 {
		t.Fatalf("%d let in", n)
	}
	s.kill()
	began := time.Now()
	if n := admitted(node, as("d", ""), 1000); n != 10 {
		t.Fatalf("%d let in by the node's own count, want 10", n)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Fatalf("1,000 requests beside a dead Redis took %v", took)
	}
	s.start()
	eventually(t, "Redis counts again", func() bool {
		_ = node.Admit(as("probe", ""))
		return len(s.client().Keys(context.Background(), "*").Val()) > 0
	})
	eventually(t, "there is a warning each way", func() bool { return len(warningsOf(log)) == 2 })
}

func TestHangingRedisCostsFewTimeouts(t *testing.T) {
	s, clock := newRedisServer(t), newRateClock()
	node, _ := newNode(t, s.addr, 10, clock, func(c *RedisCounterConfig) { c.Timeout, c.Pause = 50*time.Millisecond, time.Hour })
	s.hang()
	began := time.Now()
	if n := admitted(node, as("d", ""), 1000); n != 10 {
		t.Fatalf("%d let in by the node's own count, want 10", n)
	}
	if took := time.Since(began); took > 5*time.Second { // 1,000 timeouts would be 50 s
		t.Fatalf("1,000 requests beside a hanging Redis took %v", took)
	}
}

func TestGarbageInTheCountIsNotAnError(t *testing.T) {
	s, clock := newRedisServer(t), newRateClock()
	node, _ := newNode(t, s.addr, 10, clock, nil)
	w := Window{Start: clock.now().Truncate(time.Minute), Length: time.Minute}
	for i, put := range []func(key string) error{
		func(k string) error { return s.client().Set(context.Background(), k, "garbage", 0).Err() },
		func(k string) error { return s.client().RPush(context.Background(), k, "x").Err() },
	} {
		device := fmt.Sprint("d", i)
		if err := put(countKeys("device:"+device, w)[0]); err != nil {
			t.Fatal(err)
		}
		if n := admitted(node, as(device, ""), 50); n != 10 {
			t.Errorf("%d let in, want 10 by the node's own count", n)
		}
	}
	if n := admitted(node, as("sound", ""), 50); n != 10 || len(s.client().Keys(context.Background(), countKeys("device:sound", w)[0]).Val()) != 1 {
		t.Errorf("%d let in for a sound count; Redis is left alone because of garbage", n)
	}
}

func TestClientThatLeavesDoesNotMakeRedisLookDead(t *testing.T) {
	s, clock := newRedisServer(t), newRateClock()
	node, log := newNode(t, s.addr, 1000, clock, nil)
	ctx, cancel := context.WithCancel(as("d", ""))
	cancel()
	if n := admitted(node, ctx, 100); n != 100 {
		t.Fatalf("%d let in", n)
	}
	if w := warningsOf(log); len(w) != 0 {
		t.Fatalf("warnings %v", w)
	}
}

func warningsOf(h *logtest.Hook) (found []*logrus.Entry) {
	for _, e := range h.AllEntries() {
		if e.Level == logrus.WarnLevel {
			found = append(found, e)
		}
	}
	return found
}

// What a Redis that is gone costs.
func BenchmarkAdmitBesideDeadRedis(b *testing.B) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	log, _ := newLog()
	l, _ := NewRateLimiter(RateConfig{Limit: 1 << 30, Shared: NewRedisCounter(RedisCounterConfig{Client: client, Log: log})})
	a := NewAdmission(nil, l)
	b.ReportAllocs()
	for b.Loop() {
		_ = a.Admit(as("device", ""))
	}
}
