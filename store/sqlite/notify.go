package sqlite

import (
	"context"
	"sync"

	"github.com/holdfast-sync/holdfast/store"
)

// listeners hear what this process does; no other one works on the file.
type listeners struct {
	mu  sync.Mutex
	all map[int]func(store.Notice)
	n   int
}

// Notices tells until ctx is done.
func (s *Store) Notices(ctx context.Context, heard func(store.Notice)) {
	s.listeners.mu.Lock()
	if s.listeners.all == nil {
		s.listeners.all = map[int]func(store.Notice){}
	}
	s.listeners.n++
	own := s.listeners.n
	s.listeners.all[own] = heard
	s.listeners.mu.Unlock()
	heard(store.Notice{All: true, Work: true})
	<-ctx.Done()
	s.listeners.mu.Lock()
	defer s.listeners.mu.Unlock()
	delete(s.listeners.all, own)
}

func (s *Store) tell(n store.Notice) {
	s.listeners.mu.Lock()
	defer s.listeners.mu.Unlock()
	for _, heard := range s.listeners.all {
		heard(n)
	}
}
