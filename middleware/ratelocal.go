package middleware

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/go-chi/httprate"
)

// localShards keeps the counters of different keys out of each other's way.
const localShards = 16

// localCounter counts in the memory of this node, in httprate's counter.
type localCounter struct {
	seed   maphash.Seed
	shards [localShards]localShard
}

type localShard struct {
	mu      sync.Mutex
	counter httprate.LimitCounter
	window  time.Time // that keys counts for
	keys    int       // seen first in this window
	maxKeys int
}

func newLocalCounter(window time.Duration, maxKeys int) *localCounter {
	c := &localCounter{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].counter = httprate.NewLocalLimitCounter(window)
		c.shards[i].maxKeys = max(maxKeys/localShards, 1)
	}
	return c
}

// Take never fails.
func (c *localCounter) Take(_ context.Context, key string, w Window, limit int) (Usage, bool, error) {
	return c.shards[maphash.String(c.seed, key)%localShards].take(key, w, limit)
}

func (s *localShard) take(key string, w Window, limit int) (Usage, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.Start.After(s.window) {
		s.window, s.keys = w.Start, 0
	}
	w.Start = s.window // who looked at the clock just before the turn counts behind it
	current, previous, err := s.counter.Get(key, w.Start, w.Start.Add(-w.Length))
	usage := Usage{Current: current, Previous: previous}
	if err != nil || usage.rate(w.Elapsed)+1 > float64(limit) {
		return usage, false, err
	}
	if current == 0 {
		if s.keys >= s.maxKeys {
			return usage, true, nil
		}
		s.keys++
	}
	usage.Current++
	return usage, true, s.counter.IncrementBy(key, w.Start, 1)
}
