package main

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func (l *lateStore) Attachment(ctx context.Context, digest holdfast.Hash) (holdfast.Attachment, error) {
	return l.now().Attachment(ctx, digest)
}

func (l *lateStore) KeepAttachment(ctx context.Context, a holdfast.Attachment, event holdfast.AuditEvent) (bool, error) {
	return l.now().KeepAttachment(ctx, a, event)
}

func (l *lateStore) LoseCopies(ctx context.Context, digest holdfast.Hash, sites []string, event holdfast.AuditEvent) error {
	return l.now().LoseCopies(ctx, digest, sites, event)
}

func (l *lateStore) Attachments(ctx context.Context, after holdfast.Hash, limit int) ([]holdfast.Attachment, error) {
	return l.now().Attachments(ctx, after, limit)
}

func (l *lateStore) Sparse(ctx context.Context, copies int, after holdfast.Hash, limit int) ([]holdfast.Attachment, error) {
	return l.now().Sparse(ctx, copies, after, limit)
}

func (l *lateStore) Named(ctx context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, error) {
	return l.now().Named(ctx, q)
}

func (l *lateStore) CreateUpload(ctx context.Context, u holdfast.Upload, most int) error {
	return l.now().CreateUpload(ctx, u, most)
}

func (l *lateStore) Upload(ctx context.Context, id holdfast.ID) (holdfast.Upload, error) {
	return l.now().Upload(ctx, id)
}

func (l *lateStore) ClaimUpload(ctx context.Context, id holdfast.ID, expiresAt time.Time) (holdfast.Upload, error) {
	return l.now().ClaimUpload(ctx, id, expiresAt)
}

func (l *lateStore) SaveUpload(ctx context.Context, u holdfast.Upload) error {
	return l.now().SaveUpload(ctx, u)
}

func (l *lateStore) FinishUpload(ctx context.Context, u holdfast.Upload, a holdfast.Attachment, event holdfast.AuditEvent) error {
	return l.now().FinishUpload(ctx, u, a, event)
}

func (l *lateStore) DropUpload(ctx context.Context, u holdfast.Upload) error {
	return l.now().DropUpload(ctx, u)
}

func (l *lateStore) ExpiredUploads(ctx context.Context, before time.Time, limit int) ([]holdfast.Upload, error) {
	return l.now().ExpiredUploads(ctx, before, limit)
}

func (noStore) Attachment(context.Context, holdfast.Hash) (holdfast.Attachment, error) {
	return holdfast.Attachment{}, store.ErrUnavailable
}

func (noStore) KeepAttachment(context.Context, holdfast.Attachment, holdfast.AuditEvent) (bool, error) {
	return false, store.ErrUnavailable
}

func (noStore) LoseCopies(context.Context, holdfast.Hash, []string, holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

func (noStore) Attachments(context.Context, holdfast.Hash, int) ([]holdfast.Attachment, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Sparse(context.Context, int, holdfast.Hash, int) ([]holdfast.Attachment, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Named(context.Context, store.NamedQuery) ([]holdfast.NamedAttachment, error) {
	return nil, store.ErrUnavailable
}

func (noStore) CreateUpload(context.Context, holdfast.Upload, int) error {
	return store.ErrUnavailable
}

func (noStore) Upload(context.Context, holdfast.ID) (holdfast.Upload, error) {
	return holdfast.Upload{}, store.ErrUnavailable
}

func (noStore) ClaimUpload(context.Context, holdfast.ID, time.Time) (holdfast.Upload, error) {
	return holdfast.Upload{}, store.ErrUnavailable
}

func (noStore) SaveUpload(context.Context, holdfast.Upload) error {
	return store.ErrUnavailable
}

func (noStore) FinishUpload(context.Context, holdfast.Upload, holdfast.Attachment, holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

func (noStore) DropUpload(context.Context, holdfast.Upload) error {
	return store.ErrUnavailable
}

func (noStore) ExpiredUploads(context.Context, time.Time, int) ([]holdfast.Upload, error) {
	return nil, store.ErrUnavailable
}
