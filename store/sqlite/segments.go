package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

// placeholder of argument n.
func placeholder(n int) string { return "?" + strconv.Itoa(n) }

// Sealing runs fn under a lock on a file, so that a tool beside the gateway is kept away too.
func (s *Store) Sealing(ctx context.Context, fn func(ctx context.Context) error) (bool, error) {
	f, err := os.OpenFile(filepath.Join(s.cfg.Dir, "sealing.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	defer f.Close()
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
	case nil:
		return true, fn(ctx)
	case syscall.EWOULDBLOCK:
		return false, nil
	default:
		return false, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
}

const selectSegments = "SELECT number, hour, backfill, row_count, hash, previous, manifest, sealed_at FROM audit_segments "

func scanSegment(rows *sql.Rows) (g holdfast.AuditSegment, err error) {
	var hour, sealed int64
	var hash, previous []byte
	err = rows.Scan(&g.Number, &hour, &g.Backfill, &g.Rows, &hash, &previous, &g.Manifest, &sealed)
	copy(g.Hash[:], hash)
	copy(g.Previous[:], previous)
	g.Hour, g.SealedAt = timeOf(hour), timeOf(sealed)
	return g, err
}

// LastSegment is the newest.
func (s *Store) LastSegment(ctx context.Context) (holdfast.AuditSegment, error) {
	all, err := list(ctx, s.reads, selectSegments+"ORDER BY number DESC LIMIT 1", nil, scanSegment)
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
	return list(ctx, s.reads, selectSegments+"WHERE number >= ? ORDER BY number LIMIT ?", []any{from, max(limit, 0)}, scanSegment)
}

// appendSegment inserts nothing unless the one before is as expected.
const appendSegment = `
INSERT INTO audit_segments (number, hour, backfill, row_count, hash, previous, manifest, sealed_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
WHERE CASE WHEN ?1 = 1 THEN ?6 = zeroblob(32) AND NOT EXISTS (SELECT 1 FROM audit_segments)
  ELSE (SELECT number = ?1 - 1 AND hash = ?6 FROM audit_segments ORDER BY number DESC LIMIT 1) END`

// AppendSegment adds the next one and its event.
func (s *Store) AppendSegment(ctx context.Context, g holdfast.AuditSegment, event holdfast.AuditEvent) error {
	return s.do(ctx, func(w *writer, epoch, now int64) error {
		result, err := w.conn.ExecContext(background, appendSegment, g.Number, g.Hour.UnixMicro(), g.Backfill, g.Rows,
			g.Hash[:], g.Previous[:], string(g.Manifest), g.SealedAt.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return firstOf(err, store.ErrConflict)
		}
		return w.insertEvents([]holdfast.AuditEvent{event}, epoch, now)
	})
}

// CountRows counts by the hour.
func (s *Store) CountRows(ctx context.Context, from, to time.Time) (map[time.Time]int64, error) {
	type count struct{ hour, n int64 }
	all, err := list(ctx, s.reads, "SELECT at - at % 3600000000 AS hour, count(*) FROM audit_events WHERE at >= ? AND at < ? GROUP BY hour",
		[]any{auditsql.Ceil(from).UnixMicro(), auditsql.Ceil(to).UnixMicro()}, func(rows *sql.Rows) (c count, err error) {
			return c, rows.Scan(&c.hour, &c.n)
		})
	if err != nil {
		return nil, err
	}
	counts := map[time.Time]int64{}
	for _, c := range all {
		counts[timeOf(c.hour)] = c.n
	}
	return counts, nil
}
