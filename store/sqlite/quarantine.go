package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const selectQuarantined = `
SELECT q.number, s.id, q.seq, t.id, q.type, s.shop, q.problem, b.accepted_at, coalesce(q.verb, ''),
  coalesce(q.who, ''), coalesce(q.why, ''), q.decided_at
FROM quarantine q JOIN streams s ON s.num = q.stream JOIN transactions t ON t.stream = q.stream AND t.seq = q.seq JOIN batches b ON b.position = t.batch`

func scanQuarantined(scan func(...any) error) (q holdfast.Quarantined, err error) {
	var stream, id []byte
	var accepted int64
	var decided sql.NullInt64
	err = scan(&q.Number, &stream, &q.Seq, &id, &q.Type, &q.Shop, &q.Problem, &accepted, &q.Verb, &q.Who, &q.Why, &decided)
	copy(q.Stream[:], stream)
	copy(q.Transaction[:], id)
	q.AcceptedAt = timeOf(accepted)
	if decided.Valid {
		q.DecidedAt = timeOf(decided.Int64)
	}
	return q, err
}

func quarantineFilter(q holdfast.QuarantineQuery) *filter {
	f := &filter{}
	if !q.All {
		f.terms = append(f.terms, "q.verb IS NULL")
	}
	f.add(q.After > 0, "q.number > ?", q.After)
	f.add(q.Shop != "", "s.shop = ?", q.Shop)
	f.add(q.Type != "", "q.type = ?", q.Type)
	f.add(!q.Stream.IsZero(), "s.id = ?", q.Stream[:])
	f.add(q.Seq > 0, "q.seq = ?", q.Seq)
	f.add(!q.Since.IsZero(), "b.accepted_at >= ?", q.Since.UnixMicro())
	f.add(!q.Until.IsZero(), "b.accepted_at < ?", q.Until.UnixMicro())
	return f
}

// Quarantined lists.
func (s *Store) Quarantined(ctx context.Context, q holdfast.QuarantineQuery) ([]holdfast.Quarantined, error) {
	f := quarantineFilter(q)
	return rowsOf(ctx, s, scanQuarantined, selectQuarantined+f.where()+" ORDER BY q.number LIMIT ?", append(f.args, q.Limit)...)
}

// planned leaves out what no plan has been made for: its deliveries are not there yet.
const planned = "t.batch <= (SELECT position FROM delivery_log)"

// Release decides about quarantined transactions.
func (s *Store) Release(ctx context.Context, d holdfast.Deed, event func(holdfast.Quarantined) holdfast.AuditEvent) (done holdfast.Done, err error) {
	q := d.Quarantine
	q.All = false
	var told []holdfast.Change
	err = s.do(ctx, func(w *writer, epoch, now int64) error {
		f := quarantineFilter(q)
		f.terms = append(f.terms, planned)
		found, err := rowsIn(w, scanQuarantined, selectQuarantined+f.where()+" ORDER BY q.number LIMIT ?", append(f.args, q.Limit)...)
		if err != nil {
			return err
		}
		done, told = holdfast.Done{Count: len(found), More: len(found) == q.Limit}, nil
		if len(found) > 0 {
			done.Last = found[len(found)-1].Number
		}
		var events []holdfast.AuditEvent
		for i := range found {
			failed, err := w.release(found[i].Stream, found[i].Seq, d.Verb, d.Who, d.Why, now)
			if err != nil {
				return err
			}
			events = append(events, event(found[i]))
			told = append(append(told, store.ChangeOfRelease(d.Verb, found[i])), failed...)
		}
		return errors.Join(w.insertChanges(told, now), w.insertEvents(events, epoch, now))
	})
	if err != nil { // the writer may still be at work
		return holdfast.Done{}, err
	}
	s.tell(store.Notice{Work: true, Streams: streamsOf(told)})
	return done, nil
}

