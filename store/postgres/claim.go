package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// shopsAtOnce bounds how many stores a claim looks at.
const shopsAtOnce = 64

const due = "d.status = 0 AND NOT d.behind AND d.waits = 0 AND d.consumer = $1"

// claimStatement goes from store to store through the index and takes of each its share of what is due, the longest
// waiting first. What it reads does not depend on how much waits.
const claimStatement = `
WITH RECURSIVE shops(shop, n) AS (
  (SELECT d.shop, 1 FROM deliveries d WHERE ` + due + ` AND d.shop >= $2 ORDER BY d.shop LIMIT 1)
  UNION ALL
  SELECT (SELECT d.shop FROM deliveries d WHERE ` + due + ` AND d.shop > shops.shop ORDER BY d.shop LIMIT 1), shops.n + 1
  FROM shops WHERE shops.shop IS NOT NULL AND shops.n < $3
), looked AS MATERIALIZED (
  SELECT max(shop) AS last, count(shop) AS n FROM shops
), picked AS MATERIALIZED (
  SELECT p.position FROM shops CROSS JOIN LATERAL (
    SELECT d.position FROM deliveries d WHERE ` + due + ` AND d.shop = shops.shop AND d.due_at <= now()
    ORDER BY d.due_at, d.position LIMIT greatest(1, $4::bigint / greatest(1, (SELECT n FROM looked))) FOR UPDATE SKIP LOCKED
  ) p LIMIT $4
), claimed AS (
  UPDATE deliveries d SET status = 1, generation = d.generation + 1, attempts = d.attempts + 1, node = $5, lease_until = now() + $6::interval
  WHERE d.position = ANY (ARRAY(SELECT position FROM picked)) AND d.status = 0
  RETURNING d.*
)
SELECT coalesce(looked.last, ''), looked.n, c.position, c.stream, s.id, c.seq, t.id, c.type, c.shop, c.consumer, c.lane, c.after, c.attempts, c.generation,
  c.lease_until, c.code, c.created_at, t.body, b.context, b.prior, b.epoch,
  (SELECT r.payload FROM repairs r WHERE r.stream = c.stream AND r.seq = c.seq ORDER BY r.number DESC LIMIT 1),
  CASE WHEN cardinality(c.after) > 0 THEN
    (SELECT json_object_agg(o.consumer, o.reference)::text FROM deliveries o WHERE o.stream = c.stream AND o.seq = c.seq AND o.status = 10 AND o.reference <> '') END
FROM looked LEFT JOIN (claimed c JOIN streams s ON s.num = c.stream JOIN transactions t ON t.stream = c.stream AND t.seq = c.seq
  JOIN batches b ON b.position = t.batch) ON true
ORDER BY c.due_at, c.position`

// ClaimDeliveries takes deliveries that are due.
func (s *Store) ClaimDeliveries(ctx context.Context, q store.ClaimQuery) (claimed store.Claimed, err error) {
	// One statement is a Tx of its own. If its answer is lost, what it claimed comes back when the lease ends.
	err = s.reading(ctx, func() error {
		claimed = store.Claimed{}
		from := q.After.Shop
		if q.After.Behind {
			from += "\x01" // a store's name is printable
		}
		shops := min(q.Most, shopsAtOnce)
		rows, err := s.query(ctx, claimStatement, q.Consumer, from, shops, q.Most, q.Node, q.Lease)
		if err != nil {
			return err
		}
		defer rows.Close()
		var looked int
		for rows.Next() {
			d, last, n, err := scanClaimed(rows)
			if err != nil {
				return err
			}
			looked, claimed.Next = n, store.ClaimCursor{Behind: true, Shop: last}
			if d != nil {
				claimed.Deliveries = append(claimed.Deliveries, *d)
			}
		}
		claimed.Empty = looked == 0 && !q.After.Behind
		if looked < shops {
			claimed.Next = store.ClaimCursor{}
		}
		return rows.Err()
	})
	if err != nil {
		return store.Claimed{}, err
	}
	return claimed, nil
}

func scanClaimed(rows pgx.Rows) (*store.ClaimedDelivery, string, int, error) {
	var (
		last                                     string
		looked                                   int
		position, num, seq, attempts, generation *int64
		epoch                                    *int64
		stream, id                               *[16]byte
		typ, shop, consumer, code, body, rc      *string
		prior, repaired, references              *string
		lane                                     []byte
		after                                    []string
		lease, created                           *time.Time
	)
	err := rows.Scan(&last, &looked, &position, &num, &stream, &seq, &id, &typ, &shop, &consumer, &lane, &after, &attempts, &generation,
		&lease, &code, &created, &body, &rc, &prior, &epoch, &repaired, &references)
	if err != nil || position == nil {
		return nil, last, looked, err
	}
	d := &store.ClaimedDelivery{
		Delivery: holdfast.Delivery{
			Position: *position, Stream: *stream, Seq: *seq, Transaction: *id, Type: *typ, Shop: *shop, Consumer: *consumer, After: after,
			Status: holdfast.DeliveryDelivering, Attempts: *attempts, Generation: *generation, LeaseUntil: lease.UTC(), Code: *code, CreatedAt: created.UTC(),
		},
		Raw: []byte(*body), Repaired: bytesOf(repaired), Prior: bytesOf(prior), Epoch: *epoch,
	}
	copy(d.Lane[:], lane)
	if references != nil {
		if err := json.Unmarshal([]byte(*references), &d.References); err != nil {
			return nil, last, looked, err
		}
	}
	d.Context, err = store.DecodeContext([]byte(*rc))
	return d, last, looked, err
}

// RenewDeliveries puts leases off.
func (s *Store) RenewDeliveries(ctx context.Context, all []store.DeliveryLease, lease time.Duration) (lost []store.DeliveryLease, err error) {
	positions, generations := make([]int64, len(all)), make([]int64, len(all))
	for i, l := range all {
		positions[i], generations[i] = l.Position, l.Generation
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
UPDATE deliveries d SET lease_until = now() + $3::interval FROM unnest($1::bigint[], $2::bigint[]) AS r(position, generation)
WHERE d.position = r.position AND d.generation = r.generation AND d.status = 1 RETURNING d.position, d.generation`, positions, generations, lease)
		if err != nil {
			return err
		}
		kept, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.DeliveryLease])
		lost = slices.DeleteFunc(slices.Clone(all), func(l store.DeliveryLease) bool { return slices.Contains(kept, l) })
		return err
	})
	return lost, err
}

// RecoverDeliveries lets go of leases that have ended.
func (s *Store) RecoverDeliveries(ctx context.Context) (n int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
UPDATE deliveries SET status = 0, due_at = now(), lease_until = NULL
WHERE position = ANY (ARRAY(SELECT position FROM deliveries WHERE status = 1 AND lease_until < now() ORDER BY lease_until LIMIT 1000 FOR UPDATE SKIP LOCKED))`)
		n = int(tag.RowsAffected())
		return err
	})
	return n, err
}

// WakeDeliveries makes due what waits for a file.
func (s *Store) WakeDeliveries(ctx context.Context, digest holdfast.Hash) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
UPDATE deliveries d SET due_at = now() FROM attachment_names n
WHERE n.digest = $1 AND d.stream = n.stream AND d.seq = n.seq AND d.status = 0 AND d.code = $2 AND d.due_at > now()`, digest[:], store.CodeMissing)
		if err == nil && tag.RowsAffected() > 0 {
			_, err = tx.Exec(ctx, "SELECT pg_notify('holdfast', 'work')")
		}
		return err
	})
}
