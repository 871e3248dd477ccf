package sites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// Site is a store with a name.
type Site struct {
	Name  string
	Store objectstore.Store
}

// Config says which sites there are.
type Config struct {
	Sites []Site // the ring's own first
	// Patience is how long a call may make no progress; default 10 s.
	Patience time.Duration
	// Rest is the time between two Pings of a site; default 5 s.
	Rest time.Duration
	// Changed is told when a site goes down or comes up; nil: nobody. It must return at once.
	Changed func(site string, up bool)
}

// Validate says what can't be.
func (c Config) Validate() error {
	if len(c.Sites) == 0 {
		return errors.New("sites: there must be at least one")
	}
	for i, site := range c.Sites {
		if site.Name == "" || site.Store == nil {
			return errors.New("sites: each has a name and a store")
		}
		if slices.ContainsFunc(c.Sites[:i], func(other Site) bool { return other.Name == site.Name }) {
			return fmt.Errorf("sites: %s is named twice", site.Name)
		}
	}
	if c.Patience < 0 || c.Rest < 0 {
		return errors.New("sites: times must not be negative")
	}
	return nil
}

// Sites is the N stores. It is an [objectstore.Store] itself.
type Sites struct {
	all    []*guard
	rest   time.Duration
	cancel context.CancelFunc
	pinged sync.WaitGroup
}

// New makes it; every site counts as up until it is known not to be.
func New(c Config) (*Sites, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	if c.Rest == 0 {
		c.Rest = 5 * time.Second
	}
	s := &Sites{rest: c.Rest}
	for _, site := range c.Sites {
		s.all = append(s.all, newGuard(site, c))
	}
	return s, nil
}

// Start begins to ping the sites in the background; without it one that went down stays down. A second Start does nothing.
func (s *Sites) Start() {
	if s.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	for _, g := range s.all {
		s.pinged.Go(func() { g.probe(ctx, s.rest) })
	}
}

// Stop ends that, at most when ctx is done.
func (s *Sites) Stop(ctx context.Context) {
	if s.cancel == nil {
		return
	}
	s.cancel()
	done := make(chan struct{})
	go func() { s.pinged.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// probe pings, at once and then again and again. What pings come to is counted apart from what requests come to: a
// ping between two failed requests proves nothing, and scattered bad pings are accidents.
func (g *guard) probe(ctx context.Context, rest time.Duration) {
	tick := time.NewTicker(rest)
	defer tick.Stop()
	bad := 0 // in a row
	for {
		limited, cancel := context.WithTimeout(ctx, g.patience)
		err := g.Store.Ping(limited)
		hung := limited.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if bad++; g.asked() && (hung || bad >= failuresInARow || g.breaker.IsHalfOpen()) {
				g.down(fmt.Errorf("site %s: %w", g.name, err))
			}
		case g.breaker.IsOpen():
			bad = 0
			g.breaker.HalfOpen() // one request may try before all do
		default:
			if bad = 0; g.breaker.IsHalfOpen() { // nobody came to try, for a whole rest
				g.breaker.Close()
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close closes the sites.
func (s *Sites) Close() error {
	var all error
	for _, g := range s.all {
		all = errors.Join(all, g.Close())
	}
	return all
}

// Names are all sites, the ring's own first.
func (s *Sites) Names() []string {
	names := make([]string, len(s.all))
	for i, g := range s.all {
		names[i] = g.name
	}
	return names
}

// Up says whether a site is not known to be down.
func (s *Sites) Up(site string) bool {
	g := s.find(site)
	return g != nil && g.up()
}

// Health is how the sites are; nil is up. It never waits.
func (s *Sites) Health() map[string]error {
	out := make(map[string]error, len(s.all))
	for _, g := range s.all {
		out[g.name] = g.health()
	}
	return out
}

func (s *Sites) find(site string) *guard {
	for _, g := range s.all {
		if g.name == site {
			return g
		}
	}
	return nil
}

// At is one site behind its guard.
func (s *Sites) At(site string) (objectstore.Store, bool) {
	g := s.find(site)
	return g, g != nil
}

// Order is Names with first in front, and those that are down last.
func (s *Sites) Order(first ...string) []string {
	names := make([]string, 0, len(s.all))
	for _, g := range s.order(first...) {
		names = append(names, g.name)
	}
	return names
}

func (s *Sites) order(first ...string) []*guard {
	var all []*guard
	for _, name := range first {
		if g := s.find(name); g != nil && !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	for _, g := range s.all {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	slices.SortStableFunc(all, func(a, b *guard) int {
		switch {
		case a.asked() == b.asked():
			return 0
		case a.asked():
			return -1
		}
		return 1
	})
	return all
}

// PutAt keeps octets in the first site that takes them, each asked at most once, those of first before the others; they are read from where they stand. The
// site is also told with [objectstore.ErrExists]: there the name is taken. [objectstore.ErrUnavailable] when none takes them.
func (s *Sites) PutAt(ctx context.Context, name string, size int64, digest objectstore.Digest, octets io.ReadSeeker, first ...string) (string, error) {
	var failed error
	start, err := octets.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", err
	}
	for _, g := range s.order(first...) {
		if _, err := octets.Seek(start, io.SeekStart); err != nil {
			return "", err
		}
		err := g.Put(ctx, name, size, digest, octets)
		if err == nil || errors.Is(err, objectstore.ErrExists) {
			return g.name, err
		}
		if !errors.Is(err, objectstore.ErrUnavailable) {
			return "", err
		}
		failed = errors.Join(failed, err)
	}
	return "", failed
}

// CopyTo copies an object to a site, from those of from or any other. What arrives is compared with the digest.
func (s *Sites) CopyTo(ctx context.Context, name string, size int64, digest objectstore.Digest, to string, from ...string) error {
	target := s.find(to)
	if target == nil {
		return fmt.Errorf("%w: there is no site %s", objectstore.ErrNotFound, to)
	}
	if err := target.refuse(ctx); err != nil {
		return err
	}
	r, info, err := s.open(ctx, name, 0, -1, to, from...)
	if err != nil {
		return err
	}
	defer r.Close()
	if info.Size != size {
		return fmt.Errorf("%w: the object has %d bytes, not %d", objectstore.ErrMismatch, info.Size, size)
	}
	return target.Put(ctx, name, size, digest, r)
}

// Where tells which sites hold an object, and which could not be asked. All are asked at once; its error is ctx's.
func (s *Sites) Where(ctx context.Context, name string) (held map[string]objectstore.Info, unknown []string, err error) {
	held = map[string]objectstore.Info{}
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, g := range s.all {
		asked.Go(func() {
			info, err := g.Stat(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				held[g.name] = info
			case !errors.Is(err, objectstore.ErrNotFound):
				unknown = append(unknown, g.name)
			}
		})
	}
	asked.Wait()
	slices.Sort(unknown)
	return held, unknown, ctx.Err()
}
