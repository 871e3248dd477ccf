package store

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// ErrTooMany: the device has as many unfinished uploads as it may. Nothing was written.
var ErrTooMany = errors.New("store: too many")

// NamedQuery asks for attachments that a stream's transactions name.
type NamedQuery = holdfast.NamedQuery

// Attachments keeps where files are.
type Attachments interface {
	// Attachment finds one by its digest; [ErrNotFound] when no site is known to hold it.
	Attachment(ctx context.Context, digest holdfast.Hash) (holdfast.Attachment, error)
	// KeepAttachment records that a.Sites hold a copy each, beside those recorded before: size, content type and
	// time of the first record stay. The event is written, in the same Tx, only when there was no record
	// (first is true then). Of two at once, one is first.
	KeepAttachment(ctx context.Context, a holdfast.Attachment, event holdfast.AuditEvent) (first bool, err error)
	// LoseCopies takes back that sites hold a copy. With the last one the record goes, and the attachment
	// is missing again. The event is written when a copy was recorded there.
	LoseCopies(ctx context.Context, digest holdfast.Hash, sites []string, event holdfast.AuditEvent) error
	// Attachments lists all behind a digest, in the order of digests, at most limit.
	Attachments(ctx context.Context, after holdfast.Hash, limit int) ([]holdfast.Attachment, error)
	// Sparse lists those with fewer than copies copies, in the order of digests, at most limit. Its cost does
	// not grow with those that have enough.
	Sparse(ctx context.Context, copies int, after holdfast.Hash, limit int) ([]holdfast.Attachment, error)
	// Named lists what a stream's transactions name ([Append]'s Transactions' Attachments; the same one
	// twice in a transaction counts once).
	Named(ctx context.Context, q NamedQuery) ([]holdfast.NamedAttachment, error)
}

// Uploads keeps how far attachments have come that are on their way in.
type Uploads interface {
	// CreateUpload keeps a new one, generation 0, unless its owner's device has most unfinished ones
	// that have not expired at u.CreatedAt: [ErrTooMany]. An empty device is one as well. (Of requests at the same moment
	// a few more may get through.)
	CreateUpload(ctx context.Context, u holdfast.Upload, most int) error
	// Upload reads one; [ErrNotFound].
	Upload(ctx context.Context, id holdfast.ID) (holdfast.Upload, error)
	// ClaimUpload takes one over: its generation grows by 1, its end is put off (never brought forward).
	ClaimUpload(ctx context.Context, id holdfast.ID, expiresAt time.Time) (holdfast.Upload, error)
	// SaveUpload keeps Offset, Site, State and ExpiresAt if the generation still is u's and it is not finished; [ErrConflict] otherwise.
	SaveUpload(ctx context.Context, u holdfast.Upload) error
	// FinishUpload keeps the attachment as [Attachments.KeepAttachment] does and finishes the upload (Finished = a.Digest, Offset = Size,
	// no State), in one Tx, if the generation still is u's and it is not finished; [ErrConflict] otherwise.
	FinishUpload(ctx context.Context, u holdfast.Upload, a holdfast.Attachment, event holdfast.AuditEvent) error
	// DropUpload forgets one if the generation still is u's; [ErrConflict] otherwise, nil when there is none.
	DropUpload(ctx context.Context, u holdfast.Upload) error
	// ExpiredUploads lists those, finished or not, that ended before a time, the earliest first, at most limit.
	ExpiredUploads(ctx context.Context, before time.Time, limit int) ([]holdfast.Upload, error)
}
