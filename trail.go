package holdfast

import (
	"context"
	"sync"
	"time"
)

// Trail is what the one log line of a request tells of its work; whoever does some
// of the work adds to it. Its methods may be called from many goroutines, and on nil,
// where nobody logs.
type Trail struct {
	mu     sync.Mutex
	fields map[string]any
	spent  map[string]time.Duration
}

type trailKey struct{}

// WithTrail returns a context that carries t.
func WithTrail(ctx context.Context, t *Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, t)
}

// TrailFrom returns what [WithTrail] put there, else nil.
func TrailFrom(ctx context.Context) *Trail {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	return t
}

// Set says something once; a later word wins.
func (t *Trail) Set(name string, value any) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fields == nil {
		t.fields = make(map[string]any, 8)
	}
	t.fields[name] = value
}

// Spent adds to the time that went into something; name it as a verb or a part: store.
func (t *Trail) Spent(on string, d time.Duration) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.spent == nil {
		t.spent = make(map[string]time.Duration, 4)
	}
	t.spent[on] += d
}

// Each calls put for everything that was said; times as <part>Ms, in milliseconds.
func (t *Trail) Each(put func(name string, value any)) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, value := range t.fields {
		put(name, value)
	}
	for on, d := range t.spent {
		put(on+"Ms", float64(d.Microseconds())/1000)
	}
}
