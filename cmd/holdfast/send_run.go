package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	client "github.com/holdfast-sync/holdfast/client/go"
	"github.com/holdfast-sync/holdfast/client/go/journal"
)

// sending is one run of holdfast send.
type sending struct {
	client   *client.Client
	journal  *journal.Journal
	parallel int
	show     *progress
	began    time.Time
	took     time.Duration
	streams  []*sentStream

	mu          sync.Mutex
	quarantined []client.Quarantined // the first few
}

// keepQuarantined of them are named in the summary.
const keepQuarantined = 20

// sentStream is what became of one stream.
type sentStream struct {
	*client.Stream
	file  *journal.Stream
	state client.State // as the gateway last told
	// verified: the gateway told the digest that the file has.
	verified bool
	err      error // what stopped it
}

func newSending(j *journal.Journal, parallel int, show *progress) *sending {
	return &sending{journal: j, parallel: parallel, show: show, began: time.Now()}
}

func (r *sending) observe(ev client.Event) {
	if len(ev.Quarantined) > 0 {
		r.mu.Lock()
		r.quarantined = append(r.quarantined, ev.Quarantined...)
		r.quarantined = r.quarantined[:min(len(r.quarantined), keepQuarantined)]
		r.mu.Unlock()
	}
	r.show.hear(ev)
}

// all sends every stream and then asks the gateway for each; what a failover
// has lost meanwhile is sent again. The error is why it was ended early.
func (r *sending) all(ctx context.Context) error {
	defer func() { r.took = time.Since(r.began) }()
	r.mu.Lock()
	for _, s := range r.journal.Streams() {
		r.streams = append(r.streams, &sentStream{Stream: r.client.Stream(client.StreamConfig{ID: s.ID, Source: s}), file: s})
	}
	r.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.each(ctx, func(s *sentStream) { s.send(ctx, cancel) })
	for ctx.Err() == nil && !r.settled() {
		r.each(ctx, func(s *sentStream) { s.verify(ctx, cancel) })
	}
	return context.Cause(ctx)
}

// each does a thing with every stream that nothing has stopped.
func (r *sending) each(ctx context.Context, do func(*sentStream)) {
	work := make(chan *sentStream)
	var group sync.WaitGroup
	for range min(r.parallel, len(r.streams)) {
		group.Go(func() {
			for s := range work {
				do(s)
			}
		})
	}
	for _, s := range r.streams {
		if s.err == nil && !s.verified && ctx.Err() == nil {
			work <- s
		}
	}
	close(work)
	group.Wait()
}

func (r *sending) settled() bool {
	for _, s := range r.streams {
		if s.err == nil && !s.verified {
			return false
		}
	}
	return true
}

func (s *sentStream) send(ctx context.Context, cancel context.CancelCauseFunc) {
	s.stopped(ctx, s.Send(ctx), cancel)
}

func (s *sentStream) verify(ctx context.Context, cancel context.CancelCauseFunc) {
	state, err := s.Verify(ctx)
	var behind *client.BehindError
	if errors.As(err, &behind) {
		s.send(ctx, cancel)
		return
	}
	s.state, s.verified = state, err == nil
	s.stopped(ctx, err, cancel)
}

// stopped notes what stopped the stream; refused credentials stop all of them.
func (s *sentStream) stopped(ctx context.Context, err error, cancel context.CancelCauseFunc) {
	if err == nil || ctx.Err() != nil {
		return
	}
	s.err = err
	var refused *client.CredentialsError
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
		cancel(err)
	}
}

// totals adds up the streams.
func (r *sending) totals() (sum client.Progress, finished int) {
	r.mu.Lock()
	streams := r.streams
	r.mu.Unlock()
	for _, s := range streams {
		p := s.Progress()
		sum.AcceptedThrough += p.AcceptedThrough
		sum.DurableThrough += p.DurableThrough
		sum.Epoch = max(sum.Epoch, p.Epoch)
		sum.Batches += p.Batches
		sum.Accepted += p.Accepted
		sum.Duplicates += p.Duplicates
		sum.Quarantined += p.Quarantined
		sum.Retries += p.Retries
		sum.Rewinds += p.Rewinds
		if p.AcceptedThrough == s.file.Last() {
			finished++
		}
	}
	return sum, finished
}
