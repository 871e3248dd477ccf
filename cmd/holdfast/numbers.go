package main

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/internal/health"
	"github.com/holdfast-sync/holdfast/metrics"
	"github.com/holdfast-sync/holdfast/middleware"
	"github.com/holdfast-sync/holdfast/store"
	gateway "github.com/holdfast-sync/holdfast/sync"
	"github.com/holdfast-sync/holdfast/tracing"
)

// makeMetrics comes first: all other parts tell it something.
func (n *node) makeMetrics() error {
	kind := "postgres"
	if n.settings.Embedded() {
		kind = "sqlite"
	}
	b := buildVersion()
	var err error
	n.metrics, err = metrics.New(metrics.Config{
		Build: metrics.Build{Version: b.Version, Commit: b.Commit, Go: b.Go}, Backend: kind, Codes: problem.Codes(), State: n.state,
	})
	return err
}

// state is how the node is, for whoever reads the metrics.
func (n *node) state() metrics.State {
	r := n.health.Report()
	s := metrics.State{
		Ready: n.drain.Err() == nil && n.health.Ready(), Draining: n.drain.Draining(),
		Components: map[string]bool{"database": r.Database == health.Up},
	}
	if r.Cache != "" {
		s.Components["cache"] = r.Cache == health.Up
	}
	for site, err := range n.sites.Health() {
		s.Components["objects:"+site] = err == nil
	}
	for consumer, err := range n.deliveries.Health() {
		s.Components["consumer:"+consumer] = err == nil
	}
	s.ChangesWaiting = n.gateway.Waiting()
	if n.headsDropped != nil {
		s.HeadsDropped = n.headsDropped()
	}
	if busy, ok := n.store.now().(store.Loaded); ok {
		s.Store = storeLoad(busy.Load())
	}
	return s
}

func storeLoad(l store.Load) *metrics.StoreLoad {
	out := &metrics.StoreLoad{
		InUse: l.InUse, Idle: l.Idle, MaxConnections: l.MaxConnections,
		Acquired: l.Acquired, Waited: l.Waited, WaitedFor: l.WaitedFor,
	}
	for _, q := range l.Queues {
		out.Queues = append(out.Queues, metrics.QueueLoad(q))
	}
	return out
}

// grouped counts a commit.
func (n *node) grouped(g store.Group) {
	n.metrics.GroupWritten(g.Batches, g.Transactions, g.Took, g.Err == nil)
	if g.Err == nil && g.Batches > 0 && len(n.deliveries.Names()) > 0 { // without consumers a look now and then is enough
		n.deliveries.Wake()
	}
}

// hinted counts what a remembered head was worth.
func (n *node) hinted(r gateway.HintResult) { n.metrics.HeadAsked(string(r)) }

// requestWatcher counts requests and completes their spans.
type requestWatcher struct{ n *node }

// Began counts one that is being worked on.
func (w requestWatcher) Began() { w.n.metrics.RequestBegan() }

// Answered counts one that was answered.
func (w requestWatcher) Answered(ctx context.Context, a middleware.Answered) {
	w.n.metrics.RequestAnswered(metrics.Request{
		Method: a.Method, Route: a.Route, Status: a.Status, Problem: a.Problem,
		BytesIn: a.BytesIn, BytesOut: a.BytesOut, Took: a.Took,
	})
	if w.n.tracer != nil {
		w.n.tracer.Answered(ctx, tracing.Request{Method: a.Method, Route: a.Route, Status: a.Status, Problem: a.Problem, Context: a.Context})
	}
}

// countedStreams counts the batches that are taken.
type countedStreams struct {
	api.Streams
	m *metrics.Metrics
}

// AcceptBatch counts what was taken.
func (c countedStreams) AcceptBatch(ctx context.Context, b *holdfast.Batch) (holdfast.Receipt, error) {
	receipt, err := c.Streams.AcceptBatch(ctx, b)
	if err == nil {
		c.m.BatchTaken(&receipt)
	}
	return receipt, err
}

// countedAdmission counts who comes too often.
type countedAdmission struct {
	api.Admission
	m *metrics.Metrics
}

// Admit counts a refusal for the rate.
func (c countedAdmission) Admit(ctx context.Context) error {
	err := c.Admission.Admit(ctx)
	if err != nil && holdfast.CodeOf(err) == holdfast.CodeRateLimited {
		c.m.RateLimited()
	}
	return err
}

// countedAuthenticator counts callers who were not found out.
type countedAuthenticator struct {
	middleware.Authenticator
	m *metrics.Metrics
}

// Authenticate counts a refusal.
func (c countedAuthenticator) Authenticate(ctx context.Context, bearer string) (holdfast.Principal, error) {
	p, err := c.Authenticator.Authenticate(ctx, bearer)
	if err != nil {
		c.m.AuthFailed(holdfast.CodeOf(err))
	}
	return p, err
}

// failureOf names the kind of a store's error; empty for none. What was not
// found is an answer.
func failureOf(err error) string {
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrTooMany):
		return ""
	case errors.Is(err, store.ErrConflict):
		return "conflict"
	case errors.Is(err, store.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, store.ErrOutcomeUnknown):
		return "outcome_unknown"
	case errors.Is(err, store.ErrOverloaded):
		return "overloaded"
	case errors.Is(err, store.ErrSchema):
		return "schema"
	}
	return "other"
}

// began starts the clock of an operation, and its span where there is one.
func (w *watchedStore) began(ctx context.Context, operation string) (context.Context, func(error)) {
	at := time.Now()
	if w.n.tracer == nil {
		return ctx, func(err error) { w.n.metrics.StoreDone(operation, failureOf(err), time.Since(at)) }
	}
	ctx, end := w.n.tracer.Store(ctx, w.n.metrics.Backend, operation)
	return ctx, func(err error) {
		failure := failureOf(err)
		w.n.metrics.StoreDone(operation, failure, time.Since(at))
		end(failure)
	}
}
