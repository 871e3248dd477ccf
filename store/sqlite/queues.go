package sqlite

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// SaveQueues keeps the latest report of each stream, all in one Tx.
func (s *Store) SaveQueues(ctx context.Context, queues map[holdfast.ID]holdfast.Queue) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = tx.Rollback() }()
	stmt, err := tx.PrepareContext(ctx, `
INSERT INTO queues (stream, depth, oldest_ms, at) VALUES (?, ?, ?, ?)
ON CONFLICT (stream) DO UPDATE SET depth = excluded.depth, oldest_ms = excluded.oldest_ms, at = excluded.at WHERE excluded.at >= queues.at`)
	if err != nil {
		return unavailable(err)
	}
	defer stmt.Close()
	for stream, q := range queues {
		if _, err := stmt.ExecContext(ctx, stream[:], q.Depth, q.Oldest.Milliseconds(), q.At.UnixMicro()); err != nil {
			return unavailable(err)
		}
	}
	return unavailable(tx.Commit())
}

// Queue reads the report of one stream.
func (s *Store) Queue(ctx context.Context, stream holdfast.ID) (holdfast.Queue, error) {
	var q holdfast.Queue
	var oldest, at int64
	err := s.reads.QueryRowContext(ctx, "SELECT depth, oldest_ms, at FROM queues WHERE stream = ?", stream[:]).Scan(&q.Depth, &oldest, &at)
	if err != nil {
		return holdfast.Queue{}, unavailable(err)
	}
	q.Oldest, q.At = time.Duration(oldest)*time.Millisecond, timeOf(at)
	return q, nil
}
