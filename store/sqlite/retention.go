package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sync/holdfast/store"
)

// pruneSlice is how many rows the pruner takes at once.
const pruneSlice = 2000

// Maintain deletes events and sessions from before a time, in slices between the
// groups of intake. The newest event always stays, so that no position is used twice.
func (s *Store) Maintain(ctx context.Context, before time.Time) ([]string, error) {
	if before.IsZero() {
		return nil, nil
	}
	if latest := time.Now().Add(-store.ReleaseNothingYounger - time.Second); before.After(latest) {
		before = latest
	}
	floor := before.UnixMicro()
	err := s.do(ctx, func(w *writer, _, _ int64) error {
		_, err := w.conn.ExecContext(background, "UPDATE audit_floor SET at = ?1 WHERE at < ?1", floor)
		return err
	})
	var events, sessions int64
	if err == nil {
		events, err = s.prune(ctx, `DELETE FROM audit_events WHERE position IN (
  SELECT position FROM audit_events WHERE at < ?1 AND position < (SELECT max(position) FROM audit_events) ORDER BY at LIMIT ?2)`, floor)
	}
	if err == nil {
		sessions, err = s.prune(ctx, `DELETE FROM sessions WHERE (session, device) IN (SELECT session, device FROM sessions WHERE began_at < ?1 LIMIT ?2)`, floor)
	}
	if events+sessions == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d events and %d sessions from before %s", events, sessions, before.UTC().Format(time.RFC3339))}, err
}

// prune deletes slice by slice and counts.
func (s *Store) prune(ctx context.Context, statement string, floor int64) (total int64, err error) {
	for {
		answer := make(chan int64, 2)
		err := s.do(ctx, func(w *writer, _, _ int64) error {
			result, err := w.conn.ExecContext(background, statement, floor, pruneSlice)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			answer <- n
			return err
		})
		if err != nil {
			return total, err
		}
		n := <-answer
		if len(answer) > 0 {
			n = <-answer
		}
		if total += n; n < pruneSlice {
			return total, nil
		}
	}
}
