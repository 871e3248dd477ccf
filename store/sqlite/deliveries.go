package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const selectDeliveries = `
SELECT d.position, s.id, d.seq, t.id, d.type, d.shop, d.consumer, d.lane, d.after, d.status, d.behind, d.waits, d.attempts, d.due_at,
  d.generation, d.lease_until, d.node, d.code, d.detail, d.reference, d.created_at, d.done_at
FROM deliveries d JOIN streams s ON s.num = d.stream JOIN transactions t ON t.stream = d.stream AND t.seq = d.seq`

func scanDelivery(scan func(...any) error) (d holdfast.Delivery, err error) {
	var stream, id, lane []byte
	var after string
	var status int16
	var dueAt, created int64
	var lease, done sql.NullInt64
	err = scan(&d.Position, &stream, &d.Seq, &id, &d.Type, &d.Shop, &d.Consumer, &lane, &after, &status, &d.Behind, &d.Waits, &d.Attempts, &dueAt,
		&d.Generation, &lease, &d.Node, &d.Code, &d.Detail, &d.Reference, &created, &done)
	if err != nil {
		return d, err
	}
	copy(d.Stream[:], stream)
	copy(d.Transaction[:], id)
	copy(d.Lane[:], lane)
	d.Status, d.DueAt, d.CreatedAt = store.StatusOf(status), timeOf(dueAt), timeOf(created)
	if lease.Valid {
		d.LeaseUntil = timeOf(lease.Int64)
	}
	if done.Valid {
		d.DoneAt = timeOf(done.Int64)
	}
	return d, json.Unmarshal([]byte(after), &d.After)
}

// filter is a WHERE that grows.
type filter struct {
	terms []string
	args  []any
}

func (f *filter) add(given bool, term string, arg any) {
	if given {
		f.terms, f.args = append(f.terms, term), append(f.args, arg)
	}
}

func (f *filter) where() string {
	if len(f.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.terms, " AND ")
}

func deliveryFilter(q holdfast.DeliveryQuery) *filter {
	f := &filter{}
	f.add(q.After > 0, "d.position > ?", q.After)
	f.add(q.Consumer != "", "d.consumer = ?", q.Consumer)
	f.add(q.Shop != "", "d.shop = ?", q.Shop)
	f.add(q.Type != "", "d.type = ?", q.Type)
	f.add(q.Code != "", "d.code = ?", q.Code)
	f.add(!q.Stream.IsZero(), "d.stream = (SELECT num FROM streams WHERE id = ?)", q.Stream[:])
	f.add(q.Seq > 0, "d.seq = ?", q.Seq)
	f.add(!q.Since.IsZero(), "d.created_at >= ?", q.Since.UnixMicro())
	f.add(!q.Until.IsZero(), "d.created_at < ?", q.Until.UnixMicro())
	if len(q.Statuses) > 0 {
		var marks []string
		open, troubled := true, true
		for _, status := range q.Statuses {
			marks = append(marks, "?")
			f.args = append(f.args, store.StatusNumber(status))
			open = open && status.Open()
			troubled = troubled && (status == holdfast.DeliveryHeld || status == holdfast.DeliveryQuarantined)
		}
		f.terms = append(f.terms, "d.status IN ("+strings.Join(marks, ", ")+")")
		if open { // said again, so that the partial indexes fit
			f.terms = append(f.terms, "d.status < 10")
		}
		if troubled {
			f.terms = append(f.terms, "d.status IN (2, 3)")
		}
	}
	return f
}

// Deliveries lists.
func (s *Store) Deliveries(ctx context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error) {
	f := deliveryFilter(q)
	return rowsOf(ctx, s, scanDelivery, selectDeliveries+f.where()+" ORDER BY d.position LIMIT ?", append(f.args, q.Limit)...)
}

