package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast/store"
)

// errLeaseLost is the cause of a context whose delivery belongs to somebody else by now.
var errLeaseLost = errors.New("the lease was lost")

// leases are the deliveries that this node has.
type leases struct {
	mu  sync.Mutex
	all map[store.DeliveryLease]*lease
}

// lease of one delivery. Its clock began before the database's, so it is never the longer one.
type lease struct {
	ctx    context.Context //nolint:containedctx // of the delivery's attempt
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// begin holds a lease from a moment before the claim was sent.
func (l *leases) begin(ctx context.Context, key store.DeliveryLease, left time.Duration) *lease {
	held := &lease{}
	held.ctx, held.cancel = context.WithCancelCause(ctx)
	held.timer = time.AfterFunc(left, func() { held.cancel(errLeaseLost) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[store.DeliveryLease]*lease{}
	}
	l.all[key] = held
	return held
}

// end lets go of it.
func (l *leases) end(key store.DeliveryLease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held := l.all[key]; held != nil {
		held.timer.Stop()
		held.cancel(nil)
		delete(l.all, key)
	}
}

func (l *leases) keys() []store.DeliveryLease {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]store.DeliveryLease, 0, len(l.all))
	for key := range l.all {
		all = append(all, key)
	}
	return all
}

// renewed puts them off, but for those that are lost.
func (l *leases) renewed(all, lost []store.DeliveryLease, left time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range lost {
		if held := l.all[key]; held != nil {
			held.cancel(errLeaseLost)
			delete(l.all, key)
		}
	}
	for _, key := range all {
		if held := l.all[key]; held != nil && held.timer.Stop() {
			held.timer.Reset(left)
		}
	}
}

// keepLeases renews what this node has, and lets go of what others had and do not renew any more.
func (m *Machine) keepLeases(ctx context.Context) {
	renew := time.NewTicker(m.cfg.Lease / 4)
	defer renew.Stop()
	recover := time.NewTicker(max(m.cfg.Lease/10, 10*time.Millisecond))
	defer recover.Stop()
	for {
		select {
		case <-renew.C:
			m.renew(ctx)
		case <-recover.C:
			if n, err := m.cfg.Store.RecoverDeliveries(ctx); err == nil && n > 0 {
				m.cfg.Logger.WithField("deliveries", n).Warn("deliveries of a node that does not speak any more are taken over")
				m.wakePools()
			}
		case <-ctx.Done():
			return
		}
	}
}

func (m *Machine) renew(ctx context.Context) {
	all := m.held.keys()
	if len(all) == 0 {
		return
	}
	began := time.Now()
	lost, err := m.cfg.Store.RenewDeliveries(ctx, all, m.cfg.Lease)
	if err != nil {
		return // their clocks run out, unless the next time it works
	}
	m.held.renewed(all, lost, m.cfg.Lease-time.Since(began))
}
