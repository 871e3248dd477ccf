package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// CreateToken keeps a token's hash and names.
func (s *Store) CreateToken(ctx context.Context, t holdfast.Token, event holdfast.AuditEvent) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
INSERT INTO tokens (id, hash, name, scope, device, shop, user_name, created_at, expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			t.ID, t.Hash[:], t.Name, string(t.Scope), t.Device, t.Shop, t.User, t.CreatedAt, orNull(t.ExpiresAt), orNull(t.RevokedAt))
		if stateOf(err) == uniqueViolation {
			return store.ErrConflict
		}
		if err != nil {
			return err
		}
		return record(ctx, tx.Conn(), []holdfast.AuditEvent{event})
	})
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

const selectTokens = "SELECT id, hash, name, scope, device, shop, user_name, created_at, expires_at, revoked_at FROM tokens " //nolint:gosec // names of columns

func scanToken(scan func(...any) error) (t holdfast.Token, err error) {
	var hash []byte
	var expires, revoked *time.Time
	err = scan(&t.ID, &hash, &t.Name, (*string)(&t.Scope), &t.Device, &t.Shop, &t.User, &t.CreatedAt, &expires, &revoked)
	copy(t.Hash[:], hash)
	t.CreatedAt = t.CreatedAt.UTC()
	if expires != nil {
		t.ExpiresAt = expires.UTC()
	}
	if revoked != nil {
		t.RevokedAt = revoked.UTC()
	}
	return t, err
}

// Token finds a token by its id.
func (s *Store) Token(ctx context.Context, id string) (holdfast.Token, error) {
	var t holdfast.Token
	err := s.reading(ctx, func() (err error) {
		t, err = scanToken(s.queryRow(ctx, selectTokens+"WHERE id = $1", id).Scan)
		return err
	})
	if err != nil {
		return holdfast.Token{}, err
	}
	return t, nil
}

// Tokens lists all, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]holdfast.Token, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (holdfast.Token, error) { return scanToken(row.Scan) }, selectTokens+"ORDER BY created_at, id")
}

// RevokeToken ends a token; the first time of it stays.
func (s *Store) RevokeToken(ctx context.Context, id string, at time.Time, event holdfast.AuditEvent) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var revoked bool
		err := tx.QueryRow(ctx, "SELECT revoked_at IS NOT NULL FROM tokens WHERE id = $1 FOR UPDATE", id).Scan(&revoked)
		if err != nil || revoked {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE tokens SET revoked_at = $2 WHERE id = $1", id, at); err != nil {
			return err
		}
		return record(ctx, tx.Conn(), []holdfast.AuditEvent{event})
	})
}
