package sync

import (
	"context"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Store is the part of a store that the rules need.
type Store interface {
	store.Appender
	store.Reader
	store.Queues
	store.Changes
	// StreamDeliveries, Deliveries and Repairs tell what became of transactions ([store.Deliveries], [store.Quarantine]).
	StreamDeliveries(ctx context.Context, stream holdfast.ID, planned bool) (through, open int64, err error)
	Deliveries(ctx context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error)
	Repairs(ctx context.Context, stream holdfast.ID, seq int64) ([]holdfast.Repair, error)
	// Named lists the attachments that transactions name ([store.Attachments]).
	Named(ctx context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, error)
}

// Hints remembers heads of streams, to save a look at the database. A hint may
// be old, wrong or missing: it only ever leads to an attempt that the store
// checks, never to an answer. Both methods must return at once when the memory
// behind them is slow or gone.
type Hints interface {
	// Head is what is remembered of a stream in that epoch.
	Head(ctx context.Context, epoch, stream holdfast.ID) (holdfast.Head, bool)
	// Remember is best effort.
	Remember(epoch, stream holdfast.ID, head holdfast.Head)
}

// Schemas decides whether a payload is acceptable.
type Schemas interface {
	// Check returns nil for an acceptable payload, else a JSON problem object
	// (RFC 9457) that names places, never values.
	Check(typ string, version int64, payload []byte) []byte
}
