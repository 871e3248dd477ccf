package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// FinishDeliveries records attempts.
func (s *Store) FinishDeliveries(ctx context.Context, all []store.FinishedDelivery) (won []bool, err error) {
	var told []holdfast.Change
	err = s.do(ctx, func(w *writer, epoch, now int64) error {
		won, told = make([]bool, len(all)), nil
		var events []holdfast.AuditEvent
		for i := range all {
			err := w.finishDelivery(&all[i], now)
			if errors.Is(err, store.ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
			won[i] = true
			if all[i].Event != nil {
				events = append(events, *all[i].Event)
			}
			if all[i].Change != nil {
				told = append(told, *all[i].Change)
			}
			failed, err := w.settle(all[i].Stream, all[i].Seq, now)
			if err != nil {
				return err
			}
			told = append(told, failed...)
		}
		if err := w.insertChanges(told, now); err != nil || len(events) == 0 {
			return err
		}
		return w.insertEvents(events, epoch, now)
	})
	if err != nil {
		return nil, err
	}
	if len(told) > 0 {
		s.tell(store.Notice{Streams: streamsOf(told)})
	}
	return won, nil
}

func (w *writer) finishDelivery(f *store.FinishedDelivery, now int64) error {
	unmade, dueAt, done := 0, now, any(nil)
	if f.Unmade {
		unmade = 1
	}
	if f.Status == holdfast.DeliveryWaiting {
		dueAt = now + int64(f.DueIn/time.Microsecond)
	}
	if !f.Status.Open() {
		done = now
	}
	return w.changed(`
UPDATE deliveries SET status = ?3, attempts = attempts - ?4, lease_until = NULL, due_at = ?5, code = ?6, detail = ?7, reference = ?8, done_at = ?9
WHERE position = ?1 AND generation = ?2 AND status = 1`,
		f.Position, f.Generation, store.StatusNumber(f.Status), unmade, dueAt, f.Code, f.Detail, f.Reference, done)
}

// settle does what follows from changed statuses: what comes after a consumer that has failed fails, the waits are counted anew,
// and the first open ones of the lanes go.
func (w *writer) settle(stream holdfast.ID, seq, now int64) (told []holdfast.Change, err error) {
	failed, err := w.cascade(stream, seq, now)
	if err != nil {
		return nil, err
	}
	for _, consumer := range failed {
		told = append(told, holdfast.Change{Kind: holdfast.ChangeFailed, Code: store.CodePredecessor, Stream: stream, Seq: seq, Consumer: consumer})
	}
	const of = "(SELECT num FROM streams WHERE id = ?1) AND "
	err = w.exec(`
UPDATE deliveries SET waits = (SELECT count(*) FROM deliveries p WHERE p.stream = deliveries.stream AND p.seq = deliveries.seq AND p.status NOT IN (10, 11)
  AND p.consumer IN (SELECT value FROM json_each(deliveries.after)))
WHERE stream = `+of+`seq = ?2 AND waits > 0 AND status < 10`, stream[:], seq)
	if err == nil {
		err = w.exec(`
UPDATE deliveries SET behind = 0 WHERE behind = 1 AND position IN (
  SELECT (SELECT o.position FROM deliveries o WHERE o.consumer = d.consumer AND o.lane = d.lane AND o.status < 10 ORDER BY o.position LIMIT 1)
  FROM deliveries d WHERE d.stream = `+of+`d.seq = ?2)`, stream[:], seq)
	}
	return told, err
}

func (w *writer) cascade(stream holdfast.ID, seq, now int64) (consumers []string, err error) {
	stmt, err := w.kept(`
UPDATE deliveries SET status = 12, code = '` + store.CodePredecessor + `', detail = '', done_at = ?3
WHERE stream = (SELECT num FROM streams WHERE id = ?1) AND seq = ?2 AND status IN (0, 2, 3) AND EXISTS (
  SELECT 1 FROM deliveries p WHERE p.stream = deliveries.stream AND p.seq = deliveries.seq AND p.status = 12 AND p.consumer IN (SELECT value FROM json_each(deliveries.after)))
RETURNING consumer`)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(background, stream[:], seq, now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var consumer string
		if err := rows.Scan(&consumer); err != nil {
			return nil, err
		}
		consumers = append(consumers, consumer)
	}
	return consumers, rows.Err()
}
