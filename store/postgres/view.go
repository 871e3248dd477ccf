package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/group"
)

// look is one caller's question and, once answered, its view.
type look struct {
	key  store.Key
	view store.View
	err  error
}

// View reads head and record of one snapshot of the primary. Looks that wait at
// the same time are one statement.
func (s *Store) View(ctx context.Context, key store.Key) (store.View, error) {
	l := &look{key: key}
	err := s.looks.Do(ctx, l)
	if errors.Is(err, store.ErrOutcomeUnknown) { // nobody answered; nothing was at stake
		return store.View{}, store.ErrUnavailable
	}
	if err != nil {
		return store.View{}, err
	}
	return l.view, l.err
}

// maxLooks is how many looks share a statement at the most.
const maxLooks = 512

// look is a reader's life: take the looks that wait, ask once, answer all.
func (s *Store) look(life context.Context) {
	var calls []*group.Call[*look]
	for {
		n := 0
		var open bool
		calls, open = s.looks.Take(calls[:0], func(*look) bool { n++; return n >= maxLooks })
		if len(calls) > 0 {
			s.lookAtAll(life, calls)
			clear(calls)
		}
		if !open {
			return
		}
	}
}

func (s *Store) lookAtAll(life context.Context, calls []*group.Call[*look]) {
	ctx, cancel := context.WithTimeout(life, s.cfg.Patience)
	defer cancel()
	err := s.reading(ctx, func() error { return s.readViews(ctx, calls) })
	for _, c := range calls {
		c.Finish(err)
	}
}

const viewStatement = `
SELECT q.n, present.epoch, s.accepted_through, s.digest, s.quarantined, s.device, s.shop,
  b.first_seq, b.last_seq, b.duplicates, b.fingerprint, b.problems, b.context, b.prior, b.epoch, b.accepted_at
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS q(stream, correlation, n)
CROSS JOIN (SELECT max(epoch) AS epoch FROM epochs) present
LEFT JOIN streams s ON s.id = q.stream
LEFT JOIN batches b ON b.stream = s.num AND b.correlation = q.correlation`

func (s *Store) readViews(ctx context.Context, calls []*group.Call[*look]) error {
	streams, correlations := make([][16]byte, len(calls)), make([][16]byte, len(calls))
	for i, c := range calls {
		streams[i], correlations[i] = c.Item.key.Stream, c.Item.key.Correlation
	}
	rows, err := s.pool.Query(ctx, viewStatement, streams, correlations)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r viewRow
		if err := rows.Scan(&r.n, &r.epoch, &r.through, &r.digest, &r.quarantined, &r.device, &r.shop,
			&r.first, &r.last, &r.duplicates, &r.fingerprint, &r.problems, &r.context, &r.prior, &r.batchEpoch, &r.acceptedAt); err != nil {
			return err
		}
		l := calls[r.n-1].Item
		l.view, l.err = r.view(l.key.Correlation)
	}
	return rows.Err()
}

type viewRow struct {
	n, epoch                 int64
	through, quarantined     *int64
	digest, fingerprint      []byte
	device, shop             *string
	first, last, duplicates  *int64
	problems, context, prior *string
	batchEpoch               *int64
	acceptedAt               *time.Time
}

func (r *viewRow) view(correlation holdfast.ID) (store.View, error) {
	v := store.View{Epoch: r.epoch}
	if r.through == nil {
		return v, nil
	}
	v.Head = holdfast.Head{
		AcceptedThrough: *r.through, Quarantined: *r.quarantined,
		Owner: holdfast.Owner{Device: *r.device, Shop: *r.shop},
	}
	copy(v.Head.Digest[:], r.digest)
	if r.first == nil {
		return v, nil
	}
	rec := &holdfast.BatchRecord{
		Correlation: correlation, First: *r.first, Last: *r.last, Duplicates: *r.duplicates,
		Prior: bytesOf(r.prior), Epoch: *r.batchEpoch, AcceptedAt: *r.acceptedAt,
	}
	copy(rec.Fingerprint[:], r.fingerprint)
	var err error
	if rec.Problems, err = store.DecodeProblems(bytesOf(r.problems)); err != nil {
		return store.View{}, err
	}
	if rec.Context, err = store.DecodeContext(bytesOf(r.context)); err != nil {
		return store.View{}, err
	}
	v.Batch = rec
	return v, nil
}

func bytesOf(s *string) []byte {
	if s == nil {
		return nil
	}
	return []byte(*s)
}
