package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// bare lets workers append the same rows to the store itself: no HTTP, no JSON,
// no rules. It is the most that a gateway on this store could take.
func bare(s store.Store, run, workers, size int, period time.Duration) (outcome, error) {
	epoch, err := s.Epoch(context.Background())
	if err != nil {
		return outcome{}, err
	}
	var appends atomic.Int64
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	start := time.Now()
	for w := range workers {
		wg.Go(func() {
			errs <- appendFor(s, epoch.Number, run, w, size, start.Add(period), &appends)
		})
	}
	wg.Wait()
	for range workers {
		if err := <-errs; err != nil {
			return outcome{}, err
		}
	}
	return outcome{requests: int(appends.Load()), elapsed: time.Since(start)}, nil
}

func appendFor(s store.Store, epoch int64, run, worker, size int, until time.Time, appends *atomic.Int64) error {
	var head holdfast.Head
	for time.Now().Before(until) {
		step := &store.Append{Epoch: epoch, Stream: streamID(run, worker), Expected: head, Next: head}
		if head.AcceptedThrough == 0 {
			step.Next.Owner = holdfast.Owner{Device: "load-0", Shop: "0042"}
		}
		for i := range size {
			seq := head.AcceptedThrough + int64(i) + 1
			id := transactionID(run, worker, seq)
			raw := transactionBody(nil, id, seq)
			step.Transactions = append(step.Transactions, holdfast.Transaction{ID: id, Seq: seq, Raw: raw})
		}
		step.Next.AcceptedThrough += int64(size)
		step.Next.Digest[0] = byte(step.Next.AcceptedThrough)
		correlation := transactionID(run, worker, head.AcceptedThrough+1)
		correlation[7] = 0xc
		step.Batch = holdfast.BatchRecord{
			Correlation: correlation, First: head.AcceptedThrough + 1, Last: step.Next.AcceptedThrough,
			Context: holdfast.RequestContext{Correlation: correlation.String(), Shop: "0042", Device: "load-0"},
		}
		if err := s.Append(context.Background(), step); err != nil {
			return err
		}
		head = step.Next
		appends.Add(1)
	}
	return nil
}
