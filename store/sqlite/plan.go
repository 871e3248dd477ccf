package sqlite

import (
	"context"
	"encoding/json"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// logged is a batch of the log. One writer gives the positions out, so they are seen in their order.
type logged struct{ position, stream, first, last int64 }

// pageBytes bounds the bodies of a page, but for those of its last batch.
const pageBytes = 8 << 20

// Unplanned reads the log behind what is planned.
func (s *Store) Unplanned(ctx context.Context, limit int, bodies bool) (store.LogPage, error) {
	var p store.LogPage
	if err := s.reads.QueryRowContext(ctx, "SELECT position FROM delivery_log").Scan(&p.From); err != nil {
		return p, unavailable(err)
	}
	p.To = p.From
	batches, err := rowsOf(ctx, s, func(scan func(...any) error) (b logged, err error) {
		err = scan(&b.position, &b.stream, &b.first, &b.last)
		return b, err
	}, "SELECT position, stream, first_seq + duplicates, last_seq FROM batches WHERE position > ? ORDER BY position LIMIT ?", p.From, limit)
	if err != nil {
		return p, err
	}
	if !bodies && len(batches) > 0 {
		p.To = batches[len(batches)-1].position
		p.Transactions, err = rowsOf(ctx, s, scanLogged, `
SELECT s.id, t.seq, t.id, s.shop, '', q.problem
FROM quarantine q JOIN transactions t ON t.stream = q.stream AND t.seq = q.seq JOIN streams s ON s.num = q.stream
WHERE q.verb IS NULL AND t.batch > ? AND t.batch <= ? ORDER BY t.batch, t.seq`, p.From, p.To)
		return p, err
	}
	size := 0
	for _, b := range batches {
		if len(p.Transactions) > 0 && int64(len(p.Transactions))+b.last-b.first+1 > int64(limit) {
			break
		}
		some, err := rowsOf(ctx, s, scanLogged, `
SELECT s.id, t.seq, t.id, s.shop, t.body, q.problem
FROM streams s JOIN transactions t ON t.stream = s.num LEFT JOIN quarantine q ON q.stream = t.stream AND q.seq = t.seq
WHERE s.num = ?1 AND t.seq BETWEEN ?2 AND ?3 ORDER BY t.seq`, b.stream, b.first, b.last)
		if err != nil {
			return p, err
		}
		p.Transactions = append(p.Transactions, some...)
		p.To = b.position
		for i := range some {
			size += len(some[i].Raw)
		}
		if size > pageBytes {
			break
		}
	}
	return p, nil
}

func scanLogged(scan func(...any) error) (t store.LoggedTransaction, err error) {
	var stream, id []byte
	err = scan(&stream, &t.Seq, &id, &t.Shop, &t.Raw, &t.Problem)
	copy(t.Stream[:], stream)
	copy(t.ID[:], id)
	return t, err
}

// SavePlan writes a plan.
func (s *Store) SavePlan(ctx context.Context, p store.Plan) error {
	err := s.do(ctx, func(w *writer, _, now int64) error {
		if err := w.changed("UPDATE delivery_log SET position = ? WHERE position = ?", p.To, p.From); err != nil {
			return err
		}
		for i := range p.Deliveries {
			if err := w.insertDelivery(&p.Deliveries[i], now); err != nil {
				return err
			}
		}
		return w.insertChanges(p.Changes, now)
	})
	if err == nil && len(p.Deliveries)+len(p.Changes) > 0 {
		s.tell(store.Notice{Work: true, Streams: streamsOf(p.Changes)})
	}
	return err
}

func streamsOf(all []holdfast.Change) (ids []holdfast.ID) {
	for i := range all {
		ids = append(ids, all[i].Stream)
	}
	return ids
}

const insertDelivery = `
INSERT INTO deliveries (stream, seq, consumer, type, shop, lane, after, waits, behind, status, due_at, created_at)
SELECT s.num, ?2, ?3, ?4, ?5, ?6, ?7, ?8, EXISTS (SELECT 1 FROM deliveries o WHERE o.consumer = ?3 AND o.lane = ?6 AND o.status < 10), ?9, ?10, ?10
FROM streams s WHERE s.id = ?1 ON CONFLICT DO NOTHING`

func (w *writer) insertDelivery(d *holdfast.Delivery, now int64) error {
	after, _ := json.Marshal(append([]string{}, d.After...)) // texts: can't fail
	return w.exec(insertDelivery, d.Stream[:], d.Seq, d.Consumer, d.Type, d.Shop, d.Lane[:], string(after), len(d.After), store.StatusNumber(d.Status), now)
}

// exec runs a statement that is kept prepared.
func (w *writer) exec(statement string, args ...any) error {
	stmt, err := w.kept(statement)
	if err == nil {
		_, err = stmt.ExecContext(background, args...)
	}
	return err
}

const insertChange = `
INSERT INTO changes (stream, number, kind, at, seq, consumer, reference, code, detail, body)
SELECT s.num, (SELECT coalesce(max(c.number), 0) + 1 FROM changes c WHERE c.stream = s.num), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM streams s WHERE s.id = ?1`

func (w *writer) insertChanges(all []holdfast.Change, now int64) error {
	for i := range all {
		c := &all[i]
		if err := w.exec(insertChange, c.Stream[:], string(c.Kind), now, c.Seq, c.Consumer, c.Reference, c.Code, c.Detail, textOrNull(c.Body)); err != nil {
			return err
		}
	}
	return nil
}

// PlannedThrough is how far plans and the log have come.
func (s *Store) PlannedThrough(ctx context.Context) (planned, log int64, err error) {
	err = s.reads.QueryRowContext(ctx, "SELECT position, max(position, (SELECT coalesce(max(position), 0) FROM batches)) FROM delivery_log").Scan(&planned, &log)
	return planned, log, unavailable(err)
}
