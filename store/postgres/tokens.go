package postgres

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// CreateToken keeps a token's hash and names.
func (s *Store) CreateToken(ctx context.Context, t holdfast.Token) error {
	_, err := s.pool.Exec(ctx, `
INSERT INTO tokens (id, hash, name, scope, device, shop, user_name, created_at, expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		t.ID, t.Hash[:], t.Name, string(t.Scope), t.Device, t.Shop, t.User, t.CreatedAt, orNull(t.ExpiresAt), orNull(t.RevokedAt))
	if stateOf(err) == uniqueViolation {
		return store.ErrConflict
	}
	return s.unavailable(err)
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
		t, err = scanToken(s.pool.QueryRow(ctx, selectTokens+"WHERE id = $1", id).Scan)
		return err
	})
	if err != nil {
		return holdfast.Token{}, err
	}
	return t, nil
}

// Tokens lists all, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]holdfast.Token, error) {
	rows, err := s.pool.Query(ctx, selectTokens+"ORDER BY created_at, id")
	if err != nil {
		return nil, s.unavailable(err)
	}
	defer rows.Close()
	var all []holdfast.Token
	for rows.Next() {
		t, err := scanToken(rows.Scan)
		if err != nil {
			return nil, s.unavailable(err)
		}
		all = append(all, t)
	}
	return all, s.unavailable(rows.Err())
}

// RevokeToken ends a token; the first time of it stays.
func (s *Store) RevokeToken(ctx context.Context, id string, at time.Time) error {
	tag, err := s.pool.Exec(ctx, "UPDATE tokens SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1", id, at)
	if err == nil && tag.RowsAffected() == 0 {
		return store.ErrNotFound
	}
	return s.unavailable(err)
}
