package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const heldStatement = `
SELECT t.id, t.seq, t.body, q.problem
FROM (SELECT num FROM streams WHERE id = $1) s
CROSS JOIN LATERAL (
  SELECT * FROM transactions x WHERE x.stream = s.num AND x.seq BETWEEN $2 AND $3
  UNION
  SELECT * FROM transactions x WHERE x.stream = s.num AND x.id = ANY($4::uuid[])
) t
LEFT JOIN quarantine q ON q.stream = t.stream AND q.seq = t.seq AND q.verb IS NULL
ORDER BY t.seq`

// Held reads by seq and by id, each transaction once.
func (s *Store) Held(ctx context.Context, q store.HeldQuery) ([]store.Held, error) {
	ids := make([][16]byte, len(q.IDs))
	for i := range q.IDs {
		ids[i] = q.IDs[i]
	}
	var held []store.Held
	err := s.reading(ctx, func() error {
		rows, err := s.pool.Query(ctx, heldStatement, [16]byte(q.Stream), q.First, q.Last, ids)
		if err != nil {
			return err
		}
		held, err = pgx.CollectRows(rows, scanHeld)
		return err
	})
	return held, err
}

func scanHeld(row pgx.CollectableRow) (h store.Held, err error) {
	var id [16]byte
	var body string
	var problem *string
	err = row.Scan(&id, &h.Seq, &body, &problem)
	h.ID, h.Raw, h.Problem = id, []byte(body), bytesOf(problem)
	return h, err
}

const transactionStatement = `
SELECT t.id, t.body, q.problem, b.correlation, b.context, b.epoch, b.accepted_at
FROM streams s JOIN transactions t ON t.stream = s.num JOIN batches b ON b.position = t.batch
LEFT JOIN quarantine q ON q.stream = t.stream AND q.seq = t.seq AND q.verb IS NULL
WHERE s.id = $1::uuid AND t.seq = $2`

// Transaction reads one back with the batch that brought it.
func (s *Store) Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error) {
	tx := holdfast.StoredTransaction{Seq: seq}
	var id, correlation [16]byte
	var body, rc string
	var problem *string
	err := s.reading(ctx, func() error {
		return s.queryRow(ctx, transactionStatement, stream.String(), seq).
			Scan(&id, &body, &problem, &correlation, &rc, &tx.Epoch, &tx.AcceptedAt)
	})
	if err != nil {
		return holdfast.StoredTransaction{}, err
	}
	tx.ID, tx.Correlation, tx.Raw, tx.Problem = id, correlation, []byte(body), bytesOf(problem)
	tx.Context, err = store.DecodeContext([]byte(rc))
	return tx, err
}

// Epoch reads the current epoch.
func (s *Store) Epoch(ctx context.Context) (store.Epoch, error) {
	var e store.Epoch
	var id [16]byte
	err := s.reading(ctx, func() error {
		return s.pool.QueryRow(ctx, "SELECT epoch, id, started_at FROM epochs ORDER BY epoch DESC LIMIT 1").Scan(&e.Number, &id, &e.StartedAt)
	})
	if err != nil {
		return store.Epoch{}, err
	}
	e.ID = id
	return e, nil
}
