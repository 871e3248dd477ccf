package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
)

const changesStatement = `
SELECT c.number, c.kind, c.at, c.seq, t.id, c.consumer, c.reference, c.code, c.detail, c.body
FROM streams s JOIN changes c ON c.stream = s.num JOIN transactions t ON t.stream = c.stream AND t.seq = c.seq
WHERE s.id = $1::uuid AND c.number > $2 ORDER BY c.number LIMIT $3`

// The texts say which index to take, each kind for itself.
const messagesStatement = `
SELECT m.position, m.at, m.id, m.body, m.kind = 'user' FROM (
  (SELECT * FROM messages WHERE kind = 'device' AND target = $1 AND position > $4 AND expires_at > now() ORDER BY position LIMIT $5)
  UNION ALL (SELECT * FROM messages WHERE kind = 'store' AND target = $2 AND position > $4 AND expires_at > now() ORDER BY position LIMIT $5)
  UNION ALL (SELECT * FROM messages WHERE kind = 'user' AND target = $3 AND position > $6 AND expires_at > now() ORDER BY position LIMIT $5)
) m ORDER BY m.position LIMIT $5`

// Changes reads what came after the marks.
func (s *Store) Changes(ctx context.Context, q holdfast.ChangesQuery) ([]holdfast.Change, error) {
	changes, err := list(ctx, s, func(row pgx.CollectableRow) (holdfast.Change, error) {
		c := holdfast.Change{Stream: q.Stream}
		var id [16]byte
		var body *string
		err := row.Scan(&c.Number, &c.Kind, &c.At, &c.Seq, &id, &c.Consumer, &c.Reference, &c.Code, &c.Detail, &body)
		c.Transaction, c.At, c.Body = id, c.At.UTC(), bytesOf(body)
		return c, err
	}, changesStatement, q.Stream.String(), q.Number, q.Limit)
	if err != nil || q.Device+q.Shop+q.User == "" {
		return changes, err
	}
	messages, err := list(ctx, s, func(row pgx.CollectableRow) (holdfast.Change, error) {
		c := holdfast.Change{Kind: holdfast.ChangeMessage, Stream: q.Stream}
		var id [16]byte
		var body string
		err := row.Scan(&c.Message, &c.At, &id, &body, &c.ForUser)
		c.Transaction, c.At, c.Body = id, c.At.UTC(), []byte(body)
		return c, err
	}, messagesStatement, q.Device, q.Shop, q.User, q.Message, q.Limit, q.UserMessage)
	return append(changes, messages...), err
}

// LastChange is the highest number of a stream's changes, and of all messages.
func (s *Store) LastChange(ctx context.Context, stream holdfast.ID) (number, message int64, err error) {
	err = s.reading(ctx, func() error {
		return s.queryRow(ctx, `
SELECT coalesce((SELECT max(c.number) FROM streams s JOIN changes c ON c.stream = s.num WHERE s.id = $1::uuid), 0),
  coalesce((SELECT max(position) FROM messages), 0)`, stream.String()).Scan(&number, &message)
	})
	return number, message, err
}

// SendMessage keeps a message. Positions are given out one Tx after the other, so that none is seen before a lower one.
func (s *Store) SendMessage(ctx context.Context, m holdfast.Message, event holdfast.AuditEvent) error {
	kind, target := m.To()
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1::integer, $2::integer)", lockClass, messageLock); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
INSERT INTO messages (position, id, kind, target, body, expires_at)
VALUES ((SELECT coalesce(max(position), 0) + 1 FROM messages), $1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING`,
			[16]byte(m.ID), kind, target, string(m.Body), m.ExpiresAt)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if err := record(ctx, tx.Conn(), []holdfast.AuditEvent{event}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "SELECT pg_notify('holdfast', 'all')")
		return err
	})
}
