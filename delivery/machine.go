package delivery

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Store is the part of a store that deliveries need.
type Store interface {
	Unplanned(ctx context.Context, limit int, bodies bool) (store.LogPage, error)
	SavePlan(ctx context.Context, p store.Plan) error
	ClaimDeliveries(ctx context.Context, q store.ClaimQuery) (store.Claimed, error)
	FinishDeliveries(ctx context.Context, all []store.FinishedDelivery) ([]bool, error)
	RenewDeliveries(ctx context.Context, all []store.DeliveryLease, lease time.Duration) ([]store.DeliveryLease, error)
	RecoverDeliveries(ctx context.Context) (int, error)
	Named(ctx context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, error)
}

// Config is what a [Machine] works with.
type Config struct {
	Store     Store
	Consumers []Consumer
	Logger    logrus.FieldLogger
	Node      string
	// Lease is how long a claimed delivery belongs to a node that does not speak any more; 0: 30 s.
	Lease time.Duration
	// Poll is how often a node looks for work that nobody told it of; 0: 500 ms.
	Poll time.Duration
	// Open reads a file from any site; nil: there are none.
	Open func(ctx context.Context, digest holdfast.Hash) (io.ReadCloser, error)
	// Changed hears of streams that have new changes, by this node; nil: nobody. It must return at once.
	Changed func(streams []holdfast.ID)
	// Attempted hears of every attempt; nil: nobody. It must return at once.
	Attempted func(Attempt)
	// Trace begins a span around an attempt; nil: none.
	Trace func(ctx context.Context, c *Call) (context.Context, func(Result))
	// Random is from 0 to 1; nil: math/rand.
	Random func() float64
}

// Attempt is one call, for metrics.
type Attempt struct {
	Consumer string
	Status   holdfast.DeliveryStatus
	Code     string
	Took     time.Duration
	// Age is the time since the delivery was planned.
	Age time.Duration
}

// Validate says what is missing or can't be.
func (c Config) Validate() error {
	switch {
	case c.Store == nil:
		return errors.New("delivery: no store")
	case c.Logger == nil:
		return errors.New("delivery: no logger")
	case c.Lease < 0 || c.Poll < 0:
		return errors.New("delivery: times must not be negative")
	}
	return Check(c.Consumers)
}

// Machine plans and delivers. Any number of them work on one database.
type Machine struct {
	cfg   Config
	graph atomic.Pointer[graph]
	mu    sync.Mutex // one start, stop or reload at a time; it may take as long as attempts do
	pools atomic.Pointer[[]*pool]
	work  sync.WaitGroup
	stop  context.CancelFunc
	wake  chan struct{} // for the planner
	done  chan result
	held  leases
}

// New makes one; [Machine.Start] begins the work.
func New(c Config) (*Machine, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
	if c.Poll == 0 {
		c.Poll = 500 * time.Millisecond
	}
	if c.Changed == nil {
		c.Changed = func([]holdfast.ID) {}
	}
	if c.Attempted == nil {
		c.Attempted = func(Attempt) {}
	}
	if c.Trace == nil {
		c.Trace = func(ctx context.Context, _ *Call) (context.Context, func(Result)) { return ctx, func(Result) {} }
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	m := &Machine{cfg: c, wake: make(chan struct{}, 1), done: make(chan result, 1024)}
	g, err := newGraph(c.Consumers)
	if err != nil {
		return nil, err
	}
	m.graph.Store(&g)
	return m, nil
}

// Start begins to plan and to deliver.
func (m *Machine) Start() {
	ctx, stop := context.WithCancel(context.Background())
	m.work.Go(func() { m.keepPlanning(ctx) })
	m.work.Go(func() { m.keepLeases(ctx) })
	m.work.Go(func() { m.record() })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop = stop
	m.setPools(m.startPools(*m.graph.Load()))
}

// Stop takes no more work and waits for what runs, until ctx is done; then that is broken off. What was claimed and
// not begun is let go.
func (m *Machine) Stop(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stop == nil {
		return
	}
	stopPools(ctx, m.setPools(nil))
	m.stop()
	m.stop = nil
	close(m.done)
	ended := make(chan struct{})
	go func() { m.work.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-recorded(ctx):
	}
}

// recordPatience is how long results may take to be recorded after everything has ended: what is not recorded is called again.
const recordPatience = 3 * time.Second

// recorded is done a little after ctx is.
func recorded(ctx context.Context) <-chan struct{} {
	late := make(chan struct{})
	go func() {
		<-ctx.Done()
		time.Sleep(recordPatience)
		close(late)
	}()
	return late
}

// Reload goes on with other consumers. What the old ones are doing is finished first, at most until ctx is done. Deliveries
// of a consumer that is not there any more wait.
func (m *Machine) Reload(ctx context.Context, consumers []Consumer) error {
	g, err := newGraph(consumers)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.graph.Store(&g)
	if m.stop == nil { // Start begins with these
		return nil
	}
	stopPools(ctx, m.setPools(nil))
	m.setPools(m.startPools(g))
	return nil
}

// Wake says that something was accepted.
func (m *Machine) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// WakePools says that something may be due.
func (m *Machine) WakePools() { m.wakePools() }

func (m *Machine) wakePools() {
	for _, p := range m.running() {
		p.poke()
	}
}

// setPools changes those that run, and gives back the ones before.
func (m *Machine) setPools(all []*pool) []*pool {
	before := m.running()
	m.pools.Store(&all)
	return before
}

func (m *Machine) running() []*pool {
	if all := m.pools.Load(); all != nil {
		return *all
	}
	return nil
}

func (m *Machine) tellChanges(all []holdfast.Change) {
	if len(all) == 0 {
		return
	}
	streams := make([]holdfast.ID, len(all))
	for i := range all {
		streams[i] = all[i].Stream
	}
	m.cfg.Changed(streams)
}

// Names are the consumers.
func (m *Machine) Names() (names []string) {
	for _, c := range *m.graph.Load() {
		names = append(names, c.Name)
	}
	return names
}

// Health is how the consumers are; nil is up. It never waits.
func (m *Machine) Health() map[string]error {
	all := map[string]error{}
	for _, p := range m.running() {
		all[p.Name] = p.health()
	}
	return all
}

func (m *Machine) wakeUnless(failed bool) <-chan struct{} {
	if failed {
		return nil
	}
	return m.wake
}

// keepPlanning plans when it is woken, and now and then.
func (m *Machine) keepPlanning(ctx context.Context) {
	tick := time.NewTicker(m.cfg.Poll)
	defer tick.Stop()
	failed := false
	for {
		err := m.plan(ctx)
		if err != nil && ctx.Err() == nil && !failed {
			m.cfg.Logger.WithError(err).Warn("what was accepted can't be planned; it is tried again")
		}
		if failed && err == nil {
			m.cfg.Logger.Warn("plans are made again")
		}
		failed = err != nil
		select {
		case <-m.wakeUnless(failed): // while the database is gone, no faster than the ticks
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
