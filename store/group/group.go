// Package group lets calls from many goroutines share round trips and commits.
// Workers take everything that waits and never wait for company, so a lone call
// is as fast as it can be and a crowd is carried together.
package group

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/holdfast-sync/holdfast/store"
)

// The states of a call: whoever moves it on first decides what becomes of it.
const (
	waiting int32 = iota
	taken
	abandoned
)

// Call is one caller's item and its way back.
type Call[T any] struct {
	Item  T
	state atomic.Int32
	done  chan error
}

// Finish answers the caller; it must be called once for every call taken.
func (c *Call[T]) Finish(err error) { c.done <- err }

// Queue holds the calls that wait.
type Queue[T any] struct {
	calls  chan *Call[T]
	closed chan struct{}
	once   sync.Once
}

// NewQueue makes a queue in which at most limit calls wait.
func NewQueue[T any](limit int) *Queue[T] {
	return &Queue[T]{calls: make(chan *Call[T], limit), closed: make(chan struct{})}
}

// Load is how many calls wait, and how many may.
func (q *Queue[T]) Load() (waiting, limit int) { return len(q.calls), cap(q.calls) }

// Do hands an item to a worker and waits for its answer. It returns
// [store.ErrOverloaded] when too many wait; [store.ErrUnavailable] when the queue
// is closed, or ctx ends before a worker took the item, which none will then;
// [store.ErrOutcomeUnknown] when ctx ends later than that.
func (q *Queue[T]) Do(ctx context.Context, item T) error {
	c := &Call[T]{Item: item, done: make(chan error, 1)}
	select {
	case <-q.closed:
		return store.ErrUnavailable
	default:
	}
	select {
	case q.calls <- c:
	default:
		return store.ErrOverloaded
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
	case <-q.closed:
		// Workers finish what they took and then take no more.
		if c.state.CompareAndSwap(waiting, abandoned) {
			return store.ErrUnavailable
		}
		return <-c.done
	}
	if c.state.CompareAndSwap(waiting, abandoned) {
		return store.ErrUnavailable
	}
	select {
	case err := <-c.done:
		return err
	default:
		return store.ErrOutcomeUnknown
	}
}

// Take waits for a call and appends it, and all others that wait, to calls:
// until weigh, which is told each item, says that it is enough. It returns
// false once the queue is closed.
func (q *Queue[T]) Take(calls []*Call[T], weigh func(T) (enough bool)) ([]*Call[T], bool) {
	for len(calls) == 0 {
		select {
		case <-q.closed:
			return calls, false
		case c := <-q.calls:
			if c.state.CompareAndSwap(waiting, taken) {
				calls = append(calls, c)
				if weigh(c.Item) {
					return calls, true
				}
			}
		}
	}
	return q.TakeWaiting(calls, weigh), true
}

// TakeWaiting is [Queue.Take] without the wait.
func (q *Queue[T]) TakeWaiting(calls []*Call[T], weigh func(T) (enough bool)) []*Call[T] {
	for {
		select {
		case c := <-q.calls:
			if c.state.CompareAndSwap(waiting, taken) {
				calls = append(calls, c)
				if weigh(c.Item) {
					return calls
				}
			}
		default:
			return calls
		}
	}
}

// Close refuses new calls and those that wait.
func (q *Queue[T]) Close() { q.once.Do(func() { close(q.closed) }) }
