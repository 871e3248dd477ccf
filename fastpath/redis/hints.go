// Package redis remembers heads of streams in a Redis that all nodes share, with
// a memory of its own in front of it.
//
// The memory answers alone while what it holds is young: a client mostly stays
// with one node, and then nobody else has moved its stream. Later Redis is
// asked, because another node may have; when Redis has no answer in time, what
// the memory holds is better than nothing.
//
// Reads of many goroutines share a round trip, writes are sent in the background
// and dropped when there are too many. A Redis that fails is left alone for a while.
package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	goredis "github.com/redis/go-redis/v9"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/fastpath/memory"
)

// Commands are those of Redis that are used.
type Commands interface {
	MGet(ctx context.Context, keys ...string) *goredis.SliceCmd
	Pipeline() goredis.Pipeliner
}

// Config says how Redis is used. Zero values mean the defaults.
type Config struct {
	Client Commands
	Log    logrus.FieldLogger
	// Streams bounds the memory in front. Default memory.DefaultStreams.
	Streams int
	// FrontFor is how long the memory answers alone. Default 1 s; negative: never.
	FrontFor time.Duration
	// Timeout is the longest that a question may take. Default 20 ms.
	Timeout time.Duration
	// TTL is how long Redis keeps a head. Default 1 h.
	TTL time.Duration
	// Pause is how long a Redis that failed three times in a row is left alone. Default 1 s.
	Pause time.Duration
	// Queue bounds the writes under way. Default 8,192; the next ones are dropped.
	Queue int
}

func (c Config) withDefaults() Config {
	fill := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	fill(&c.FrontFor, time.Second)
	fill(&c.Timeout, 20*time.Millisecond)
	fill(&c.TTL, time.Hour)
	fill(&c.Pause, time.Second)
	if c.Queue == 0 {
		c.Queue = 8192
	}
	return c
}

// Validate says what can't be.
func (c Config) Validate() error {
	switch {
	case c.Client == nil || c.Log == nil:
		return errors.New("hints in Redis need a client and a log")
	case c.Timeout < 0 || c.TTL < 0 || c.Pause < 0 || c.Queue < 0:
		return errors.New("times and sizes of hints in Redis must be positive")
	}
	return nil
}

const (
	readers    = 2   // of which one is mostly waiting for Redis
	batchMost  = 128 // keys in a round trip
	writeTime  = 250 * time.Millisecond
	readsQueue = 1024
)

// Hints remembers heads in Redis. [Hints.Close] ends it.
type Hints struct {
	cfg     Config
	front   *memory.Memory
	breaker circuitbreaker.CircuitBreaker[any]
	reads   chan *question
	writes  chan remembered
	stop    chan struct{}
	done    sync.WaitGroup
	dropped atomic.Int64
}

type question struct {
	epoch, stream holdfast.ID
	answer        chan answer // holds one
}

type answer struct {
	head holdfast.Head
	ok   bool
}

type remembered struct {
	epoch, stream holdfast.ID
	head          holdfast.Head
}

// New begins to serve. It does not ask whether Redis is there.
func New(cfg Config) (*Hints, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	h := &Hints{
		cfg: cfg, front: memory.New(cfg.Streams), breaker: newBreaker(cfg),
		reads: make(chan *question, readsQueue), writes: make(chan remembered, cfg.Queue),
		stop: make(chan struct{}),
	}
	for range readers {
		h.done.Go(h.read)
	}
	h.done.Go(h.write)
	return h, nil
}

func newBreaker(cfg Config) circuitbreaker.CircuitBreaker[any] {
	var down atomic.Bool // one line in the log each way, however often the breaker tries
	return circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithSuccessThreshold(1).WithDelay(cfg.Pause).
		OnOpen(func(circuitbreaker.StateChangedEvent) {
			if !down.Swap(true) {
				cfg.Log.Warn("Redis does not answer: heads of streams are read from the database")
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			if down.Swap(false) {
				cfg.Log.Warn("Redis answers again")
			}
		}).Build()
}

// Close sends what is queued, at most for a moment, and ends.
func (h *Hints) Close() error {
	close(h.stop)
	h.done.Wait()
	return nil
}

// Dropped is how many writes were given up because too many were queued or Redis
// was left alone.
func (h *Hints) Dropped() int64 { return h.dropped.Load() }

// Head takes at most Config.Timeout.
func (h *Hints) Head(ctx context.Context, epoch, stream holdfast.ID) (holdfast.Head, bool) {
	if head, ok := h.front.Fresh(epoch, stream, h.cfg.FrontFor); ok {
		return head, true
	}
	if head, ok := h.ask(ctx, epoch, stream); ok {
		h.front.Remember(epoch, stream, head)
		return head, true
	}
	return h.front.Head(ctx, epoch, stream)
}

func (h *Hints) ask(ctx context.Context, epoch, stream holdfast.ID) (holdfast.Head, bool) {
	if h.breaker.IsOpen() && h.breaker.RemainingDelay() > 0 {
		return holdfast.Head{}, false
	}
	q := &question{epoch: epoch, stream: stream, answer: make(chan answer, 1)}
	select {
	case h.reads <- q:
	default:
		return holdfast.Head{}, false
	}
	timeout := time.NewTimer(h.cfg.Timeout)
	defer timeout.Stop()
	select {
	case a := <-q.answer:
		return a.head, a.ok
	case <-timeout.C:
	case <-ctx.Done():
	case <-h.stop:
	}
	return holdfast.Head{}, false
}

// Remember keeps the head in front, and sends it to Redis later or never.
func (h *Hints) Remember(epoch, stream holdfast.ID, head holdfast.Head) {
	h.front.Remember(epoch, stream, head)
	select {
	case h.writes <- remembered{epoch, stream, head}:
	default:
		h.dropped.Add(1)
	}
}
