package prefetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
)

// Entry describes one version of a resource.
type Entry struct {
	Name        string
	Version     string
	Size        int64
	SHA256      holdfast.Hash
	ContentType string
	Required    bool
	// UpdatedAt is when this node first held the version as the current one; nodes differ in it.
	UpdatedAt time.Time
}

// ErrNotFound is a name, or a digest of a name, that this node can't give.
var ErrNotFound = errors.New("prefetch: there is no such resource")

// Library is what is held. All its methods may be called by any number of goroutines.
type Library struct {
	cfg     Config
	shelf   *shelf
	sources map[string]*source // by name; the folder's is directoryName

	// writing is held where files get their names, are removed, and the index is written. It is taken before mu.
	writing sync.Mutex
	dropped []holdfast.Hash // what may be removed when the index is saved; of who holds writing
	mu      sync.RWMutex    // held for a moment only, never over a file or a network
	names   map[string]*title
	health  map[string]error
	dirty   bool // the index on disk is not names

	asking  chan struct{} // one place: a request's refresh
	life    sync.Mutex    // of the three below
	running context.Context
	cancel  context.CancelFunc
	ended   sync.WaitGroup
}

// New reads what the cache holds and verifies it, at about a second per GiB: what an earlier process
// held is listed from the first moment on, whatever upstreams do. Nothing is fetched before Start.
func New(c Config) (*Library, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	l := &Library{
		cfg: c.withDefaults(), shelf: &shelf{dir: c.Cache, known: map[holdfast.Hash]blob{}},
		sources: map[string]*source{}, names: map[string]*title{}, health: map[string]error{}, asking: make(chan struct{}, 1),
	}
	l.addSources()
	if c.Cache == "" {
		return l, nil
	}
	if err := os.MkdirAll(c.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("prefetch: %w", err)
	}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("prefetch: %w", err)
	}
	return l, nil
}

func (c Config) withDefaults() Config {
	if c.Refresh == 0 {
		c.Refresh = 5 * time.Minute
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	if c.Transport == nil {
		c.Transport = defaultTransport()
	}
	if c.Logger == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		c.Logger = silent
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Changed == nil {
		c.Changed = func(string, Outcome) {}
	}
	return c
}

// defaultTransport has few connections to a host: an upstream that hangs costs no more than these.
func defaultTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxConnsPerHost: 4, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true, DisableCompression: true,
	}
}

// Start begins to refresh in the background. A second Start does nothing.
func (l *Library) Start() {
	l.life.Lock()
	defer l.life.Unlock()
	if l.cancel != nil {
		return
	}
	l.running, l.cancel = context.WithCancel(context.Background())
	for _, s := range l.sources {
		l.ended.Go(func() { l.follow(l.running, s) })
	}
}

// Stop ends that, at most when ctx is done. What is held can still be listed and opened.
func (l *Library) Stop(ctx context.Context) {
	l.life.Lock()
	if l.cancel == nil {
		l.life.Unlock()
		return
	}
	l.cancel()
	l.life.Unlock()
	done := make(chan struct{})
	go func() { l.ended.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// List is the current version of every resource that was ever read, by name. It never waits.
func (l *Library) List() []Entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := make([]Entry, 0, len(l.names))
	for _, t := range l.names {
		if len(t.versions) > 0 && t.gone.IsZero() {
			all = append(all, l.told(t.versions[0]))
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// told adds to an entry what the settings say now.
func (l *Library) told(e Entry) Entry {
	if s := l.sources[e.Name]; s != nil {
		e.Required = s.required
	}
	return e
}
