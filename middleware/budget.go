package middleware

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/holdfast-sync/holdfast"
)

// budget is the memory that all request bodies together may take.
type budget struct {
	bytes *semaphore.Weighted
	wait  time.Duration
}

func newBudget(bytes int64, wait time.Duration) *budget {
	return &budget{bytes: semaphore.NewWeighted(bytes), wait: wait}
}

// share is what one request holds of the budget.
type share struct {
	of   *budget
	held int64
}

// grow takes n more bytes, after a short wait if it must; then 503 overloaded.
func (s *share) grow(ctx context.Context, n int64) error {
	if n <= 0 {
		return nil
	}
	if !s.of.bytes.TryAcquire(n) {
		ctx, cancel := context.WithTimeout(ctx, s.of.wait)
		defer cancel()
		if err := s.of.bytes.Acquire(ctx, n); err != nil {
			return &holdfast.Error{
				Code: holdfast.CodeOverloaded, RetryAfter: time.Second,
				Detail: "The gateway holds as many request bodies as its memory allows.",
			}
		}
	}
	s.held += n
	return nil
}

// give returns n bytes.
func (s *share) give(n int64) {
	if n > 0 {
		s.of.bytes.Release(n)
		s.held -= n
	}
}

// giveAll returns what is still held.
func (s *share) giveAll() { s.give(s.held) }
