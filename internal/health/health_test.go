package health_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/internal/health"
)

// dependency is up or down as a test wants.
type dependency struct {
	err  atomic.Pointer[error]
	seen chan struct{}
}

func newDependency() *dependency { return &dependency{seen: make(chan struct{}, 1000)} }

func (d *dependency) set(err error) { d.err.Store(&err) }

func (d *dependency) check(context.Context) error {
	select {
	case d.seen <- struct{}{}:
	default:
	}
	if err := d.err.Load(); err != nil {
		return *err
	}
	return nil
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// lines is a log that tests may read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func logger(out *lines) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(out)
	return log
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func start(t *testing.T, cfg health.Config) *health.Checker {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = logger(&lines{})
	}
	if cfg.Every == 0 {
		cfg.Every = time.Millisecond
	}
	c, err := health.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(func() { c.Stop(context.Background()) })
	return c
}

func TestStates(t *testing.T) {
	database, cache := newDependency(), newDependency()
	c := start(t, health.Config{Database: database.check, Cache: cache.check})
	gone := errors.New("gone")
	for _, step := range []struct {
		database, cache error
		want            health.Report
		ready           bool
	}{
		{nil, nil, health.Report{State: health.Up, Database: health.Up, Cache: health.Up}, true},
		{nil, gone, health.Report{State: health.Degraded, Database: health.Up, Cache: health.Down}, true},
		{gone, gone, health.Report{State: health.Down, Database: health.Down, Cache: health.Down}, false},
		{gone, nil, health.Report{State: health.Down, Database: health.Down, Cache: health.Up}, false},
		{nil, nil, health.Report{State: health.Up, Database: health.Up, Cache: health.Up}, true},
	} {
		database.set(step.database)
		cache.set(step.cache)
		eventually(t, string(step.want.State), func() bool { return c.Report() == step.want })
		if c.Ready() != step.ready {
			t.Errorf("%+v: ready is %v", step.want, !step.ready)
		}
	}
}

func TestWithoutCache(t *testing.T) {
	c := start(t, health.Config{Database: newDependency().check})
	want := health.Report{State: health.Up, Database: health.Up}
	eventually(t, "up", func() bool { return c.Report() == want })
}

func TestNothingIsKnownBeforeTheStart(t *testing.T) {
	c, err := health.New(health.Config{Database: newDependency().check, Log: logger(&lines{})})
	if err != nil {
		t.Fatal(err)
	}
	if c.Ready() || c.Report().State != health.Down {
		t.Error("ready before anything was seen")
	}
	c.Stop(context.Background())
}

// A check that hangs must not keep the last good news alive.
func TestCheckThatHangs(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	var hanging atomic.Bool
	c := start(t, health.Config{Timeout: 5 * time.Millisecond, Database: func(context.Context) error {
		if hanging.Load() {
			<-hang
		}
		return nil
	}})
	eventually(t, "up", c.Ready)
	hanging.Store(true)
	eventually(t, "down", func() bool { return !c.Ready() })
}

// Old news are none, even when nobody noticed that no new ones come.
func TestOldNewsAreNone(t *testing.T) {
	now := &clock{now: time.Unix(1_800_000_000, 0)}
	database := newDependency()
	c := start(t, health.Config{Database: database.check, Every: time.Hour, Timeout: time.Second, Now: now.Now})
	eventually(t, "up", c.Ready)
	now.advance(3*(time.Hour+time.Second) + 1)
	if c.Ready() || c.Report().State != health.Down {
		t.Error("still ready")
	}
}

func TestSoon(t *testing.T) {
	database := newDependency()
	database.set(errors.New("gone"))
	c := start(t, health.Config{Database: database.check, Every: time.Hour})
	<-database.seen
	database.set(nil)
	c.Soon()
	c.Soon() // one that is already waiting is enough
	eventually(t, "up", c.Ready)
}

func TestChangesAreLoggedOnce(t *testing.T) {
	out := &lines{}
	database := newDependency()
	database.set(errors.New("connection refused"))
	c := start(t, health.Config{Database: database.check, Log: logger(out)})
	for range 5 {
		<-database.seen
	}
	database.set(nil)
	eventually(t, "up", c.Ready)
	eventually(t, "the news", func() bool { return strings.Contains(out.String(), "a dependency is up again") })
	if n := strings.Count(out.String(), "a dependency is down"); n != 1 {
		t.Errorf("%d times in %s", n, out)
	}
	if !strings.Contains(out.String(), "dependency=database") || !strings.Contains(out.String(), "connection refused") {
		t.Error(out)
	}
}

func TestWhatIsNotThereYetIsNoNews(t *testing.T) {
	out := &lines{}
	database := newDependency()
	database.set(health.ErrNotYet)
	c := start(t, health.Config{Database: database.check, Log: logger(out)})
	for range 5 {
		<-database.seen
	}
	if c.Ready() {
		t.Error("ready")
	}
	database.set(nil)
	eventually(t, "up", c.Ready)
	if out.String() != "" {
		t.Error(out)
	}
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	begun := make(chan struct{}, 1)
	c := start(t, health.Config{Timeout: time.Hour, Database: func(context.Context) error {
		begun <- struct{}{}
		<-hang
		return nil
	}})
	<-begun
	c.Stop(context.Background()) // the goroutine leaves the hanging check behind
}

func TestConfig(t *testing.T) {
	ok := newDependency().check
	for want, cfg := range map[string]health.Config{
		"no check of the database": {Log: logger(&lines{})},
		"no logger":                {Database: ok},
		"must not be negative":     {Database: ok, Log: logger(&lines{}), Every: -1},
	} {
		if _, err := health.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
