package main

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func (l *lateStore) Unplanned(ctx context.Context, limit int, bodies bool) (store.LogPage, error) {
	return l.now().Unplanned(ctx, limit, bodies)
}

func (l *lateStore) SavePlan(ctx context.Context, p store.Plan) error {
	return l.now().SavePlan(ctx, p)
}

func (l *lateStore) ClaimDeliveries(ctx context.Context, q store.ClaimQuery) (store.Claimed, error) {
	return l.now().ClaimDeliveries(ctx, q)
}

func (l *lateStore) FinishDeliveries(ctx context.Context, all []store.FinishedDelivery) ([]bool, error) {
	return l.now().FinishDeliveries(ctx, all)
}

func (l *lateStore) RenewDeliveries(ctx context.Context, all []store.DeliveryLease, lease time.Duration) ([]store.DeliveryLease, error) {
	return l.now().RenewDeliveries(ctx, all, lease)
}

func (l *lateStore) RecoverDeliveries(ctx context.Context) (int, error) {
	return l.now().RecoverDeliveries(ctx)
}

func (l *lateStore) WakeDeliveries(ctx context.Context, digest holdfast.Hash) error {
	return l.now().WakeDeliveries(ctx, digest)
}

func (l *lateStore) Deliveries(ctx context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error) {
	return l.now().Deliveries(ctx, q)
}

func (l *lateStore) ActOnDeliveries(ctx context.Context, d holdfast.Deed, event func(holdfast.Delivery) holdfast.AuditEvent) (holdfast.Done, error) {
	return l.now().ActOnDeliveries(ctx, d, event)
}

func (l *lateStore) CountDeliveries(ctx context.Context) ([]store.DeliveryCount, error) {
	return l.now().CountDeliveries(ctx)
}

func (l *lateStore) StreamDeliveries(ctx context.Context, stream holdfast.ID, planned bool) (through, open int64, err error) {
	return l.now().StreamDeliveries(ctx, stream, planned)
}

func (l *lateStore) PlannedThrough(ctx context.Context) (planned, log int64, err error) {
	return l.now().PlannedThrough(ctx)
}

func (l *lateStore) Quarantined(ctx context.Context, q holdfast.QuarantineQuery) ([]holdfast.Quarantined, error) {
	return l.now().Quarantined(ctx, q)
}

func (l *lateStore) Release(ctx context.Context, d holdfast.Deed, event func(holdfast.Quarantined) holdfast.AuditEvent) (holdfast.Done, error) {
	return l.now().Release(ctx, d, event)
}

func (l *lateStore) RepairTransaction(ctx context.Context, r holdfast.Repair, event holdfast.AuditEvent) error {
	return l.now().RepairTransaction(ctx, r, event)
}

func (l *lateStore) Repairs(ctx context.Context, stream holdfast.ID, seq int64) ([]holdfast.Repair, error) {
	return l.now().Repairs(ctx, stream, seq)
}

func (l *lateStore) Changes(ctx context.Context, q holdfast.ChangesQuery) ([]holdfast.Change, error) {
	return l.now().Changes(ctx, q)
}

func (l *lateStore) LastChange(ctx context.Context, stream holdfast.ID) (number, message int64, err error) {
	return l.now().LastChange(ctx, stream)
}

func (l *lateStore) SendMessage(ctx context.Context, m holdfast.Message, event holdfast.AuditEvent) error {
	return l.now().SendMessage(ctx, m, event)
}

func (noStore) Unplanned(context.Context, int, bool) (store.LogPage, error) {
	return store.LogPage{}, store.ErrUnavailable
}

func (noStore) SavePlan(context.Context, store.Plan) error {
	return store.ErrUnavailable
}

func (noStore) ClaimDeliveries(context.Context, store.ClaimQuery) (store.Claimed, error) {
	return store.Claimed{}, store.ErrUnavailable
}

func (noStore) FinishDeliveries(context.Context, []store.FinishedDelivery) ([]bool, error) {
	return nil, store.ErrUnavailable
}

func (noStore) RenewDeliveries(context.Context, []store.DeliveryLease, time.Duration) ([]store.DeliveryLease, error) {
	return nil, store.ErrUnavailable
}

func (noStore) RecoverDeliveries(context.Context) (int, error) {
	return 0, store.ErrUnavailable
}

func (noStore) WakeDeliveries(context.Context, holdfast.Hash) error {
	return store.ErrUnavailable
}

func (noStore) Deliveries(context.Context, holdfast.DeliveryQuery) ([]holdfast.Delivery, error) {
	return nil, store.ErrUnavailable
}

func (noStore) ActOnDeliveries(context.Context, holdfast.Deed, func(holdfast.Delivery) holdfast.AuditEvent) (holdfast.Done, error) {
	return holdfast.Done{}, store.ErrUnavailable
}

func (noStore) CountDeliveries(context.Context) ([]store.DeliveryCount, error) {
	return nil, store.ErrUnavailable
}

func (noStore) StreamDeliveries(context.Context, holdfast.ID, bool) (int64, int64, error) {
	return 0, 0, store.ErrUnavailable
}

func (noStore) PlannedThrough(context.Context) (int64, int64, error) {
	return 0, 0, store.ErrUnavailable
}

func (noStore) Quarantined(context.Context, holdfast.QuarantineQuery) ([]holdfast.Quarantined, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Release(context.Context, holdfast.Deed, func(holdfast.Quarantined) holdfast.AuditEvent) (holdfast.Done, error) {
	return holdfast.Done{}, store.ErrUnavailable
}

func (noStore) RepairTransaction(context.Context, holdfast.Repair, holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

func (noStore) Repairs(context.Context, holdfast.ID, int64) ([]holdfast.Repair, error) {
	return nil, store.ErrUnavailable
}

func (noStore) Changes(context.Context, holdfast.ChangesQuery) ([]holdfast.Change, error) {
	return nil, store.ErrUnavailable
}

func (noStore) LastChange(context.Context, holdfast.ID) (int64, int64, error) {
	return 0, 0, store.ErrUnavailable
}

func (noStore) SendMessage(context.Context, holdfast.Message, holdfast.AuditEvent) error {
	return store.ErrUnavailable
}

// Notices tells nothing before the database has been reached: who asks asks again then.
func (noStore) Notices(context.Context, func(store.Notice)) {}

func (l *lateStore) Notices(ctx context.Context, heard func(store.Notice)) {
	l.now().Notices(ctx, heard)
}