// rowsIn reads all rows of a statement in the writer's Tx.
func rowsIn[T any](w *writer, scan func(func(...any) error) (T, error), statement string, args ...any) (all []T, err error) {
	rows, err := w.conn.QueryContext(background, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// ActOnDeliveries does a deed.
func (s *Store) ActOnDeliveries(ctx context.Context, d holdfast.Deed, event func(holdfast.Delivery) holdfast.AuditEvent) (done holdfast.Done, err error) {
	to, from := store.DeedOf(d.Verb)
	q := d.Deliveries
	if q.Statuses = store.Allowed(q.Statuses, from); len(q.Statuses) == 0 {
		return holdfast.Done{}, nil
	}
	var told []holdfast.Change
	err = s.do(ctx, func(w *writer, epoch, now int64) error {
		f := deliveryFilter(q)
		found, err := rowsIn(w, scanDelivery, selectDeliveries+f.where()+" ORDER BY d.position LIMIT ?", append(f.args, q.Limit)...)
		if err != nil {
			return err
		}
		done, told = holdfast.Done{Count: len(found), More: len(found) == q.Limit}, nil
		if len(found) > 0 {
			done.Last = found[len(found)-1].Position
		}
		var events []holdfast.AuditEvent
		for i := range found {
			if err := w.act(found[i].Position, to, now); err != nil {
				return err
			}
			events = append(events, event(found[i]))
			if c, tell := store.ChangeOfDeed(d, found[i]); tell {
				told = append(told, c)
			}
		}
		for i := range found { // when all of them are what they are to be
			failed, err := w.settle(found[i].Stream, found[i].Seq, now)
			if err != nil {
				return err
			}
			told = append(told, failed...)
		}
		return errors.Join(w.insertChanges(told, now), w.insertEvents(events, epoch, now))
	})
	if err != nil { // the writer may still be at work
		return holdfast.Done{}, err
	}
	s.tell(store.Notice{Work: true, Streams: streamsOf(told)})
	return done, nil
}

func (w *writer) act(position int64, to holdfast.DeliveryStatus, now int64) error {
	var done any
	if !to.Open() {
		done = now
	}
	return w.exec(`
UPDATE deliveries SET status = ?2, done_at = ?3, due_at = CASE WHEN ?2 = 0 THEN ?4 ELSE due_at END, attempts = CASE WHEN ?2 = 0 THEN 0 ELSE attempts END,
  generation = generation + 1 WHERE position = ?1`, position, store.StatusNumber(to), done, now)
}

// CountDeliveries counts the open ones.
func (s *Store) CountDeliveries(ctx context.Context) ([]store.DeliveryCount, error) {
	return rowsOf(ctx, s, func(scan func(...any) error) (c store.DeliveryCount, err error) {
		var status int16
		var oldest int64
		err = scan(&c.Consumer, &status, &c.Count, &oldest)
		c.Status, c.Oldest = store.StatusOf(status), time.UnixMicro(oldest).UTC()
		return c, err
	}, "SELECT consumer, status, count(*), min(created_at) FROM deliveries WHERE status < 10 GROUP BY consumer, status ORDER BY consumer, status")
}

// StreamDeliveries tells how far a stream's deliveries have come.
func (s *Store) StreamDeliveries(ctx context.Context, stream holdfast.ID, planned bool) (through, open int64, err error) {
	var accepted, first, count, known int64
	err = s.reads.QueryRowContext(ctx, `
SELECT s.accepted_through,
  coalesce((SELECT min(d.seq) FROM deliveries d WHERE d.stream = s.num AND d.status < 10), 0),
  (SELECT count(DISTINCT d.seq) FROM deliveries d WHERE d.stream = s.num AND d.status < 10),
  coalesce((SELECT t.seq FROM transactions t WHERE t.stream = s.num AND t.batch <= (SELECT position FROM delivery_log) ORDER BY t.seq DESC LIMIT 1), 0)
FROM streams s WHERE s.id = ?`, stream[:]).Scan(&accepted, &first, &count, &known)
	if err == nil {
		through, open = store.DeliveredThrough(accepted, first, count, known, planned)
	}
	return through, open, unavailable(err)
}
