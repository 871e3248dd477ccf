package main

import (
	"context"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// watchedStore counts and times what is asked of the store.
type watchedStore struct {
	*lateStore
	n *node
}

func (w *watchedStore) Append(ctx context.Context, step *store.Append) error {
	ctx, done := w.began(ctx, "append")
	err := w.lateStore.Append(ctx, step)
	done(err)
	return err
}

func (w *watchedStore) View(ctx context.Context, key store.Key) (store.View, error) {
	ctx, done := w.began(ctx, "view")
	v, err := w.lateStore.View(ctx, key)
	done(err)
	return v, err
}

func (w *watchedStore) Held(ctx context.Context, q store.HeldQuery) ([]store.Held, error) {
	ctx, done := w.began(ctx, "held")
	held, err := w.lateStore.Held(ctx, q)
	done(err)
	return held, err
}

func (w *watchedStore) Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error) {
	ctx, done := w.began(ctx, "transaction")
	t, err := w.lateStore.Transaction(ctx, stream, seq)
	done(err)
	return t, err
}

func (w *watchedStore) Epoch(ctx context.Context) (store.Epoch, error) {
	ctx, done := w.began(ctx, "epoch")
	e, err := w.lateStore.Epoch(ctx)
	done(err)
	return e, err
}

func (w *watchedStore) SaveQueues(ctx context.Context, queues map[holdfast.ID]holdfast.Queue) error {
	ctx, done := w.began(ctx, "save_queues")
	err := w.lateStore.SaveQueues(ctx, queues)
	done(err)
	return err
}

func (w *watchedStore) Queue(ctx context.Context, stream holdfast.ID) (holdfast.Queue, error) {
	ctx, done := w.began(ctx, "queue")
	q, err := w.lateStore.Queue(ctx, stream)
	done(err)
	return q, err
}

func (w *watchedStore) Token(ctx context.Context, id string) (holdfast.Token, error) {
	ctx, done := w.began(ctx, "token")
	t, err := w.lateStore.Token(ctx, id)
	done(err)
	return t, err
}

func (w *watchedStore) Ping(ctx context.Context) error {
	ctx, done := w.began(ctx, "ping")
	err := w.lateStore.Ping(ctx)
	done(err)
	return err
}
