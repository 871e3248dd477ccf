package main

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func (w *watchedStore) Attachment(ctx context.Context, digest holdfast.Hash) (holdfast.Attachment, error) {
	ctx, done := w.began(ctx, "attachment")
	out, err := w.lateStore.Attachment(ctx, digest)
	done(err)
	return out, err
}

func (w *watchedStore) KeepAttachment(ctx context.Context, a holdfast.Attachment, event holdfast.AuditEvent) (bool, error) {
	ctx, done := w.began(ctx, "keep_attachment")
	out, err := w.lateStore.KeepAttachment(ctx, a, event)
	done(err)
	if out {
		w.arrived(ctx, a.Digest)
	}
	return out, err
}

func (w *watchedStore) Named(ctx context.Context, q store.NamedQuery) ([]holdfast.NamedAttachment, error) {
	ctx, done := w.began(ctx, "named")
	out, err := w.lateStore.Named(ctx, q)
	done(err)
	return out, err
}

func (w *watchedStore) CreateUpload(ctx context.Context, u holdfast.Upload, most int) error {
	ctx, done := w.began(ctx, "create_upload")
	err := w.lateStore.CreateUpload(ctx, u, most)
	done(err)
	return err
}

func (w *watchedStore) Upload(ctx context.Context, id holdfast.ID) (holdfast.Upload, error) {
	ctx, done := w.began(ctx, "upload")
	out, err := w.lateStore.Upload(ctx, id)
	done(err)
	return out, err
}

func (w *watchedStore) ClaimUpload(ctx context.Context, id holdfast.ID, expiresAt time.Time) (holdfast.Upload, error) {
	ctx, done := w.began(ctx, "claim_upload")
	out, err := w.lateStore.ClaimUpload(ctx, id, expiresAt)
	done(err)
	return out, err
}

func (w *watchedStore) SaveUpload(ctx context.Context, u holdfast.Upload) error {
	ctx, done := w.began(ctx, "save_upload")
	err := w.lateStore.SaveUpload(ctx, u)
	done(err)
	return err
}

func (w *watchedStore) FinishUpload(ctx context.Context, u holdfast.Upload, a holdfast.Attachment, event holdfast.AuditEvent) error {
	ctx, done := w.began(ctx, "finish_upload")
	err := w.lateStore.FinishUpload(ctx, u, a, event)
	done(err)
	if err == nil {
		w.arrived(ctx, a.Digest)
	}
	return err
}

// arrived makes due what waited for a file. If that fails, the deliveries look again by themselves.
func (w *watchedStore) arrived(ctx context.Context, digest holdfast.Hash) {
	if len(w.n.deliveries.Names()) > 0 && w.WakeDeliveries(ctx, digest) == nil {
		w.n.deliveries.WakePools()
	}
}
