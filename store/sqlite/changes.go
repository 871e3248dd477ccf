package sqlite

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Changes reads what came after the marks.
func (s *Store) Changes(ctx context.Context, q holdfast.ChangesQuery) ([]holdfast.Change, error) {
	changes, err := rowsOf(ctx, s, func(scan func(...any) error) (holdfast.Change, error) {
		c := holdfast.Change{Stream: q.Stream}
		var id []byte
		var at int64
		err := scan(&c.Number, &c.Kind, &at, &c.Seq, &id, &c.Consumer, &c.Reference, &c.Code, &c.Detail, &c.Body)
		copy(c.Transaction[:], id)
		c.At = timeOf(at)
		return c, err
	}, `
SELECT c.number, c.kind, c.at, c.seq, t.id, c.consumer, c.reference, c.code, c.detail, c.body
FROM streams s JOIN changes c ON c.stream = s.num JOIN transactions t ON t.stream = c.stream AND t.seq = c.seq
WHERE s.id = ? AND c.number > ? ORDER BY c.number LIMIT ?`, q.Stream[:], q.Number, q.Limit)
	if err != nil || q.Device+q.Shop+q.User == "" {
		return changes, err
	}
	messages, err := rowsOf(ctx, s, func(scan func(...any) error) (holdfast.Change, error) {
		c := holdfast.Change{Kind: holdfast.ChangeMessage, Stream: q.Stream}
		var id []byte
		var at int64
		err := scan(&c.Message, &at, &id, &c.Body, &c.ForUser)
		copy(c.Transaction[:], id)
		c.At = timeOf(at)
		return c, err
	}, `
SELECT position, at, id, body, kind = 'user' FROM messages
WHERE (position > ?1 AND (kind = 'device' AND target = ?2 OR kind = 'store' AND target = ?3) OR position > ?7 AND kind = 'user' AND target = ?4) AND expires_at > ?5
ORDER BY position LIMIT ?6`, q.Message, q.Device, q.Shop, q.User, time.Now().UnixMicro(), q.Limit, q.UserMessage)
	return append(changes, messages...), err
}

// LastChange is the highest number of a stream's changes, and of all messages.
func (s *Store) LastChange(ctx context.Context, stream holdfast.ID) (number, message int64, err error) {
	err = s.reads.QueryRowContext(ctx, `
SELECT coalesce((SELECT max(c.number) FROM streams s JOIN changes c ON c.stream = s.num WHERE s.id = ?), 0),
  coalesce((SELECT max(position) FROM messages), 0)`, stream[:]).Scan(&number, &message)
	return number, message, unavailable(err)
}

// SendMessage keeps a message.
func (s *Store) SendMessage(ctx context.Context, m holdfast.Message, event holdfast.AuditEvent) error {
	kind, target := m.To()
	err := s.do(ctx, func(w *writer, epoch, now int64) error {
		result, err := w.conn.ExecContext(background, "INSERT INTO messages (id, kind, target, body, at, expires_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
			m.ID[:], kind, target, string(m.Body), now, m.ExpiresAt.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return w.insertEvents([]holdfast.AuditEvent{event}, epoch, now)
	})
	if err == nil {
		s.tell(store.Notice{All: true})
	}
	return err
}
