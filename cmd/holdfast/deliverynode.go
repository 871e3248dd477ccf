package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/metrics"
	"github.com/holdfast-sync/holdfast/prefetch"
	"github.com/holdfast-sync/holdfast/store"
)

// makeDeliveries makes what brings transactions to consumers. It starts when the database has been opened.
func (n *node) makeDeliveries() error {
	consumers, err := consumersOf(n.settings, n.settings.Consumers)
	if err != nil {
		return err
	}
	n.deliveries, err = delivery.New(delivery.Config{
		Store: n.watched, Consumers: consumers, Logger: n.log, Node: n.id, Lease: n.settings.Deliveries.Lease, Changed: n.gateway.Changed,
		Trace:     n.traceDelivery,
		Attempted: func(a delivery.Attempt) { n.metrics.Delivery(a.Consumer, string(a.Status), a.Took, a.Age) },
		Open: func(ctx context.Context, digest holdfast.Hash) (io.ReadCloser, error) {
			return n.attachments.Open(ctx, digest, true)
		},
	})
	if err != nil {
		closeSenders(consumers)
		return n.settings.Wrong("consumers", err.Error())
	}
	n.desk = &delivery.Desk{Store: n.watched, Schemas: n.schemas, Node: n.id, Redact: n.scanner.Append, Decided: n.deliveries.WakePools}
	return nil
}

// startDeliveries begins to deliver and to listen; the database is there.
func (n *node) startDeliveries() {
	n.deliveries.Start()
	n.atEnd(func(ctx context.Context) error { n.deliveries.Stop(ctx); return nil })
	n.listening.Go(func() {
		n.watched.Notices(n.life, func(notice store.Notice) {
			n.gateway.Heard(notice)
			if notice.Work {
				n.deliveries.WakePools()
			}
		})
	})
	n.listening.Go(func() { n.countDeliveries(n.life) })
}

// countEvery is how often open deliveries are counted.
const countEvery = 30 * time.Second

// countDeliveries counts them now and then, for the metrics.
func (n *node) countDeliveries(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		n.countOnce(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *node) countOnce(ctx context.Context) {
	counts, err := n.watched.CountDeliveries(ctx)
	if err != nil {
		return // the health check tells of it
	}
	planned, log, err := n.watched.PlannedThrough(ctx)
	if err != nil {
		return
	}
	loads := make([]metrics.DeliveryLoad, len(counts))
	for i, c := range counts {
		loads[i] = metrics.DeliveryLoad{Consumer: c.Consumer, Status: string(c.Status), Count: c.Count, Oldest: time.Since(c.Oldest)}
	}
	n.metrics.Open(loads, log-planned)
}

// reload reads the consumers anew. With a mistake in them the old ones go on.
func (n *node) reload(src settings.Sources) {
	named, err := settings.ReloadConsumers(src)
	var consumers []delivery.Consumer
	if err == nil {
		consumers, err = consumersOf(n.settings, named)
	}
	if err != nil {
		n.log.WithError(err).Error("the configuration file can't be used; everything goes on as before")
		return
	}
	ctx, cancel := context.WithTimeout(n.life, reloadPatience)
	defer cancel()
	if err := n.deliveries.Reload(ctx, consumers); err != nil {
		closeSenders(consumers)
		n.log.WithError(err).Error("the configuration file can't be used; everything goes on as before")
		return
	}
	n.log.WithField("consumers", n.deliveries.Names()).Warn("the consumers were read anew")
}

// makePrefetch makes the library of what apps should hold.
func (n *node) makePrefetch() error {
	p := n.settings.Prefetch
	if p.Directory == "" && len(p.Resources) == 0 {
		return nil
	}
	cfg := prefetch.Config{
		Directory: below(n.settings.Dir(), p.Directory), Cache: filepath.Join(n.settings.DataDir, "prefetch"), Refresh: p.Refresh, MaxBytes: int64(p.MaxBytes), Logger: n.log,
		Changed: func(_ string, outcome prefetch.Outcome) { n.metrics.Prefetch(string(outcome)) },
	}
	for _, r := range p.Resources {
		cfg.Resources = append(cfg.Resources, prefetch.Resource{
			Name: r.Name, File: below(n.settings.Dir(), r.File), URL: r.URL, Required: r.Required, Version: r.Version, ContentType: r.ContentType, Refresh: r.Refresh,
		})
	}
	library, err := prefetch.New(cfg)
	if err != nil {
		return n.settings.Wrong("prefetch", err.Error())
	}
	library.Start()
	n.atEnd(func(ctx context.Context) error { library.Stop(ctx); return nil })
	n.prefetch = prefetchPort{library}
	return nil
}

// prefetchPort is what the routes ask of the library.
type prefetchPort struct{ *prefetch.Library }

func resourceOf(e prefetch.Entry) api.Resource {
	return api.Resource{
		Name: e.Name, Version: e.Version, Size: e.Size, SHA256: e.SHA256, ContentType: e.ContentType, Required: e.Required, UpdatedAt: e.UpdatedAt,
	}
}

// List is what there is.
func (p prefetchPort) List() []api.Resource {
	entries := p.Library.List()
	all := make([]api.Resource, len(entries))
	for i, e := range entries {
		all[i] = resourceOf(e)
	}
	return all
}

// Open opens one.
func (p prefetchPort) Open(ctx context.Context, name string, digest holdfast.Hash) (io.ReadSeekCloser, api.Resource, error) {
	r, e, err := p.Library.Open(ctx, name, digest)
	switch {
	case errors.Is(err, prefetch.ErrNotFound):
		return nil, api.Resource{}, &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "There is no such resource."}
	case err != nil:
		return nil, api.Resource{}, &holdfast.Error{Code: holdfast.CodeInternal, Detail: "The resource can't be read.", Err: err}
	}
	return r, resourceOf(e), nil
}

// traceDelivery begins a span below the one of the request that brought the transaction.
func (n *node) traceDelivery(ctx context.Context, c *delivery.Call) (context.Context, func(delivery.Result)) {
	if n.tracer == nil {
		return ctx, func(delivery.Result) {}
	}
	ctx, onward, done := n.tracer.Delivery(ctx, c.Consumer, c.Context.Traceparent)
	c.Context.Traceparent = onward
	return ctx, func(r delivery.Result) { done(r.Code) }
}
