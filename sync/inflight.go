package sync

import (
	stdsync "sync"

	"github.com/holdfast-sync/holdfast/store"
)

// inFlight knows which batches this node is working on. It only spares a second
// copy the work and tells it to wait; the store alone decides between nodes.
type inFlight struct {
	shards [64]struct {
		mu   stdsync.Mutex
		keys map[store.Key]struct{}
	}
}

// claim says whether nobody else here works on the batch; then release must follow.
func (f *inFlight) claim(k store.Key) bool {
	s := &f.shards[k.Correlation[15]%64]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, busy := s.keys[k]; busy {
		return false
	}
	if s.keys == nil {
		s.keys = make(map[store.Key]struct{})
	}
	s.keys[k] = struct{}{}
	return true
}

func (f *inFlight) release(k store.Key) {
	s := &f.shards[k.Correlation[15]%64]
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, k)
}
