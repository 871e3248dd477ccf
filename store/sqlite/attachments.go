package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const selectAttachments = "SELECT digest, size, content_type, sites, stored_at FROM attachments "

func scanAttachment(scan func(...any) error) (a holdfast.Attachment, err error) {
	var digest []byte
	var sites string
	var at int64
	if err := scan(&digest, &a.Size, &a.ContentType, &sites, &at); err != nil {
		return a, err
	}
	copy(a.Digest[:], digest)
	a.StoredAt = timeOf(at)
	return a, json.Unmarshal([]byte(sites), &a.Sites)
}

// rowsOf reads all rows of a statement.
func rowsOf[T any](ctx context.Context, s *Store, scan func(func(...any) error) (T, error), statement string, args ...any) (all []T, err error) {
	rows, err := s.reads.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, one)
	}
	return all, unavailable(rows.Err())
}

// Attachment finds one by its digest.
func (s *Store) Attachment(ctx context.Context, digest holdfast.Hash) (holdfast.Attachment, error) {
	a, err := scanAttachment(s.reads.QueryRowContext(ctx, selectAttachments+"WHERE digest = ? AND copies > 0", digest[:]).Scan)
	if err != nil {
		return holdfast.Attachment{}, unavailable(err)
	}
	return a, nil
}

// KeepAttachment records copies.
func (s *Store) KeepAttachment(ctx context.Context, a holdfast.Attachment, event holdfast.AuditEvent) (first bool, err error) {
	err = s.do(ctx, func(w *writer, epoch, now int64) error {
		first, err = w.keep(a, event, epoch, now)
		return err
	})
	return first && err == nil, err
}

// sites of an attachment's row; there is false without one.
func (w *writer) sites(digest holdfast.Hash) (held []string, there bool, err error) {
	var text string
	err = w.conn.QueryRowContext(background, "SELECT sites FROM attachments WHERE digest = ?", digest[:]).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &held)
	}
	return held, err == nil, err
}

// keep is KeepAttachment in the writer's Tx.
func (w *writer) keep(a holdfast.Attachment, event holdfast.AuditEvent, epoch, now int64) (first bool, err error) {
	held, there, err := w.sites(a.Digest)
	if err != nil {
		return false, err
	}
	all := slices.Clone(held)
	for _, site := range a.Sites {
		if !slices.Contains(all, site) {
			all = append(all, site)
		}
	}
	if there && len(all) == len(held) {
		return false, nil
	}
	if there {
		err = w.setSites(a.Digest, all)
	} else {
		text, _ := json.Marshal(append([]string{}, all...)) // texts: can't fail
		_, err = w.conn.ExecContext(background, "INSERT INTO attachments (digest, size, content_type, sites, copies, stored_at) VALUES (?, ?, ?, ?, ?, ?)",
			a.Digest[:], a.Size, a.ContentType, string(text), len(all), now)
	}
	if err != nil || len(held) > 0 || len(all) == 0 {
		return false, err
	}
	return true, w.insertEvents([]holdfast.AuditEvent{event}, epoch, now)
}

func (w *writer) setSites(digest holdfast.Hash, sites []string) error {
	text, _ := json.Marshal(append([]string{}, sites...)) // texts: can't fail
	_, err := w.conn.ExecContext(background, "UPDATE attachments SET sites = ?, copies = ? WHERE digest = ?", string(text), len(sites), digest[:])
	return err
}

// LoseCopies takes copies back.
func (s *Store) LoseCopies(ctx context.Context, digest holdfast.Hash, sites []string, event holdfast.AuditEvent) error {
	return s.do(ctx, func(w *writer, epoch, now int64) error {
		held, _, err := w.sites(digest)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(held), func(site string) bool { return slices.Contains(sites, site) })
		if len(left) == len(held) {
			return nil
		}
		if err := w.setSites(digest, left); err != nil {
			return err
		}
		return w.insertEvents([]holdfast.AuditEvent{event}, epoch, now)
	})
}

// Attachments lists all.
func (s *Store) Attachments(ctx context.Context, after holdfast.Hash, limit int) ([]holdfast.Attachment, error) {
	return rowsOf(ctx, s, scanAttachment, selectAttachments+"WHERE digest > ? AND copies > 0 ORDER BY digest LIMIT ?", after[:], limit)
}

// Sparse looks for each number of copies for itself, so that only those rows are read that it gives.
func (s *Store) Sparse(ctx context.Context, copies int, after holdfast.Hash, limit int) ([]holdfast.Attachment, error) {
	var all []holdfast.Attachment
	for n := 1; n < copies; n++ {
		some, err := rowsOf(ctx, s, scanAttachment, selectAttachments+"WHERE copies = ? AND digest > ? ORDER BY digest LIMIT ?", n, after[:], limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b holdfast.Attachment) int { return slices.Compare(a.Digest[:], b.Digest[:]) })
	return all[:min(len(all), limit)], nil
}

// Named lists what a stream's transactions name.
func (s *Store) Named(ctx context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, error) {
	return rowsOf(ctx, s, func(scan func(...any) error) (n holdfast.NamedAttachment, err error) {
		var digest, id []byte
		err = scan(&n.Seq, &digest, &n.Size, &id, &n.Copies)
		copy(n.Digest[:], digest)
		copy(n.Transaction[:], id)
		return n, err
	}, `
SELECT n.seq, n.digest, n.size, t.id, coalesce(a.copies, 0)
FROM streams s JOIN attachment_names n ON n.stream = s.num JOIN transactions t ON t.stream = n.stream AND t.seq = n.seq
LEFT JOIN attachments a ON a.digest = n.digest
WHERE s.id = ? AND (n.seq, n.digest) > (?, ?) AND (? = 0 OR coalesce(a.copies, 0) < ?)
ORDER BY n.seq, n.digest LIMIT ?`, q.Stream[:], q.AfterSeq, q.AfterDigest[:], q.Below, q.Below, q.Limit)
}

// insertNames adds the files that transactions name; few do.
func (w *writer) insertNames(num int64, txs []holdfast.Transaction) error {
	for i := range txs {
		for k := range txs[i].Attachments {
			ref := &txs[i].Attachments[k]
			if _, err := w.stmt.name.ExecContext(background, num, txs[i].Seq, ref.Digest[:], ref.Size); err != nil {
				return err
			}
		}
	}
	return nil
}
