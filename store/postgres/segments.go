package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

const sealingLock = "hashtextextended('holdfast audit sealing ' || current_schema(), 0)"

// Sealing runs fn while this session holds an advisory lock. Should the connection
// break, the lock is gone while fn still runs; [Store.AppendSegment] then decides.
func (s *Store) Sealing(ctx context.Context, fn func(ctx context.Context) error) (ran bool, err error) {
	var conn *pgxpool.Conn
	err = s.reading(ctx, func() (err error) {
		if conn, err = s.pool.Acquire(ctx); err != nil {
			return err
		}
		if err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock("+sealingLock+")").Scan(&ran); err != nil {
			conn.Release()
		}
		return err
	})
	if err != nil {
		return false, err
	}
	defer conn.Release()
	if !ran {
		return false, nil
	}
	defer unlock(ctx, conn)
	return true, fn(ctx)
}

// unlock lets go of the lock, with the connection if need be.
func unlock(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_unlock("+sealingLock+")"); err != nil {
		_ = conn.Conn().Close(ctx)
	}
}

const selectSegments = "SELECT number, hour, backfill, row_count, hash, previous, manifest, sealed_at FROM audit_segments "

func scanSegment(row pgx.CollectableRow) (g holdfast.AuditSegment, err error) {
	var hash, previous []byte
	var manifest string
	err = row.Scan(&g.Number, &g.Hour, &g.Backfill, &g.Rows, &hash, &previous, &manifest, &g.SealedAt)
	copy(g.Hash[:], hash)
	copy(g.Previous[:], previous)
	g.Manifest, g.Hour, g.SealedAt = []byte(manifest), g.Hour.UTC(), g.SealedAt.UTC()
	return g, err
}

// LastSegment is the newest.
func (s *Store) LastSegment(ctx context.Context) (holdfast.AuditSegment, error) {
	all, err := list(ctx, s, scanSegment, selectSegments+"ORDER BY number DESC LIMIT 1")
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return holdfast.AuditSegment{}, err
	}
	return all[0], nil
}

// Segments lists from a number on.
func (s *Store) Segments(ctx context.Context, from int64, limit int) ([]holdfast.AuditSegment, error) {
	return list(ctx, s, scanSegment, selectSegments+"WHERE number >= $1 ORDER BY number LIMIT $2", from, int64(max(limit, 0)))
}

// appendSegment inserts nothing unless the one before is as expected; the primary key
// decides between two that do it at once.
const appendSegment = `
INSERT INTO audit_segments (number, hour, backfill, row_count, hash, previous, manifest, sealed_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE CASE WHEN $1::bigint = 1 THEN $6::bytea = decode(repeat('00', 32), 'hex')
  ELSE EXISTS (SELECT FROM audit_segments WHERE number = $1::bigint - 1 AND hash = $6::bytea) END`

// AppendSegment adds the next one and its event.
func (s *Store) AppendSegment(ctx context.Context, g holdfast.AuditSegment, event holdfast.AuditEvent) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, appendSegment, g.Number, g.Hour, g.Backfill, g.Rows, g.Hash[:], g.Previous[:], string(g.Manifest), g.SealedAt)
		if stateOf(err) == uniqueViolation || err == nil && tag.RowsAffected() == 0 {
			return store.ErrConflict
		}
		if err != nil {
			return err
		}
		return record(ctx, tx.Conn(), []holdfast.AuditEvent{event})
	})
}

// CountRows counts by the hour.
func (s *Store) CountRows(ctx context.Context, from, to time.Time) (map[time.Time]int64, error) {
	type count struct {
		hour time.Time
		n    int64
	}
	all, err := list(ctx, s, func(row pgx.CollectableRow) (c count, err error) { return c, row.Scan(&c.hour, &c.n) },
		"SELECT date_trunc('hour', at, 'UTC') AS hour, count(*) FROM audit_events WHERE at >= $1 AND at < $2 GROUP BY hour",
		auditsql.Ceil(from), auditsql.Ceil(to))
	if err != nil {
		return nil, err
	}
	counts := map[time.Time]int64{}
	for _, c := range all {
		counts[c.hour.UTC()] = c.n
	}
	return counts, nil
}
