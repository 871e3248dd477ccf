package sync

import (
	"context"
	stdsync "sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// maxQueueReports bounds what is kept between two writes; more streams than
// that are not news that anybody could read.
const maxQueueReports = 100_000

// queueReports gathers what devices tell of their queues and writes the last
// one of each stream now and then. They are for the fleet view: one that is
// lost is repeated by the device's next request.
type queueReports struct {
	store   store.Queues
	log     logrus.FieldLogger
	every   time.Duration
	mu      stdsync.Mutex
	pending map[holdfast.ID]holdfast.Queue
	quit    chan struct{}
	done    chan struct{}
	once    stdsync.Once
}

func newQueueReports(s store.Queues, log logrus.FieldLogger, every time.Duration) *queueReports {
	return &queueReports{
		store: s, log: log, every: every,
		pending: make(map[holdfast.ID]holdfast.Queue),
		quit:    make(chan struct{}), done: make(chan struct{}),
	}
}

func (q *queueReports) report(stream holdfast.ID, r holdfast.Queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.pending[stream]; known || len(q.pending) < maxQueueReports {
		q.pending[stream] = r
	}
}

func (q *queueReports) start() {
	go func() {
		defer close(q.done)
		tick := time.NewTicker(q.every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				q.flush(ctx)
				cancel()
			case <-q.quit:
				return
			}
		}
	}()
}

func (q *queueReports) stop(ctx context.Context) {
	q.once.Do(func() { close(q.quit) })
	select {
	case <-q.done:
		q.flush(ctx)
	case <-ctx.Done():
	}
}

func (q *queueReports) flush(ctx context.Context) {
	q.mu.Lock()
	batch := q.pending
	q.pending = make(map[holdfast.ID]holdfast.Queue)
	q.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	if err := q.store.SaveQueues(ctx, batch); err != nil {
		q.log.WithError(err).WithField("streams", len(batch)).Warn("queue reports were not written")
	}
}
