package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// shopsAtOnce bounds how many stores a claim looks at.
const shopsAtOnce = 64

const due = "status = 0 AND behind = 0 AND waits = 0 AND consumer = ?"

// ClaimDeliveries goes from store to store through the index and takes of each its share of what is due.
func (s *Store) ClaimDeliveries(ctx context.Context, q store.ClaimQuery) (claimed store.Claimed, err error) {
	if nothing, err := s.nothingDue(ctx, q); nothing || err != nil { // a look costs no commit
		return store.Claimed{Empty: nothing}, err
	}
	var positions []int64
	err = s.do(ctx, func(w *writer, _, now int64) error {
		if ctx.Err() != nil { // nobody waits for it any more
			return store.ErrConflict
		}
		claimed, positions = store.Claimed{}, nil
		shops, err := w.shops(q)
		if err != nil {
			return err
		}
		for _, shop := range shops {
			some, err := w.claimOf(q, shop, max(1, q.Most/len(shops)), q.Most-len(positions), now)
			if err != nil {
				return err
			}
			positions = append(positions, some...)
		}
		if len(shops) == min(q.Most, shopsAtOnce) {
			claimed.Next = store.ClaimCursor{Behind: true, Shop: shops[len(shops)-1]}
		}
		return nil
	})
	if err != nil {
		return store.Claimed{}, err
	}
	if len(positions) > 0 {
		claimed.Deliveries, err = s.claimed(ctx, positions)
	}
	return claimed, err
}

func (s *Store) nothingDue(ctx context.Context, q store.ClaimQuery) (bool, error) {
	var some bool
	err := s.reads.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM deliveries WHERE "+due+")", q.Consumer).Scan(&some)
	return !some, unavailable(err)
}

// shops are the next ones that have something waiting.
func (w *writer) shops(q store.ClaimQuery) (shops []string, err error) {
	next, err := w.kept("SELECT shop FROM deliveries WHERE " + due + " AND shop > ? ORDER BY shop LIMIT 1")
	if err != nil {
		return nil, err
	}
	first, err := w.kept("SELECT shop FROM deliveries WHERE " + due + " AND shop >= ? ORDER BY shop LIMIT 1")
	if err != nil {
		return nil, err
	}
	at := q.After.Shop
	for len(shops) < min(q.Most, shopsAtOnce) {
		ask := next
		if !q.After.Behind && len(shops) == 0 {
			ask = first
		}
		err := ask.QueryRowContext(background, q.Consumer, at).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return shops, nil
		}
		if err != nil {
			return nil, err
		}
		shops = append(shops, at)
	}
	return shops, nil
}

// claimOf takes at most share, and at most left, of a store.
func (w *writer) claimOf(q store.ClaimQuery, shop string, share, left int, now int64) (positions []int64, err error) {
	stmt, err := w.kept(`
UPDATE deliveries SET status = 1, generation = generation + 1, attempts = attempts + 1, node = ?5, lease_until = ?3 + ?6
WHERE position IN (SELECT position FROM deliveries WHERE status = 0 AND behind = 0 AND waits = 0 AND consumer = ?1 AND shop = ?2 AND due_at <= ?3 ORDER BY due_at, position LIMIT ?4)
RETURNING position`)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(background, q.Consumer, shop, now, min(share, left), q.Node, q.Lease.Microseconds())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var position int64
		if err := rows.Scan(&position); err != nil {
			return nil, err
		}
		positions = append(positions, position)
	}
	return positions, rows.Err()
}

// claimed reads what the calls need. A lease is not longer for it: it began before.
func (s *Store) claimed(ctx context.Context, positions []int64) ([]store.ClaimedDelivery, error) {
	list, _ := json.Marshal(positions) // numbers: can't fail
	return rowsOf(ctx, s, scanClaimed, `
SELECT d.position, s.id, d.seq, t.id, d.type, d.shop, d.consumer, d.lane, d.after, d.attempts, d.generation, d.lease_until, d.code, d.created_at,
  t.body, b.context, b.prior, b.epoch,
  (SELECT r.payload FROM repairs r WHERE r.stream = d.stream AND r.seq = d.seq ORDER BY r.number DESC LIMIT 1),
  CASE WHEN d.after <> '[]' THEN (SELECT json_group_object(o.consumer, o.reference) FROM deliveries o WHERE o.stream = d.stream AND o.seq = d.seq AND o.status = 10 AND o.reference <> '') END
FROM deliveries d JOIN streams s ON s.num = d.stream JOIN transactions t ON t.stream = d.stream AND t.seq = d.seq JOIN batches b ON b.position = t.batch
WHERE d.position IN (SELECT value FROM json_each(?)) AND d.status = 1 ORDER BY d.due_at, d.position`, string(list))
}

