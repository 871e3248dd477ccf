package main

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func (l *lateStore) Record(ctx context.Context, events []holdfast.AuditEvent) error {
	return l.now().Record(ctx, events)
}

func (l *lateStore) Events(ctx context.Context, page store.AuditPage) ([]holdfast.AuditEvent, error) {
	return l.now().Events(ctx, page)
}

func (l *lateStore) Tally(ctx context.Context, w store.ShopWindow) ([]store.ShopTally, error) {
	return l.now().Tally(ctx, w)
}

func (l *lateStore) Open(ctx context.Context, q store.OpenQuery) ([]store.Open, error) {
	return l.now().Open(ctx, q)
}

func (l *lateStore) Places(ctx context.Context, transaction holdfast.ID) ([]store.Place, error) {
	return l.now().Places(ctx, transaction)
}

func (l *lateStore) BeginSession(ctx context.Context, event holdfast.AuditEvent) (bool, error) {
	return l.now().BeginSession(ctx, event)
}

func (l *lateStore) FirstEvent(ctx context.Context) (time.Time, error) {
	return l.now().FirstEvent(ctx)
}

func (l *lateStore) Sealing(ctx context.Context, fn func(context.Context) error) (bool, error) {
	return l.now().Sealing(ctx, fn)
}

func (l *lateStore) LastSegment(ctx context.Context) (holdfast.AuditSegment, error) {
	return l.now().LastSegment(ctx)
}

func (l *lateStore) Segments(ctx context.Context, from int64, limit int) ([]holdfast.AuditSegment, error) {
	return l.now().Segments(ctx, from, limit)
}

func (l *lateStore) AppendSegment(ctx context.Context, s holdfast.AuditSegment, event holdfast.AuditEvent) error {
	return l.now().AppendSegment(ctx, s, event)
}

func (l *lateStore) CountRows(ctx context.Context, from, to time.Time) (map[time.Time]int64, error) {
	return l.now().CountRows(ctx, from, to)
}

func (l *lateStore) Maintain(ctx context.Context, before time.Time) ([]string, error) {
	return l.now().Maintain(ctx, before)
}

func (noStore) Record(context.Context, []holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

func (noStore) Events(context.Context, store.AuditPage) ([]holdfast.AuditEvent, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Tally(context.Context, store.ShopWindow) ([]store.ShopTally, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Open(context.Context, store.OpenQuery) ([]store.Open, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Places(context.Context, holdfast.ID) ([]store.Place, error) {
	return nil, store.ErrUnavailable
}

func (noStore) BeginSession(context.Context, holdfast.AuditEvent) (bool, error) {
	return false, store.ErrUnavailable
}

func (noStore) FirstEvent(context.Context) (time.Time, error) {
	return time.Time{}, store.ErrUnavailable
}

func (noStore) Sealing(context.Context, func(context.Context) error) (bool, error) {
	return false, store.ErrUnavailable
}

func (noStore) LastSegment(context.Context) (holdfast.AuditSegment, error) {
	return holdfast.AuditSegment{}, store.ErrUnavailable
}

func (noStore) Segments(context.Context, int64, int) ([]holdfast.AuditSegment, error) {
	return nil, store.ErrUnavailable
}

func (noStore) AppendSegment(context.Context, holdfast.AuditSegment, holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

func (noStore) CountRows(context.Context, time.Time, time.Time) (map[time.Time]int64, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Maintain(context.Context, time.Time) ([]string, error) {
	return nil, store.ErrUnavailable
}
