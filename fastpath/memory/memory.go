// Package memory remembers heads of streams in this process.
package memory

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// DefaultStreams is how many streams are remembered unless told: some 25 MB.
const DefaultStreams = 100_000

// shards keep different streams out of each other's way.
const shards = 64

// Memory is a bounded memory of heads; safe for concurrent use. Each shard keeps
// two generations: what is used moves to the young one, and when that is full,
// the old one is forgotten. So the streams used last are kept, at no cost beyond
// a map's.
type Memory struct {
	now    func() time.Time
	shards [shards]shard
}

type shard struct {
	mu         sync.Mutex
	young, old map[key]entry
	most       int // of each generation
}

type key struct{ epoch, stream holdfast.ID }

type entry struct {
	head holdfast.Head
	at   time.Time
}

// New remembers up to streams heads, [DefaultStreams] for 0. Between half of them
// and all of them are the ones used last.
func New(streams int) *Memory { return WithClock(streams, time.Now) }

// WithClock is New with a clock, for the ages that [Memory.Fresh] asks for.
func WithClock(streams int, now func() time.Time) *Memory {
	if streams <= 0 {
		streams = DefaultStreams
	}
	m := &Memory{now: now}
	for i := range m.shards {
		m.shards[i].young = make(map[key]entry)
		m.shards[i].most = max(streams/(2*shards), 1)
	}
	return m
}

// Head is what was remembered, however long ago.
func (m *Memory) Head(_ context.Context, epoch, stream holdfast.ID) (holdfast.Head, bool) {
	e, ok := m.shard(stream).get(key{epoch, stream})
	return e.head, ok
}

// Fresh is what was remembered no longer than age ago.
func (m *Memory) Fresh(epoch, stream holdfast.ID, age time.Duration) (holdfast.Head, bool) {
	e, ok := m.shard(stream).get(key{epoch, stream})
	if !ok || m.now().Sub(e.at) > age {
		return holdfast.Head{}, false
	}
	return e.head, true
}

// Remember replaces what was remembered.
func (m *Memory) Remember(epoch, stream holdfast.ID, head holdfast.Head) {
	m.shard(stream).put(key{epoch, stream}, entry{head, m.now()})
}

// Len is how many heads are held now.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}

// shard mixes all of the id: a client that makes its ids badly shares shards
// with nobody but itself.
func (m *Memory) shard(stream holdfast.ID) *shard {
	h := binary.LittleEndian.Uint64(stream[:8]) ^ binary.LittleEndian.Uint64(stream[8:])
	h *= 0x9e3779b97f4a7c15 // 2^64 / golden ratio: spreads neighbours
	return &m.shards[h>>58]
}

func (s *shard) get(k key) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.young[k]
	if ok {
		return e, true
	}
	if e, ok = s.old[k]; ok {
		delete(s.old, k)
		s.keep(k, e)
	}
	return e, ok
}

func (s *shard) put(k key, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.old, k)
	s.keep(k, e)
}

func (s *shard) keep(k key, e entry) {
	if _, held := s.young[k]; !held && len(s.young) >= s.most {
		s.old, s.young = s.young, make(map[key]entry, s.most)
	}
	s.young[k] = e
}
