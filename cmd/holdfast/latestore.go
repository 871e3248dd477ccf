package main

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// lateStore is a store whose database may not be there yet: a gateway must be
// able to start while its database fails over. Until it has been given the real
// one, everything is unavailable.
type lateStore struct {
	mu     sync.RWMutex
	real   store.Store
	closed bool
}

// provide hands over the real store; one that comes too late is closed.
func (l *lateStore) provide(s store.Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return s.Close()
	}
	l.real = s
	return nil
}

// provided says whether the real store is there.
func (l *lateStore) provided() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.real != nil
}

// now is the real store, or one that answers that there is none.
func (l *lateStore) now() store.Store {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.real == nil {
		return noStore{}
	}
	return l.real
}

// Close closes the real one.
func (l *lateStore) Close() error {
	l.mu.Lock()
	real := l.real
	l.closed = true
	l.mu.Unlock()
	if real == nil {
		return nil
	}
	return real.Close()
}

func (l *lateStore) Append(ctx context.Context, step *store.Append) error {
	return l.now().Append(ctx, step)
}

func (l *lateStore) View(ctx context.Context, key store.Key) (store.View, error) {
	return l.now().View(ctx, key)
}

func (l *lateStore) Held(ctx context.Context, q store.HeldQuery) ([]store.Held, error) {
	return l.now().Held(ctx, q)
}

func (l *lateStore) Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error) {
	return l.now().Transaction(ctx, stream, seq)
}

func (l *lateStore) Epoch(ctx context.Context) (store.Epoch, error) { return l.now().Epoch(ctx) }

func (l *lateStore) SaveQueues(ctx context.Context, queues map[holdfast.ID]holdfast.Queue) error {
	return l.now().SaveQueues(ctx, queues)
}

func (l *lateStore) Queue(ctx context.Context, stream holdfast.ID) (holdfast.Queue, error) {
	return l.now().Queue(ctx, stream)
}

func (l *lateStore) CreateToken(ctx context.Context, t holdfast.Token, event holdfast.AuditEvent) error {
	return l.now().CreateToken(ctx, t, event)
}

func (l *lateStore) Token(ctx context.Context, id string) (holdfast.Token, error) {
	return l.now().Token(ctx, id)
}

func (l *lateStore) Tokens(ctx context.Context) ([]holdfast.Token, error) {
	return l.now().Tokens(ctx)
}

func (l *lateStore) RevokeToken(ctx context.Context, id string, at time.Time, event holdfast.AuditEvent) error {
	return l.now().RevokeToken(ctx, id, at, event)
}

func (l *lateStore) Ping(ctx context.Context) error { return l.now().Ping(ctx) }

// noStore stands for a database that has not been reached yet.
type noStore struct{}

func (noStore) Append(context.Context, *store.Append) error { return store.ErrUnavailable }

func (noStore) View(context.Context, store.Key) (store.View, error) {
	return store.View{}, store.ErrUnavailable
}

func (noStore) Held(context.Context, store.HeldQuery) ([]store.Held, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Transaction(context.Context, holdfast.ID, int64) (holdfast.StoredTransaction, error) {
	return holdfast.StoredTransaction{}, store.ErrUnavailable
}

func (noStore) Epoch(context.Context) (store.Epoch, error) {
	return store.Epoch{}, store.ErrUnavailable
}

func (noStore) SaveQueues(context.Context, map[holdfast.ID]holdfast.Queue) error {
	return store.ErrUnavailable
}

func (noStore) Queue(context.Context, holdfast.ID) (holdfast.Queue, error) {
	return holdfast.Queue{}, store.ErrUnavailable
}

func (noStore) CreateToken(context.Context, holdfast.Token, holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

func (noStore) Token(context.Context, string) (holdfast.Token, error) {
	return holdfast.Token{}, store.ErrUnavailable
}

func (noStore) Tokens(context.Context) ([]holdfast.Token, error) { return nil, store.ErrUnavailable }

func (noStore) RevokeToken(context.Context, string, time.Time, holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

func (noStore) Ping(context.Context) error { return store.ErrUnavailable }

func (noStore) Close() error { return nil }
