package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// hashOrNull is NULL for no hash.
func hashOrNull(h holdfast.Hash) any {
	if h == (holdfast.Hash{}) {
		return nil
	}
	return h[:]
}

// CreateUpload keeps a new one unless its device has too many.
func (s *Store) CreateUpload(ctx context.Context, u holdfast.Upload, most int) error {
	return s.do(ctx, func(w *writer, _, _ int64) error {
		var open int
		err := w.conn.QueryRowContext(background, "SELECT count(*) FROM (SELECT 1 FROM uploads WHERE device = ? AND finished IS NULL AND expires_at > ? LIMIT ?)",
			u.Owner.Device, u.CreatedAt.UnixMicro(), most).Scan(&open)
		if err != nil {
			return err
		}
		if open >= most {
			return store.ErrTooMany
		}
		_, err = w.conn.ExecContext(background, `
INSERT INTO uploads (id, device, shop, size, upload_offset, announced, content_type, metadata, site, state, generation, finished, created_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
			u.ID[:], u.Owner.Device, u.Owner.Shop, u.Size, u.Offset, hashOrNull(u.Announced), u.ContentType, u.Metadata, u.Site, u.State,
			hashOrNull(u.Finished), u.CreatedAt.UnixMicro(), u.ExpiresAt.UnixMicro())
		return err
	})
}

const selectUploads = "SELECT id, device, shop, size, upload_offset, announced, content_type, metadata, site, state, generation, finished, created_at, expires_at FROM uploads "

func scanUpload(scan func(...any) error) (u holdfast.Upload, err error) {
	var id, announced, finished []byte
	var created, expires int64
	err = scan(&id, &u.Owner.Device, &u.Owner.Shop, &u.Size, &u.Offset, &announced, &u.ContentType, &u.Metadata, &u.Site, &u.State, &u.Generation, &finished, &created, &expires)
	copy(u.ID[:], id)
	copy(u.Announced[:], announced)
	copy(u.Finished[:], finished)
	u.CreatedAt, u.ExpiresAt = timeOf(created), timeOf(expires)
	return u, err
}

// Upload reads one.
func (s *Store) Upload(ctx context.Context, id holdfast.ID) (holdfast.Upload, error) {
	u, err := scanUpload(s.reads.QueryRowContext(ctx, selectUploads+"WHERE id = ?", id[:]).Scan)
	if err != nil {
		return holdfast.Upload{}, unavailable(err)
	}
	return u, nil
}

// ClaimUpload takes one over.
func (s *Store) ClaimUpload(ctx context.Context, id holdfast.ID, expiresAt time.Time) (u holdfast.Upload, err error) {
	err = s.do(ctx, func(w *writer, _, _ int64) error {
		_, err := w.conn.ExecContext(background, "UPDATE uploads SET generation = generation + 1, expires_at = max(expires_at, ?) WHERE id = ?", expiresAt.UnixMicro(), id[:])
		if err == nil {
			u, err = scanUpload(w.conn.QueryRowContext(background, selectUploads+"WHERE id = ?", id[:]).Scan)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		return err
	})
	if err != nil {
		return holdfast.Upload{}, err
	}
	return u, nil
}

// changed runs a statement that touches the row of a generation.
func (w *writer) changed(statement string, args ...any) error {
	result, err := w.conn.ExecContext(background, statement, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return store.ErrConflict
}

// SaveUpload keeps how far it has come.
func (s *Store) SaveUpload(ctx context.Context, u holdfast.Upload) error {
	return s.do(ctx, func(w *writer, _, _ int64) error {
		return w.changed("UPDATE uploads SET upload_offset = ?, site = ?, state = ?, expires_at = ? WHERE id = ? AND generation = ? AND finished IS NULL",
			u.Offset, u.Site, u.State, u.ExpiresAt.UnixMicro(), u.ID[:], u.Generation)
	})
}

// FinishUpload keeps the attachment and finishes the upload.
func (s *Store) FinishUpload(ctx context.Context, u holdfast.Upload, a holdfast.Attachment, event holdfast.AuditEvent) error {
	return s.do(ctx, func(w *writer, epoch, now int64) error {
		err := w.changed("UPDATE uploads SET upload_offset = size, state = NULL, site = '', finished = ? WHERE id = ? AND generation = ? AND finished IS NULL",
			a.Digest[:], u.ID[:], u.Generation)
		if err == nil {
			_, err = w.keep(a, event, epoch, now)
		}
		return err
	})
}

// DropUpload forgets one.
func (s *Store) DropUpload(ctx context.Context, u holdfast.Upload) error {
	return s.do(ctx, func(w *writer, _, _ int64) error {
		var generation int64
		err := w.conn.QueryRowContext(background, "SELECT generation FROM uploads WHERE id = ?", u.ID[:]).Scan(&generation)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil && generation != u.Generation {
			return store.ErrConflict
		}
		if err == nil {
			_, err = w.conn.ExecContext(background, "DELETE FROM uploads WHERE id = ?", u.ID[:])
		}
		return err
	})
}

// ExpiredUploads lists those that ended.
func (s *Store) ExpiredUploads(ctx context.Context, before time.Time, limit int) ([]holdfast.Upload, error) {
	return rowsOf(ctx, s, scanUpload, selectUploads+"WHERE expires_at < ? ORDER BY expires_at, id LIMIT ?", before.UnixMicro(), limit)
}
