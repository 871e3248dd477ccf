package sites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// failuresInARow open the breaker.
const failuresInARow = 3

// guard is one site behind its breaker.
type guard struct {
	objectstore.Store
	name     string
	patience time.Duration
	breaker  circuitbreaker.CircuitBreaker[any]
	last     atomic.Pointer[error] // why it went down
}

func newGuard(site Site, c Config) *guard {
	g := &guard{Store: site.Store, name: site.Name, patience: c.Patience}
	g.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(failuresInARow).
		WithSuccessThreshold(1).         // while it is half open, one request at a time tries
		WithDelay(365 * 24 * time.Hour). // only a Ping opens it a little, see probe
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			if c.Changed != nil {
				if up := e.NewState == circuitbreaker.ClosedState; up || e.OldState == circuitbreaker.ClosedState {
					c.Changed(site.Name, up)
				}
			}
		}).Build()
	return g
}

func (g *guard) up() bool { return g.breaker.IsClosed() }

// asked says whether requests go there: one at a time while it is not known whether it is up again.
func (g *guard) asked() bool { return !g.breaker.IsOpen() }

// down opens the breaker.
func (g *guard) down(why error) {
	g.last.Store(&why)
	g.breaker.Open()
}

// health is nil while the site is up, else why it went down.
func (g *guard) health() error {
	if g.up() {
		return nil
	}
	if err := g.last.Load(); err != nil {
		return *err
	}
	return objectstore.ErrUnavailable
}

// errSlow is the cause of a context that ended because nothing moved.
var errSlow = errors.New("no progress")

// watch ends a call that makes no progress. Its clock stands while the site waits for somebody else.
type watch struct {
	ctx    context.Context //nolint:containedctx // of one call
	cancel context.CancelCauseFunc
	timer  *time.Timer
	after  time.Duration
}

func (g *guard) watch(ctx context.Context) *watch { return watching(ctx, g.patience) }

func watching(ctx context.Context, after time.Duration) *watch {
	w := &watch{after: after}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(w.after, func() { w.cancel(errSlow) })
	return w
}

func (w *watch) pause()     { w.timer.Stop() }
func (w *watch) resume()    { w.timer.Reset(w.after) }
func (w *watch) end()       { w.timer.Stop(); w.cancel(nil) }
func (w *watch) slow() bool { return errors.Is(context.Cause(w.ctx), errSlow) }

// judge tells the breaker what a call came to, and the caller what to make of it. ctx is the caller's own.
func (g *guard) judge(ctx context.Context, w *watch, err error) error {
	switch {
	case err == nil:
		g.breaker.RecordSuccess()
	case w.slow():
		err = fmt.Errorf("%w: site %s made no progress for %s", objectstore.ErrUnavailable, g.name, w.after)
		g.down(err)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, objectstore.ErrUnavailable):
		err = fmt.Errorf("site %s: %w", g.name, err)
		g.last.Store(&err)
		g.breaker.RecordFailure()
	default:
		g.breaker.RecordSuccess()
	}
	return err
}

// call asks the site, unless it is known to be down.
func (g *guard) call(ctx context.Context, ask func(context.Context) error) error {
	return g.callFor(ctx, g.patience, ask)
}

func (g *guard) callFor(ctx context.Context, patience time.Duration, ask func(context.Context) error) error {
	if err := g.refuse(ctx); err != nil {
		return err
	}
	w := watching(ctx, patience)
	defer w.end()
	return g.judge(ctx, w, ask(w.ctx))
}

func (g *guard) refuse(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !g.breaker.TryAcquirePermit() {
		return fmt.Errorf("%w: site %s is down", objectstore.ErrUnavailable, g.name)
	}
	return nil
}

// source is the octets that a site is given. While it waits for them the clock stands, and their failure is not its own.
type source struct {
	w   *watch
	mu  sync.Mutex
	r   io.Reader // nil when the call is over
	err error
}

// end takes the octets away from a store that may still be reading them, behind its answer: they are the next one's.
func (s *source) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = nil
	return s.err
}

// Read reads.
func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r == nil {
		return 0, io.ErrClosedPipe
	}
	s.w.pause()
	n, err := s.r.Read(p)
	s.w.resume()
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// give asks the site to take octets.
func (g *guard) give(ctx context.Context, octets io.Reader, take func(context.Context, io.Reader) error) error {
	if err := g.refuse(ctx); err != nil {
		return err
	}
	w := g.watch(ctx)
	defer w.end()
	from := &source{w: w, r: octets}
	err := take(w.ctx, from)
	if own := from.end(); err != nil && own != nil {
		return own
	}
	return g.judge(ctx, w, err)
}

// Put asks the site.
func (g *guard) Put(ctx context.Context, name string, size int64, digest objectstore.Digest, octets io.Reader) error {
	return g.give(ctx, octets, func(ctx context.Context, octets io.Reader) error { return g.Store.Put(ctx, name, size, digest, octets) })
}

// PutPart asks the site.
func (g *guard) PutPart(ctx context.Context, name, id string, number int, size int64, digest objectstore.Digest, octets io.Reader) (part objectstore.Part, err error) {
	err = g.give(ctx, octets, func(ctx context.Context, octets io.Reader) (err error) {
		part, err = g.Store.PutPart(ctx, name, id, number, size, digest, octets)
		return err
	})
	return part, err
}

// Get asks the site; the reader is watched to its end.
func (g *guard) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, objectstore.Info, error) {
	if err := g.refuse(ctx); err != nil {
		return nil, objectstore.Info{}, err
	}
	w := g.watch(ctx)
	r, info, err := g.Store.Get(w.ctx, name, offset, length)
	if err != nil {
		err = g.judge(ctx, w, err)
		w.end()
		if r != nil {
			_ = r.Close()
		}
		return nil, info, err
	}
	w.pause()
	left := info.Size - offset
	if length >= 0 {
		left = min(left, length)
	}
	if left == 0 {
		_ = g.judge(ctx, w, nil)
	}
	return &watched{g: g, ctx: ctx, w: w, r: r, left: left}, info, nil
}

// watched reads from a site. One that ends too early has failed, and only one that gives all has succeeded: a site
// that opens every object and breaks off must go down.
type watched struct {
	g    *guard
	ctx  context.Context //nolint:containedctx // the caller's own, of one call
	w    *watch
	r    io.ReadCloser
	left int64
}

// Read reads.
func (r *watched) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.w.resume()
	n, err := r.r.Read(p)
	r.w.pause()
	n = int(min(int64(n), r.left)) // never more than was asked for
	r.left -= int64(n)
	switch {
	case r.left == 0:
		_ = r.g.judge(r.ctx, r.w, nil)
		return n, io.EOF
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), !errors.Is(err, objectstore.ErrUnavailable):
		err = fmt.Errorf("%w: the octets broke off", objectstore.ErrUnavailable)
	}
	return n, r.g.judge(r.ctx, r.w, err)
}

// Close lets go.
func (r *watched) Close() error {
	r.w.end()
	return r.r.Close()
}