// release lets a quarantined transaction go, and its deliveries; a repair is for those that are held as well.
func (w *writer) release(stream holdfast.ID, seq int64, verb holdfast.Verb, who, why string, now int64) ([]holdfast.Change, error) {
	to, _ := store.DeedOf(verb)
	alsoHeld := -1
	if verb == holdfast.VerbRepair {
		alsoHeld = 3
	}
	result, err := w.conn.ExecContext(background, `
UPDATE quarantine SET verb = ?3, who = ?4, why = ?5, decided_at = ?6
WHERE stream = (SELECT num FROM streams WHERE id = ?1) AND seq = ?2 AND verb IS NULL`, stream[:], seq, string(verb), who, why, now)
	if err != nil {
		return nil, err
	}
	if n, err := result.RowsAffected(); err != nil {
		return nil, err
	} else if n > 0 {
		if err := w.exec("UPDATE streams SET quarantined = quarantined - 1 WHERE id = ?", stream[:]); err != nil {
			return nil, err
		}
	}
	var done any
	if !to.Open() {
		done = now
	}
	err = w.exec(`
UPDATE deliveries SET status = ?3, generation = generation + 1, attempts = 0, due_at = ?4, code = '', detail = '', done_at = ?5
WHERE stream = (SELECT num FROM streams WHERE id = ?1) AND seq = ?2 AND status IN (2, ?6)`, stream[:], seq, store.StatusNumber(to), now, done, alsoHeld)
	if err != nil {
		return nil, err
	}
	return w.settle(stream, seq, now)
}

// RepairTransaction keeps another payload.
func (s *Store) RepairTransaction(ctx context.Context, r holdfast.Repair, event holdfast.AuditEvent) error {
	err := s.do(ctx, func(w *writer, epoch, now int64) error {
		var num int64
		var id []byte
		var repairable bool
		err := w.conn.QueryRowContext(background, `
SELECT s.num, t.id, `+planned+` AND (EXISTS (SELECT 1 FROM quarantine q WHERE q.stream = t.stream AND q.seq = t.seq AND q.verb IS NULL)
  OR EXISTS (SELECT 1 FROM deliveries d WHERE d.stream = t.stream AND d.seq = t.seq AND d.status IN (2, 3)))
FROM streams s JOIN transactions t ON t.stream = s.num WHERE s.id = ? AND t.seq = ?`, r.Stream[:], r.Seq).Scan(&num, &id, &repairable)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case !repairable:
			return store.ErrConflict
		}
		err = w.exec(`
INSERT INTO repairs (stream, seq, number, payload, who, why, at)
VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM repairs WHERE stream = ?1 AND seq = ?2), ?3, ?4, ?5, ?6)`, num, r.Seq, string(r.Payload), r.Who, r.Why, now)
		if err != nil {
			return err
		}
		told := []holdfast.Change{{Kind: holdfast.ChangeRepaired, Stream: r.Stream, Seq: r.Seq}}
		copy(told[0].Transaction[:], id)
		failed, err := w.release(r.Stream, r.Seq, holdfast.VerbRepair, r.Who, r.Why, now)
		if err != nil {
			return err
		}
		return errors.Join(w.insertChanges(append(told, failed...), now), w.insertEvents([]holdfast.AuditEvent{event}, epoch, now))
	})
	if err == nil {
		s.tell(store.Notice{Work: true, Streams: []holdfast.ID{r.Stream}})
	}
	return err
}

// Repairs lists those of a transaction.
func (s *Store) Repairs(ctx context.Context, stream holdfast.ID, seq int64) ([]holdfast.Repair, error) {
	return rowsOf(ctx, s, func(scan func(...any) error) (holdfast.Repair, error) {
		r := holdfast.Repair{Stream: stream, Seq: seq}
		var at int64
		err := scan(&r.Payload, &r.Who, &r.Why, &at)
		r.At = timeOf(at)
		return r, err
	}, "SELECT r.payload, r.who, r.why, r.at FROM streams s JOIN repairs r ON r.stream = s.num WHERE s.id = ? AND r.seq = ? ORDER BY r.number", stream[:], seq)
}
