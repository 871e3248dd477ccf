package prefetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// The bounds of refreshes because of requests: one at a time, each name once in askRest, and none longer than askPatience,
// so that one slow upstream is not in the way of all; what takes longer is begun again in the background.
const (
	askRest     = time.Second
	askPatience = 5 * time.Second
)

// Open finds a resource by name and digest: the current version, or the one before. Its reader is for
// one goroutine, is closed by the caller, and gives exactly these octets or an error; [http.ServeContent] may be given it.
//
// A digest that this node does not have may be one that another node just listed, so the name is refreshed
// before it is [ErrNotFound]. The other errors are ctx's and those of the disk.
func (l *Library) Open(ctx context.Context, name string, digest holdfast.Hash) (io.ReadSeekCloser, Entry, error) {
	r, e, err := l.open(name, digest)
	if !errors.Is(err, ErrNotFound) {
		return r, e, err
	}
	l.ask(ctx, name, digest)
	if err := ctx.Err(); err != nil {
		return nil, Entry{}, err
	}
	return l.open(name, digest)
}

func (l *Library) open(name string, digest holdfast.Hash) (io.ReadSeekCloser, Entry, error) {
	e, ok := l.find(name, digest)
	if !ok {
		return nil, Entry{}, ErrNotFound
	}
	r, err := l.shelf.open(digest)
	if errors.Is(err, errDamaged) {
		l.forget(digest)
		return nil, Entry{}, ErrNotFound
	}
	if err != nil {
		return nil, Entry{}, fmt.Errorf("prefetch: %w", err)
	}
	r.damaged = func() { l.forget(digest) }
	return r, e, nil
}

// find looks among all versions that are kept.
func (l *Library) find(name string, digest holdfast.Hash) (Entry, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if t := l.names[name]; t != nil {
		for _, e := range t.versions {
			if e.SHA256 == digest {
				return l.told(e), true
			}
		}
	}
	return Entry{}, false
}

// ask refreshes a name because of a request, and waits for it.
func (l *Library) ask(ctx context.Context, name string, digest holdfast.Hash) {
	s := l.sourceOf(name)
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	select {
	case l.asking <- struct{}{}:
	case <-ctx.Done():
		return
	}
	select {
	case <-l.refreshFor(s, name, digest):
	case <-ctx.Done():
	}
}

// refreshFor begins a refresh for a request, unless one that waited before it found the digest or asked just now; the
// channel is closed at its end. The caller has asking, which is given back then.
func (l *Library) refreshFor(s *source, name string, digest holdfast.Hash) <-chan struct{} {
	done := make(chan struct{})
	end := func() { <-l.asking; close(done) }
	l.life.Lock()
	defer l.life.Unlock()
	_, found := l.find(name, digest)
	recent := !s.asked.IsZero() && time.Since(s.asked) < askRest
	if found || recent || l.running == nil || l.running.Err() != nil {
		end()
		return done
	}
	running := l.running
	l.ended.Go(func() {
		defer end()
		ctx, cancel := context.WithTimeout(running, askPatience)
		defer cancel()
		if _ = l.refresh(ctx, s); ctx.Err() != nil { // Health tells of other errors
			s.hurry()
		}
		s.asked = time.Now()
	})
	return done
}
