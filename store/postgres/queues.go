package postgres

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
)

const queuesStatement = `
INSERT INTO queues (stream, depth, oldest_ms, at)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS q(stream, depth, oldest_ms, at) ORDER BY stream
ON CONFLICT (stream) DO UPDATE SET depth = excluded.depth, oldest_ms = excluded.oldest_ms, at = excluded.at
WHERE excluded.at >= queues.at`

// SaveQueues keeps the latest report of each stream, in one statement.
func (s *Store) SaveQueues(ctx context.Context, queues map[holdfast.ID]holdfast.Queue) error {
	streams := make([][16]byte, 0, len(queues))
	depths, oldest, at := make([]int64, 0, len(queues)), make([]int64, 0, len(queues)), make([]time.Time, 0, len(queues))
	for stream, q := range queues {
		streams, depths = append(streams, stream), append(depths, q.Depth)
		oldest, at = append(oldest, q.Oldest.Milliseconds()), append(at, q.At)
	}
	_, err := s.pool.Exec(ctx, queuesStatement, streams, depths, oldest, at)
	return s.unavailable(err)
}

// Queue reads the report of one stream.
func (s *Store) Queue(ctx context.Context, stream holdfast.ID) (holdfast.Queue, error) {
	var q holdfast.Queue
	var oldest int64
	err := s.reading(ctx, func() error {
		return s.queryRow(ctx, "SELECT depth, oldest_ms, at FROM queues WHERE stream = $1::uuid", stream.String()).Scan(&q.Depth, &oldest, &q.At)
	})
	if err != nil {
		return holdfast.Queue{}, err
	}
	q.Oldest, q.At = time.Duration(oldest)*time.Millisecond, q.At.UTC()
	return q, nil
}
