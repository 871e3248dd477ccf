package health

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// Check looks at a dependency; nil means that it works. It should end with ctx;
// one that doesn't is waited for in the background and counts as down.
type Check func(ctx context.Context) error

// ErrNotYet is what a check answers while there is nothing to look at; it counts
// as down and is no news.
var ErrNotYet = errors.New("health: not there yet")

// State of the node as a whole.
type State string

// The three states of a node.
const (
	Up       State = "UP"
	Degraded State = "DEGRADED"
	Down     State = "DOWN"
)

// Report is the node at one moment.
type Report struct {
	State State
	// Database and Cache are Up or Down; Cache is empty when there is none.
	Database, Cache State
}

// Config says what to check.
type Config struct {
	Database Check
	Cache    Check // nil: there is none
	Log      logrus.FieldLogger
	// Every is the time between two checks. Default 2 s.
	Every time.Duration
	// Timeout of one check. Default 2 s.
	Timeout time.Duration
	// Now is time.Now unless told.
	Now func() time.Time
}

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Database == nil {
		return errors.New("health: no check of the database")
	}
	if c.Log == nil {
		return errors.New("health: no logger")
	}
	if c.Every < 0 || c.Timeout < 0 {
		return errors.New("health: times must not be negative")
	}
	return nil
}

// Checker checks in the background from [Checker.Start] to [Checker.Stop].
type Checker struct {
	cfg      Config
	database *watch
	cache    *watch // nil: there is none
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// New makes a checker. Until it has been started nothing is known, so the node is Down.
func New(cfg Config) (*Checker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Every == 0 {
		cfg.Every = 2 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Checker{cfg: cfg, database: &watch{name: "database", check: cfg.Database, kick: make(chan struct{}, 1)}}
	if cfg.Cache != nil {
		c.cache = &watch{name: "cache", check: cfg.Cache, kick: make(chan struct{}, 1)}
	}
	return c, nil
}

// Start begins to check; the first results are there soon after.
func (c *Checker) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	for _, w := range []*watch{c.database, c.cache} {
		if w != nil {
			c.running.Go(func() { c.run(ctx, w) })
		}
	}
}

// Stop ends the checks, at most when ctx is done.
func (c *Checker) Stop(ctx context.Context) {
	if c.cancel == nil {
		return
	}
	c.cancel()
	done := make(chan struct{})
	go func() { c.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Soon checks the database again without waiting for its turn.
func (c *Checker) Soon() {
	select {
	case c.database.kick <- struct{}{}:
	default:
	}
}

// Report is how the node is.
func (c *Checker) Report() Report {
	r := Report{State: Up, Database: c.state(c.database)}
	if c.cache != nil {
		if r.Cache = c.state(c.cache); r.Cache == Down {
			r.State = Degraded
		}
	}
	if r.Database == Down {
		r.State = Down
	}
	return r
}

// Ready says whether the node can serve: the database answered lately.
func (c *Checker) Ready() bool { return c.state(c.database) == Up }

// state is Up only for an answer that is no older than three rounds.
func (c *Checker) state(w *watch) State {
	at := w.good.Load()
	if at == nil || c.cfg.Now().Sub(*at) > 3*(c.cfg.Every+c.cfg.Timeout) {
		return Down
	}
	return Up
}

// watch is one dependency.
type watch struct {
	name  string
	check Check
	kick  chan struct{}
	// good is when it last worked; nil when the last check failed.
	good atomic.Pointer[time.Time]
	// failed belongs to the goroutine that checks.
	failed bool
}

func (c *Checker) run(ctx context.Context, w *watch) {
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for {
		c.look(ctx, w)
		select {
		case <-tick.C:
		case <-w.kick:
		case <-ctx.Done():
			return
		}
	}
}

// look checks once. A check that outlasts its time is left behind, so that one
// that hangs can't keep old news alive; the next begins when it has ended.
func (c *Checker) look(ctx context.Context, w *watch) {
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var err error
	ended := make(chan struct{})
	go func() { err = w.check(limited); close(ended) }()
	select {
	case <-ended:
		c.note(ctx, w, err)
	case <-limited.Done():
		c.note(ctx, w, limited.Err())
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}
}

// note keeps a result and logs a change.
func (c *Checker) note(ctx context.Context, w *watch, err error) {
	if ctx.Err() != nil {
		return
	}
	logger := c.cfg.Log.WithField("dependency", w.name)
	if err != nil {
		w.good.Store(nil)
		if errors.Is(err, ErrNotYet) {
			return
		}
		if !w.failed {
			logger.WithError(err).Warn("a dependency is down")
		}
		w.failed = true
		return
	}
	now := c.cfg.Now()
	w.good.Store(&now)
	if w.failed {
		logger.Warn("a dependency is up again")
	}
	w.failed = false
}
