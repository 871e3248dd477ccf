package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// View reads head and record in one statement, so of one snapshot. A read that
// begins after an append was acknowledged sees it.
func (s *Store) View(ctx context.Context, key store.Key) (store.View, error) {
	var (
		v                        store.View
		through, quarantined     sql.NullInt64
		digest                   []byte
		device, shop             sql.NullString
		first                    sql.NullInt64
		last, duplicates, epoch  sql.NullInt64
		acceptedAt               sql.NullInt64
		fingerprint              []byte
		problems, rcText, priors []byte
	)
	err := s.reads.QueryRowContext(ctx, `
SELECT (SELECT max(epoch) FROM epochs), s.accepted_through, s.digest, s.quarantined, s.device, s.shop,
  b.first_seq, b.last_seq, b.duplicates, b.fingerprint, b.problems, b.context, b.prior, b.epoch, b.accepted_at
FROM (SELECT 1) LEFT JOIN streams s ON s.id = ? LEFT JOIN batches b ON b.stream = s.num AND b.correlation = ?`,
		key.Stream[:], key.Correlation[:]).Scan(&v.Epoch, &through, &digest, &quarantined, &device, &shop,
		&first, &last, &duplicates, &fingerprint, &problems, &rcText, &priors, &epoch, &acceptedAt)
	if err != nil {
		return store.View{}, unavailable(err)
	}
	v.Head = holdfast.Head{
		AcceptedThrough: through.Int64, Quarantined: quarantined.Int64,
		Owner: holdfast.Owner{Device: device.String, Shop: shop.String},
	}
	copy(v.Head.Digest[:], digest)
	if !first.Valid {
		return v, nil
	}
	rec := holdfast.BatchRecord{
		Correlation: key.Correlation, First: first.Int64, Last: last.Int64, Duplicates: duplicates.Int64,
		Prior: priors, Epoch: epoch.Int64, AcceptedAt: timeOf(acceptedAt.Int64),
	}
	copy(rec.Fingerprint[:], fingerprint)
	if rec.Problems, err = store.DecodeProblems(problems); err != nil {
		return store.View{}, err
	}
	if rec.Context, err = store.DecodeContext(rcText); err != nil {
		return store.View{}, err
	}
	v.Batch = &rec
	return v, nil
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

const selectHeld = `
SELECT t.id, t.seq, t.body, q.problem FROM streams s JOIN transactions t ON t.stream = s.num
LEFT JOIN quarantine q ON q.stream = t.stream AND q.seq = t.seq AND q.verb IS NULL WHERE s.id = ? AND `

// Held reads by seq and by id, the same transaction once.
func (s *Store) Held(ctx context.Context, q store.HeldQuery) ([]store.Held, error) {
	held, err := s.held(ctx, nil, selectHeld+"t.seq BETWEEN ? AND ?", q.Stream[:], q.First, q.Last)
	for ids := q.IDs; err == nil && len(ids) > 0; {
		some := ids[:min(len(ids), 500)]
		ids = ids[len(some):]
		args := []any{q.Stream[:]}
		for i := range some {
			args = append(args, some[i][:])
		}
		held, err = s.held(ctx, held, selectHeld+"t.id IN (?"+strings.Repeat(", ?", len(some)-1)+")", args...)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	slices.SortFunc(held, func(a, b store.Held) int { return int(a.Seq - b.Seq) })
	return slices.CompactFunc(held, func(a, b store.Held) bool { return a.Seq == b.Seq }), nil
}

func (s *Store) held(ctx context.Context, held []store.Held, query string, args ...any) ([]store.Held, error) {
	rows, err := s.reads.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h store.Held
		var id []byte
		if err := rows.Scan(&id, &h.Seq, &h.Raw, &h.Problem); err != nil {
			return nil, err
		}
		copy(h.ID[:], id)
		held = append(held, h)
	}
	return held, rows.Err()
}

// Transaction reads one back with the batch that brought it.
func (s *Store) Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error) {
	tx := holdfast.StoredTransaction{Seq: seq}
	var id, correlation, rcText []byte
	var acceptedAt int64
	err := s.reads.QueryRowContext(ctx, `
SELECT t.id, t.body, q.problem, b.correlation, b.context, b.epoch, b.accepted_at
FROM streams s JOIN transactions t ON t.stream = s.num JOIN batches b ON b.position = t.batch
LEFT JOIN quarantine q ON q.stream = t.stream AND q.seq = t.seq AND q.verb IS NULL WHERE s.id = ? AND t.seq = ?`, stream[:], seq).
		Scan(&id, &tx.Raw, &tx.Problem, &correlation, &rcText, &tx.Epoch, &acceptedAt)
	if err != nil {
		return holdfast.StoredTransaction{}, unavailable(err)
	}
	copy(tx.ID[:], id)
	copy(tx.Correlation[:], correlation)
	tx.AcceptedAt = timeOf(acceptedAt)
	tx.Context, err = store.DecodeContext(rcText)
	return tx, err
}

// Epoch reads the current epoch.
func (s *Store) Epoch(ctx context.Context) (store.Epoch, error) {
	var e store.Epoch
	var id []byte
	var startedAt int64
	err := s.reads.QueryRowContext(ctx, "SELECT epoch, id, started_at FROM epochs ORDER BY epoch DESC LIMIT 1").
		Scan(&e.Number, &id, &startedAt)
	if err != nil {
		return store.Epoch{}, unavailable(err)
	}
	copy(e.ID[:], id)
	e.StartedAt = timeOf(startedAt)
	return e, nil
}
