package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// hashOrNull is NULL for no hash.
func hashOrNull(h holdfast.Hash) []byte {
	if h == (holdfast.Hash{}) {
		return nil
	}
	return h[:]
}

// CreateUpload keeps a new one unless its device has too many.
func (s *Store) CreateUpload(ctx context.Context, u holdfast.Upload, most int) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
INSERT INTO uploads (id, device, shop, size, upload_offset, announced, content_type, metadata, site, state, generation, finished, created_at, expires_at)
SELECT $1, $2::text, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12::timestamptz, $13
WHERE (SELECT count(*) FROM (SELECT FROM uploads WHERE device = $2::text AND finished IS NULL AND expires_at > $12::timestamptz LIMIT $14) AS open) < $14`,
			[16]byte(u.ID), u.Owner.Device, u.Owner.Shop, u.Size, u.Offset, hashOrNull(u.Announced), u.ContentType, u.Metadata, u.Site, u.State,
			hashOrNull(u.Finished), u.CreatedAt, u.ExpiresAt, most)
		if stateOf(err) == uniqueViolation {
			return store.ErrConflict
		}
		if err == nil && tag.RowsAffected() == 0 {
			return store.ErrTooMany
		}
		return err
	})
}

const uploadColumns = "id, device, shop, size, upload_offset, announced, content_type, metadata, site, state, generation, finished, created_at, expires_at"

func scanUpload(row pgx.CollectableRow) (u holdfast.Upload, err error) {
	var id [16]byte
	var announced, finished []byte
	err = row.Scan(&id, &u.Owner.Device, &u.Owner.Shop, &u.Size, &u.Offset, &announced, &u.ContentType, &u.Metadata, &u.Site, &u.State,
		&u.Generation, &finished, &u.CreatedAt, &u.ExpiresAt)
	u.ID = id
	copy(u.Announced[:], announced)
	copy(u.Finished[:], finished)
	u.CreatedAt, u.ExpiresAt = u.CreatedAt.UTC(), u.ExpiresAt.UTC()
	return u, err
}

func only(all []holdfast.Upload, err error) (holdfast.Upload, error) {
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return holdfast.Upload{}, err
	}
	return all[0], nil
}

// Upload reads one.
func (s *Store) Upload(ctx context.Context, id holdfast.ID) (holdfast.Upload, error) {
	return only(list(ctx, s, scanUpload, "SELECT "+uploadColumns+" FROM uploads WHERE id = $1::uuid", id.String()))
}

// ClaimUpload takes one over.
func (s *Store) ClaimUpload(ctx context.Context, id holdfast.ID, expiresAt time.Time) (u holdfast.Upload, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "UPDATE uploads SET generation = generation + 1, expires_at = greatest(expires_at, $2) WHERE id = $1 RETURNING "+uploadColumns, [16]byte(id), expiresAt)
		if err != nil {
			return err
		}
		u, err = only(pgx.CollectRows(rows, scanUpload))
		return err
	})
	if err != nil {
		return holdfast.Upload{}, err
	}
	return u, nil
}

// changed runs a statement that touches the row of a generation.
func changed(ctx context.Context, tx pgx.Tx, statement string, args ...any) error {
	tag, err := tx.Exec(ctx, statement, args...)
	if err == nil && tag.RowsAffected() == 0 {
		return store.ErrConflict
	}
	return err
}

// SaveUpload keeps how far it has come.
func (s *Store) SaveUpload(ctx context.Context, u holdfast.Upload) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		return changed(ctx, tx, "UPDATE uploads SET upload_offset = $3, site = $4, state = $5, expires_at = $6 WHERE id = $1 AND generation = $2 AND finished IS NULL",
			[16]byte(u.ID), u.Generation, u.Offset, u.Site, u.State, u.ExpiresAt)
	})
}

// FinishUpload keeps the attachment and finishes the upload.
func (s *Store) FinishUpload(ctx context.Context, u holdfast.Upload, a holdfast.Attachment, event holdfast.AuditEvent) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		err := changed(ctx, tx, "UPDATE uploads SET upload_offset = size, state = NULL, site = '', finished = $3 WHERE id = $1 AND generation = $2 AND finished IS NULL",
			[16]byte(u.ID), u.Generation, a.Digest[:])
		if err == nil {
			_, err = keep(ctx, tx, a, event)
		}
		return err
	})
}

// DropUpload forgets one.
func (s *Store) DropUpload(ctx context.Context, u holdfast.Upload) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT generation FROM uploads WHERE id = $1 FOR UPDATE", [16]byte(u.ID))
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil || len(all) == 0 {
			return err
		}
		if all[0] != u.Generation {
			return store.ErrConflict
		}
		_, err = tx.Exec(ctx, "DELETE FROM uploads WHERE id = $1", [16]byte(u.ID))
		return err
	})
}

// ExpiredUploads lists those that ended.
func (s *Store) ExpiredUploads(ctx context.Context, before time.Time, limit int) ([]holdfast.Upload, error) {
	return list(ctx, s, scanUpload, "SELECT "+uploadColumns+" FROM uploads WHERE expires_at < $1::timestamptz ORDER BY expires_at, id LIMIT $2", before, limit)
}
