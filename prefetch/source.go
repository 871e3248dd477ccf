package prefetch

import (
	"context"
	"math/rand/v2"
	"time"
)

// source is where resources come from: an upstream, a file, or the folder, which has many.
type source struct {
	name     string
	required bool
	local    bool
	every    time.Duration
	look     func(ctx context.Context) error // one refresh; it notes how that went
	turn     chan struct{}                   // one place: whoever refreshes
	soon     chan struct{}                   // one place: something is damaged, or asked for
	asked    time.Time                       // when a request's refresh ended; of whoever has Library.asking
}

// directoryName is the folder's; no resource can have it.
const directoryName = "."

// lookEvery is how often local files are looked at: their size and time of change, which costs next to nothing.
const lookEvery = 2 * time.Second

func (l *Library) addSources() {
	for _, r := range l.cfg.Resources {
		if r.Refresh == 0 {
			r.Refresh = l.cfg.Refresh
		}
		if r.URL != "" {
			l.add(&source{name: r.Name, required: r.Required, every: r.Refresh, look: l.upstream(r)})
		} else {
			l.add(&source{name: r.Name, required: r.Required, every: min(lookEvery, r.Refresh), local: true, look: l.file(r)})
		}
	}
	if l.cfg.Directory != "" {
		l.add(&source{name: directoryName, every: min(lookEvery, l.cfg.Refresh), local: true, look: l.directory})
	}
}

func (l *Library) add(s *source) {
	s.turn, s.soon = make(chan struct{}, 1), make(chan struct{}, 1)
	l.sources[s.name], l.health[s.name] = s, errUnread
}

// sourceOf is where a name comes from, or might; nil: from nowhere.
func (l *Library) sourceOf(name string) *source {
	if s := l.sources[name]; s != nil && name != directoryName {
		return s
	}
	return l.sources[directoryName]
}

// follow refreshes a source until ctx ends.
func (l *Library) follow(ctx context.Context, s *source) {
	for bad := 0; ctx.Err() == nil; {
		if l.refresh(ctx, s) == nil {
			bad = 0
		} else {
			bad++
		}
		s.rest(ctx, s.pause(bad))
	}
}

// refresh does it once; two of one source never overlap.
func (l *Library) refresh(ctx context.Context, s *source) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	if err := l.tidy(); err != nil {
		l.note(s.name, Failed, shownDisk(err))
		return err // where the index can't be written nothing else can
	}
	return s.look(ctx)
}

// leastPause is below what a random pause never goes.
const leastPause = 100 * time.Millisecond

// pause is how long after so many bad refreshes in a row the next one comes: any time up to 1 s, 2 s, 4 s …, so that nodes
// that failed together do not come back together.
func (s *source) pause(bad int) time.Duration {
	switch {
	case s.local:
		return s.every
	case bad == 0:
		return s.every - rand.N(s.every/10) //nolint:gosec // a spread, no secret
	}
	most := min(s.every, time.Second<<min(bad-1, 20))
	return max(leastPause, rand.N(most)) //nolint:gosec // a spread, no secret
}

// rest waits, or, when somebody is in a hurry, a second only: a disk that damages everything must not make us fetch
// all the time.
func (s *source) rest(ctx context.Context, pause time.Duration) {
	began := time.Now()
	whole := time.NewTimer(pause)
	defer whole.Stop()
	select {
	case <-whole.C:
		return
	case <-ctx.Done():
		return
	case <-s.soon:
	}
	short := time.NewTimer(min(pause, askRest) - time.Since(began))
	defer short.Stop()
	select {
	case <-short.C:
	case <-ctx.Done():
	}
}

// hurry makes the next refresh come soon.
func (s *source) hurry() {
	select {
	case s.soon <- struct{}{}:
	default:
	}
}
