package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// CreateToken keeps a token's hash and names.
func (s *Store) CreateToken(ctx context.Context, t holdfast.Token, event holdfast.AuditEvent) error {
	return s.do(ctx, func(w *writer, epoch, now int64) error {
		_, err := w.conn.ExecContext(background, `
INSERT INTO tokens (id, hash, name, scope, device, shop, user_name, created_at, expires_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, t.Hash[:], t.Name, string(t.Scope), t.Device, t.Shop, t.User, t.CreatedAt.UnixMicro(), micros(t.ExpiresAt), micros(t.RevokedAt))
		if err != nil {
			return err
		}
		return w.insertEvents([]holdfast.AuditEvent{event}, epoch, now)
	})
}

func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

const selectTokens = "SELECT id, hash, name, scope, device, shop, user_name, created_at, expires_at, revoked_at FROM tokens " //nolint:gosec // names of columns

func scanToken(scan func(...any) error) (t holdfast.Token, err error) {
	var hash []byte
	var created int64
	var expires, revoked sql.NullInt64
	err = scan(&t.ID, &hash, &t.Name, &t.Scope, &t.Device, &t.Shop, &t.User, &created, &expires, &revoked)
	copy(t.Hash[:], hash)
	t.CreatedAt = timeOf(created)
	if expires.Valid {
		t.ExpiresAt = timeOf(expires.Int64)
	}
	if revoked.Valid {
		t.RevokedAt = timeOf(revoked.Int64)
	}
	return t, err
}

// Token finds a token by its id.
func (s *Store) Token(ctx context.Context, id string) (holdfast.Token, error) {
	t, err := scanToken(s.reads.QueryRowContext(ctx, selectTokens+"WHERE id = ?", id).Scan)
	if err != nil {
		return holdfast.Token{}, unavailable(err)
	}
	return t, nil
}

// Tokens lists all, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]holdfast.Token, error) {
	return rowsOf(ctx, s, scanToken, selectTokens+"ORDER BY created_at, id")
}

// RevokeToken ends a token; the first time of it stays.
func (s *Store) RevokeToken(ctx context.Context, id string, at time.Time, event holdfast.AuditEvent) error {
	return s.do(ctx, func(w *writer, epoch, now int64) error {
		var revoked bool
		err := w.conn.QueryRowContext(background, "SELECT revoked_at IS NOT NULL FROM tokens WHERE id = ?", id).Scan(&revoked)
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		if err != nil || revoked {
			return err
		}
		if _, err := w.conn.ExecContext(background, "UPDATE tokens SET revoked_at = ? WHERE id = ?", at.UnixMicro(), id); err != nil {
			return err
		}
		return w.insertEvents([]holdfast.AuditEvent{event}, epoch, now)
	})
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
