package sync

import (
	"context"

	"github.com/holdfast-sync/holdfast/store"
)

// knownEpoch is the epoch of the database as this node saw it last. It only
// chooses which hints to trust; the store compares the epoch with every step.
func (g *Gateway) knownEpoch(ctx context.Context) (store.Epoch, error) {
	if e := g.epoch.Load(); e != nil {
		return *e, nil
	}
	return g.lookAtEpoch(ctx)
}

func (g *Gateway) lookAtEpoch(ctx context.Context) (store.Epoch, error) {
	e, err := g.Store.Epoch(ctx)
	if err != nil {
		return store.Epoch{}, err
	}
	g.epoch.Store(&e)
	return e, nil
}

// sawEpoch drops the known epoch when the database shows another one.
func (g *Gateway) sawEpoch(number int64) {
	if e := g.epoch.Load(); e != nil && e.Number != number {
		g.epoch.CompareAndSwap(e, nil)
	}
}
