package auth

import "sync"

// recent remembers the values used last, up to a number, for many callers. When
// the young generation is full the old one is forgotten; what is used moves to
// the young one.
type recent[K comparable, V any] struct {
	mu         sync.Mutex
	most       int // of each generation
	young, old map[K]V
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{most: max(most/2, 1), young: make(map[K]V), old: make(map[K]V)}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if value, ok := r.young[key]; ok {
		return value, true
	}
	value, ok := r.old[key]
	if ok {
		r.keep(key, value)
	}
	return value, ok
}

func (r *recent[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(key, value)
}

func (r *recent[K, V]) keep(key K, value V) {
	delete(r.old, key)
	if _, held := r.young[key]; !held && len(r.young) >= r.most {
		r.old, r.young = r.young, make(map[K]V, r.most)
	}
	r.young[key] = value
}

func (r *recent[K, V]) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.young) + len(r.old)
}
