package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const selectAttachments = "SELECT digest, size, content_type, sites, stored_at FROM attachments "

func scanAttachment(row pgx.CollectableRow) (a holdfast.Attachment, err error) {
	var digest []byte
	err = row.Scan(&digest, &a.Size, &a.ContentType, &a.Sites, &a.StoredAt)
	copy(a.Digest[:], digest)
	a.StoredAt = a.StoredAt.UTC()
	return a, err
}

// Attachment finds one by its digest.
func (s *Store) Attachment(ctx context.Context, digest holdfast.Hash) (holdfast.Attachment, error) {
	all, err := list(ctx, s, scanAttachment, selectAttachments+"WHERE digest = $1::bytea AND copies > 0", digest[:])
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return holdfast.Attachment{}, err
	}
	return all[0], nil
}

// KeepAttachment records copies.
func (s *Store) KeepAttachment(ctx context.Context, a holdfast.Attachment, event holdfast.AuditEvent) (first bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		first, err = keep(ctx, tx, a, event)
		return err
	})
	return first && err == nil, err
}

// keep is KeepAttachment in a Tx. Of two Txs that insert, one waits for the other and finds its row then.
func keep(ctx context.Context, tx pgx.Tx, a holdfast.Attachment, event holdfast.AuditEvent) (first bool, err error) {
	sites := added(nil, a.Sites)
	tag, err := tx.Exec(ctx, "INSERT INTO attachments (digest, size, content_type, sites) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		a.Digest[:], a.Size, a.ContentType, sites)
	if err != nil {
		return false, err
	}
	if first = tag.RowsAffected() > 0 && len(sites) > 0; tag.RowsAffected() == 0 {
		if first, err = keepMore(ctx, tx, a); err != nil {
			return false, err
		}
	}
	if !first {
		return false, nil
	}
	return true, record(ctx, tx.Conn(), []holdfast.AuditEvent{event})
}

// keepMore adds to the row that is there.
func keepMore(ctx context.Context, tx pgx.Tx, a holdfast.Attachment) (first bool, err error) {
	var held []string
	if err := tx.QueryRow(ctx, "SELECT sites FROM attachments WHERE digest = $1 FOR UPDATE", a.Digest[:]).Scan(&held); err != nil {
		return false, err
	}
	all := added(held, a.Sites)
	if len(all) == len(held) {
		return false, nil
	}
	_, err = tx.Exec(ctx, "UPDATE attachments SET sites = $2 WHERE digest = $1", a.Digest[:], all)
	return len(held) == 0, err
}

// added is held with what is new of more, each once.
func added(held, more []string) []string {
	all := append(make([]string, 0, len(held)+len(more)), held...)
	for _, site := range more {
		if !slices.Contains(all, site) {
			all = append(all, site)
		}
	}
	return all
}

// LoseCopies takes copies back.
func (s *Store) LoseCopies(ctx context.Context, digest holdfast.Hash, sites []string, event holdfast.AuditEvent) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
UPDATE attachments SET sites = ARRAY(SELECT site FROM unnest(sites) WITH ORDINALITY AS held(site, n) WHERE site <> ALL($2::text[]) ORDER BY n)
WHERE digest = $1 AND sites && $2::text[]`, digest[:], sites)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return record(ctx, tx.Conn(), []holdfast.AuditEvent{event})
	})
}

// Attachments lists all.
func (s *Store) Attachments(ctx context.Context, after holdfast.Hash, limit int) ([]holdfast.Attachment, error) {
	return list(ctx, s, scanAttachment, selectAttachments+"WHERE digest > $1::bytea AND copies > 0 ORDER BY digest LIMIT $2", after[:], limit)
}

// Sparse looks for each number of copies for itself, so that only those rows are read that it gives.
func (s *Store) Sparse(ctx context.Context, copies int, after holdfast.Hash, limit int) ([]holdfast.Attachment, error) {
	return list(ctx, s, scanAttachment, `
SELECT found.* FROM generate_series(1, $1::integer - 1) AS few(copies) CROSS JOIN LATERAL (
  SELECT digest, size, content_type, sites, stored_at FROM attachments a
  WHERE a.copies = few.copies AND a.digest > $2::bytea ORDER BY a.digest LIMIT $3
) found ORDER BY found.digest LIMIT $3`, copies, after[:], limit)
}

const namedStatement = `
SELECT n.seq, n.digest, n.size, t.id, coalesce(a.copies, 0)
FROM streams s JOIN attachment_names n ON n.stream = s.num JOIN transactions t ON t.stream = n.stream AND t.seq = n.seq
LEFT JOIN attachments a ON a.digest = n.digest
WHERE s.id = $1::uuid AND (n.seq, n.digest) > ($2::bigint, $3::bytea) AND ($4::integer = 0 OR coalesce(a.copies, 0) < $4::integer)
ORDER BY n.seq, n.digest LIMIT $5`

// Named lists what a stream's transactions name.
func (s *Store) Named(ctx context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (n holdfast.NamedAttachment, err error) {
		var digest []byte
		var id [16]byte
		err = row.Scan(&n.Seq, &digest, &n.Size, &id, &n.Copies)
		copy(n.Digest[:], digest)
		n.Transaction = id
		return n, err
	}, namedStatement, q.Stream.String(), q.AfterSeq, q.AfterDigest[:], q.Below, q.Limit)
}
