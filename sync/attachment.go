package sync

import (
	"context"
	"errors"
	"sync"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Attachments lists the files that a stream's transactions name.
func (g *Gateway) Attachments(ctx context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, holdfast.Watermarks, error) {
	ctx, cancel := g.patient(ctx)
	defer cancel()
	s, err := g.lookAs(ctx, store.Key{Stream: q.Stream})
	if err != nil {
		return nil, holdfast.Watermarks{}, explain(err)
	}
	named, err := g.Store.Named(ctx, q)
	return named, g.marks(ctx, q.Stream, s), explain(err)
}

// countedMissing is how many missing attachments are counted at most.
const countedMissing = 1000

func (g *Gateway) missing(ctx context.Context, stream holdfast.ID) (int64, error) {
	named, err := g.Store.Named(ctx, store.NamedQuery{Stream: stream, Below: 1, Limit: countedMissing})
	return int64(len(named)), err
}

// attached remembers through where every attachment of a stream is held in enough sites. Within an
// epoch that only grows; it spares a look, and decides nothing that the database would not say.
type attached struct {
	mu      sync.Mutex
	epoch   int64
	through map[holdfast.ID]int64
}

// maxAttached bounds the memory: about 5 MB.
const maxAttached = 100_000

func (a *attached) get(epoch int64, stream holdfast.ID) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.epoch != epoch {
		return 0
	}
	return a.through[stream]
}

func (a *attached) put(epoch int64, stream holdfast.ID, through int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.epoch != epoch || len(a.through) >= maxAttached {
		a.epoch, a.through = epoch, map[holdfast.ID]int64{}
	}
	a.through[stream] = max(through, a.through[stream])
}

// marks are the watermarks of a situation. With further copies wanted, the durable mark
// stops in front of the first transaction that names a file held in too few sites.
func (g *Gateway) marks(ctx context.Context, stream holdfast.ID, s situation) holdfast.Watermarks {
	w := *s.watermarks()
	g.hold(ctx, stream, &w)
	return w
}

func (g *Gateway) hold(ctx context.Context, stream holdfast.ID, w *holdfast.Watermarks) {
	if g.Copies < 2 || w.DurableThrough == 0 {
		return
	}
	q := store.NamedQuery{Stream: stream, AfterSeq: g.attached.get(w.Epoch, stream), Below: g.Copies, Limit: 1}
	for i := range q.AfterDigest {
		q.AfterDigest[i] = 0xff // behind all of AfterSeq
	}
	through := q.AfterSeq // what is not known is not claimed
	if sparse, err := g.Store.Named(ctx, q); err == nil {
		if through = w.AcceptedThrough; len(sparse) > 0 {
			through = sparse[0].Seq - 1
		}
		g.attached.put(w.Epoch, stream, through)
	}
	w.DurableThrough = min(w.DurableThrough, through)
}

// held is what a client is told of an error, its durable mark held back as everywhere.
func (g *Gateway) held(ctx context.Context, stream holdfast.ID, err error) error {
	var e *holdfast.Error
	if errors.As(err, &e) && e.Watermarks != nil {
		g.hold(ctx, stream, e.Watermarks)
	}
	return err
}
