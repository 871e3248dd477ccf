package sync

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Config is what a [Gateway] works with.
type Config struct {
	Store   Store
	Hints   Hints   // nil: nothing is remembered
	Schemas Schemas // nil: every payload is acceptable
	Logger  logrus.FieldLogger
	// Recorder hears of replays; nil: nobody.
	Recorder Recorder
	// Redact masks what goes into the details of audit events; nil: as it is.
	Redact func(dst, text []byte) []byte
	// Node names this gateway in audit events.
	Node string
	Now  func() time.Time // nil: time.Now
	// Patience bounds the work on one request; 0: 9 s. A silent database is
	// answered for within 10 s.
	Patience time.Duration
	// Hinted is told what every question for a remembered head came to; nil:
	// nobody. It must return at once.
	Hinted func(HintResult)
	// Copies is in how many sites the files of a transaction must be held before it is durable; 0 and 1: they do not count.
	Copies int
	// Delivering says whether there are consumers: what no plan has been made for is undelivered then. nil: there are none.
	Delivering func() bool
	// MaxWaiting is how many devices may wait for changes at once; 0: 10,000.
	MaxWaiting int
	// QueueFlush is how often the devices' queue reports are written; 0: 1 s.
	QueueFlush time.Duration
}

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Store == nil {
		return errors.New("sync: no store")
	}
	if c.Logger == nil {
		return errors.New("sync: no logger")
	}
	return nil
}

// HintResult is what a question for a remembered head came to.
type HintResult string

// The three things that can come of it.
const (
	HintHit  HintResult = "hit"  // the head was right: the database was not read
	HintMiss HintResult = "miss" // nothing was remembered that the batch continues
	HintLie  HintResult = "lie"  // the store said otherwise: the database was read then
)

// Gateway applies the rules of streams to what a store holds. It keeps nothing
// that another node would need; any number of them may work on one database.
type Gateway struct {
	Config
	inFlight inFlight
	queues   *queueReports
	attached attached
	hub      hub
	// epoch is the one seen last, to know which hints are of this history.
	epoch atomic.Pointer[store.Epoch]
}

// New makes a gateway; [Gateway.Start] begins its background work.
func New(c Config) (*Gateway, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Patience == 0 {
		c.Patience = 9 * time.Second
	}
	if c.QueueFlush == 0 {
		c.QueueFlush = time.Second
	}
	if c.Delivering == nil {
		c.Delivering = func() bool { return false }
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 10_000
	}
	if c.Recorder == nil {
		c.Recorder = noRecorder{}
	}
	if c.Redact == nil {
		c.Redact = func(dst, text []byte) []byte { return append(dst, text...) }
	}
	c.Store = timed{c.Store}
	if c.Hints == nil {
		c.Hints = noHints{}
	}
	if c.Schemas == nil {
		c.Schemas = noSchemas{}
	}
	if c.Hinted == nil {
		c.Hinted = func(HintResult) {}
	}
	g := &Gateway{Config: c}
	g.queues = newQueueReports(c.Store, c.Logger, c.QueueFlush)
	return g, nil
}

// Start begins to write the devices' queue reports.
func (g *Gateway) Start() { g.queues.start() }

// Stop writes what reports are left, at most until ctx is done.
func (g *Gateway) Stop(ctx context.Context) { g.queues.stop(ctx) }

// patient is a context that outlives the client's connection, so that a step
// that was begun is finished and remembered, but not its turn on the database.
func (g *Gateway) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), g.Patience)
}

type noHints struct{}

func (noHints) Head(context.Context, holdfast.ID, holdfast.ID) (holdfast.Head, bool) {
	return holdfast.Head{}, false
}

func (noHints) Remember(holdfast.ID, holdfast.ID, holdfast.Head) {}

type noSchemas struct{}

func (noSchemas) Check(string, int64, []byte) []byte { return nil }
