package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// P4: the memory may be flushed, lie, hang or be gone, and no answer changes.
func TestRedisIsFlushedLiesHangsAndDies(t *testing.T) {
	r := testserver.Redis(t)
	url := testserver.Postgres(t).NewDatabase(t)
	var nodes []*harness.Node
	for range 2 {
		nodes = append(nodes, harness.Start(t, harness.Options{DatabaseURL: url, Env: map[string]string{"HOLDFAST_REDIS_URL": r.URL()}}))
	}
	c := redis.NewClient(&redis.Options{Addr: r.Addr()})
	defer c.Close()
	ctx, s, other := context.Background(), harness.NewStream(1), harness.NewStream(2)
	at := int64(0)
	next := func(what string) {
		t.Helper()
		for _, n := range nodes {
			first := at + 1
			a := s.Send(n, harness.ID(1, int(first)), first, first+1)
			if a.Status != 201 || a.Header.Get("Idempotency-Replayed") != "" || a.Document(t)["digest"] != s.Digest(first+1) {
				t.Fatalf("%s: %d %s", what, a.Status, a.Body)
			}
			at += 2
			if replay := s.Send(n, harness.ID(1, int(first)), first, first+1); replay.Status != 201 || replay.Header.Get("Idempotency-Replayed") != "true" {
				t.Fatalf("%s: %d %s", what, replay.Status, replay.Body)
			}
			if gap := s.Send(n, harness.ID(3, int(first)), at+5, at+6); gap.Code() != "sequence-gap" {
				t.Fatalf("%s: %d %s", what, gap.Status, gap.Body)
			}
		}
		s.Check(t, nodes[0], at)
	}
	next("at first")
	for range 30 {
		other.Send(nodes[0], harness.ID(2, 1), 1, 3)
	}
	keys := func() []string {
		all, err := c.Keys(ctx, "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	harness.Eventually(t, 5*time.Second, func() error {
		if len(keys()) < 2 {
			return context.DeadlineExceeded
		}
		return nil
	})
	c.FlushAll(ctx)
	next("flushed")
	// An old truth: every key is put back to what it was two batches ago.
	old := map[string]string{}
	for _, k := range keys() {
		old[k] = c.Get(ctx, k).Val()
	}
	next("before the lie")
	for k, v := range old {
		c.Set(ctx, k, v, 0)
	}
	next("an old truth")
	// Another stream's truth, and rubbish.
	all := keys()
	for i, k := range all {
		c.Set(ctx, k, c.Get(ctx, all[(i+1)%len(all)]).Val(), 0)
	}
	next("another stream's truth")
	for _, k := range keys() {
		c.Set(ctx, k, "rubbish", 0)
	}
	next("rubbish")
	r.Pause()
	began := time.Now()
	next("silent")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a silent Redis cost %s", took)
	}
	r.Resume()
	r.Kill()
	next("dead")
	if a := nodes[0].Must("GET", "/readyz", nil); a.Status != 200 {
		t.Errorf("without Redis the node is not ready: %d", a.Status)
	}
	harness.Eventually(t, 15*time.Second, func() error {
		app, _ := nodes[0].Must("GET", "/v1/health", nil).Document(t)["app"].(map[string]any)
		if app["state"] != "DEGRADED" {
			return context.DeadlineExceeded
		}
		return nil
	})
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	next("back again")
}