func scanClaimed(scan func(...any) error) (d store.ClaimedDelivery, err error) {
	var stream, id, lane, rc, references []byte
	var after string
	var lease, created int64
	err = scan(&d.Position, &stream, &d.Seq, &id, &d.Type, &d.Shop, &d.Consumer, &lane, &after, &d.Attempts, &d.Generation, &lease, &d.Code, &created,
		&d.Raw, &rc, &d.Prior, &d.Epoch, &d.Repaired, &references)
	if err != nil {
		return d, err
	}
	copy(d.Stream[:], stream)
	copy(d.Transaction[:], id)
	copy(d.Lane[:], lane)
	d.Status, d.LeaseUntil, d.CreatedAt = holdfast.DeliveryDelivering, timeOf(lease), timeOf(created)
	if err := json.Unmarshal([]byte(after), &d.After); err != nil {
		return d, err
	}
	if references != nil {
		if err := json.Unmarshal(references, &d.References); err != nil {
			return d, err
		}
	}
	d.Context, err = store.DecodeContext(rc)
	return d, err
}

// RenewDeliveries puts leases off.
func (s *Store) RenewDeliveries(ctx context.Context, all []store.DeliveryLease, lease time.Duration) (lost []store.DeliveryLease, err error) {
	err = s.do(ctx, func(w *writer, _, now int64) error {
		lost = nil
		for _, l := range all {
			err := w.changed("UPDATE deliveries SET lease_until = ? WHERE position = ? AND generation = ? AND status = 1", now+lease.Microseconds(), l.Position, l.Generation)
			if errors.Is(err, store.ErrConflict) {
				lost = append(lost, l)
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // the writer may still be at work
		return nil, err
	}
	return lost, nil
}

// RecoverDeliveries lets go of leases that have ended.
func (s *Store) RecoverDeliveries(ctx context.Context) (n int, err error) {
	var some bool
	err = s.reads.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM deliveries WHERE status = 1 AND lease_until < ?)", time.Now().UnixMicro()).Scan(&some)
	if err != nil || !some {
		return 0, unavailable(err)
	}
	err = s.do(ctx, func(w *writer, _, now int64) error {
		result, err := w.conn.ExecContext(background, "UPDATE deliveries SET status = 0, due_at = ?1, lease_until = NULL WHERE status = 1 AND lease_until < ?1", now)
		if err != nil {
			return err
		}
		count, err := result.RowsAffected()
		n = int(count)
		return err
	})
	if err != nil { // the writer may still be at work
		return 0, err
	}
	return n, nil
}

// WakeDeliveries makes due what waits for a file.
func (s *Store) WakeDeliveries(ctx context.Context, digest holdfast.Hash) error {
	const waiting = `(SELECT d.position FROM attachment_names n JOIN deliveries d ON d.stream = n.stream AND d.seq = n.seq
WHERE n.digest = ?1 AND d.status = 0 AND d.code = '` + store.CodeMissing + `' AND d.due_at > ?2)`
	var some bool
	err := s.reads.QueryRowContext(ctx, "SELECT EXISTS "+waiting, digest[:], time.Now().UnixMicro()).Scan(&some)
	if err != nil || !some {
		return unavailable(err)
	}
	err = s.do(ctx, func(w *writer, _, now int64) error {
		return w.exec("UPDATE deliveries SET due_at = ?2 WHERE position IN "+waiting, digest[:], now)
	})
	if err == nil {
		s.tell(store.Notice{Work: true})
	}
	return err
}
