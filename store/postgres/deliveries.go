package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const deliveryColumns = `d.position, s.id, d.seq, t.id, d.type, d.shop, d.consumer, d.lane, d.after, d.status, d.behind, d.waits, d.attempts, d.due_at,
  d.generation, d.lease_until, d.node, d.code, d.detail, d.reference, d.created_at, d.done_at`

const deliveryTables = "deliveries d JOIN streams s ON s.num = d.stream JOIN transactions t ON t.stream = d.stream AND t.seq = d.seq"

func scanDelivery(row pgx.CollectableRow) (d holdfast.Delivery, err error) {
	var stream, id [16]byte
	var lane []byte
	var status int16
	var lease, done *time.Time
	err = row.Scan(&d.Position, &stream, &d.Seq, &id, &d.Type, &d.Shop, &d.Consumer, &lane, &d.After, &status, &d.Behind, &d.Waits, &d.Attempts, &d.DueAt,
		&d.Generation, &lease, &d.Node, &d.Code, &d.Detail, &d.Reference, &d.CreatedAt, &done)
	d.Stream, d.Transaction, d.Status = stream, id, store.StatusOf(status)
	copy(d.Lane[:], lane)
	d.DueAt, d.CreatedAt = d.DueAt.UTC(), d.CreatedAt.UTC()
	if lease != nil {
		d.LeaseUntil = lease.UTC()
	}
	if done != nil {
		d.DoneAt = done.UTC()
	}
	return d, err
}

// filter is a WHERE that grows.
type filter struct {
	terms []string
	args  []any
}

// add adds a term in which %d stands for the argument's number.
func (f *filter) add(given bool, term string, arg any) {
	if given {
		f.args = append(f.args, arg)
		f.terms = append(f.terms, fmt.Sprintf(term, len(f.args)))
	}
}

func (f *filter) where() string {
	if len(f.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.terms, " AND ")
}

func (f *filter) limit(n int) string {
	f.args = append(f.args, n)
	return fmt.Sprintf(" LIMIT $%d", len(f.args))
}

func deliveryFilter(q holdfast.DeliveryQuery) *filter {
	f := &filter{}
	f.add(q.After > 0, "d.position > $%d::bigint", q.After)
	f.add(q.Consumer != "", "d.consumer = $%d::text", q.Consumer)
	f.add(q.Shop != "", "d.shop = $%d::text", q.Shop)
	f.add(q.Type != "", "d.type = $%d::text", q.Type)
	f.add(q.Code != "", "d.code = $%d::text", q.Code)
	f.add(!q.Stream.IsZero(), "d.stream = (SELECT num FROM streams WHERE id = $%d::uuid)", q.Stream.String())
	f.add(q.Seq > 0, "d.seq = $%d::bigint", q.Seq)
	f.add(!q.Since.IsZero(), "d.created_at >= $%d::timestamptz", q.Since)
	f.add(!q.Until.IsZero(), "d.created_at < $%d::timestamptz", q.Until)
	if len(q.Statuses) > 0 {
		var numbers []int16
		open, troubled := true, true
		for _, status := range q.Statuses {
			numbers = append(numbers, store.StatusNumber(status))
			open = open && status.Open()
			troubled = troubled && (status == holdfast.DeliveryHeld || status == holdfast.DeliveryQuarantined)
		}
		f.add(true, "d.status = ANY ($%d::smallint[])", numbers)
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
	statement := "SELECT " + deliveryColumns + " FROM " + deliveryTables + f.where() + " ORDER BY d.position" + f.limit(q.Limit)
	return list(ctx, s, scanDelivery, statement, f.args...)
}

const actStatement = `
UPDATE deliveries SET status = $2::smallint, done_at = CASE WHEN $2::smallint >= 10 THEN now() END, due_at = CASE WHEN $2::smallint = 0 THEN now() ELSE due_at END,
  attempts = CASE WHEN $2::smallint = 0 THEN 0 ELSE attempts END, generation = generation + 1
WHERE position = ANY ($1::bigint[])`

// ActOnDeliveries does a deed.
func (s *Store) ActOnDeliveries(ctx context.Context, d holdfast.Deed, event func(holdfast.Delivery) holdfast.AuditEvent) (done holdfast.Done, err error) {
	to, from := store.DeedOf(d.Verb)
	q := d.Deliveries
	if q.Statuses = store.Allowed(q.Statuses, from); len(q.Statuses) == 0 {
		return holdfast.Done{}, nil
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		f := deliveryFilter(q)
		found, err := rowsIn(ctx, tx, "SELECT "+deliveryColumns+" FROM "+deliveryTables+f.where()+" ORDER BY d.position"+f.limit(q.Limit), f.args)
		if err != nil || len(found) == 0 {
			return err
		}
		done = holdfast.Done{More: len(found) == q.Limit, Last: found[len(found)-1].Position}
		if found, err = s.lockFound(ctx, tx, found, q.Statuses); err != nil {
			return err
		}
		done.Count = len(found)
		return s.act(ctx, tx, found, to, d, event)
	})
	return done, err
}

func rowsIn(ctx context.Context, tx pgx.Tx, statement string, args []any) ([]holdfast.Delivery, error) {
	rows, err := tx.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanDelivery)
}

// lockFound takes the locks of what was found, and reads it again under them.
func (s *Store) lockFound(ctx context.Context, tx pgx.Tx, found []holdfast.Delivery, statuses []holdfast.DeliveryStatus) ([]holdfast.Delivery, error) {
	var t touched
	positions := make([]int64, len(found))
	for i := range found {
		t.add(found[i].Stream, found[i].Seq)
		positions[i] = found[i].Position
	}
	if _, err := tx.Exec(ctx, lockTouched, t.streams, t.seqs, lockClass); err != nil {
		return nil, err
	}
	numbers := make([]int16, len(statuses))
	for i, status := range statuses {
		numbers[i] = store.StatusNumber(status)
	}
	return rowsIn(ctx, tx, "SELECT "+deliveryColumns+" FROM "+deliveryTables+" WHERE d.position = ANY ($1::bigint[]) AND d.status = ANY ($2::smallint[]) ORDER BY d.position FOR UPDATE OF d", []any{positions, numbers})
}

func (s *Store) act(ctx context.Context, tx pgx.Tx, found []holdfast.Delivery, to holdfast.DeliveryStatus, d holdfast.Deed, event func(holdfast.Delivery) holdfast.AuditEvent) error {
	if len(found) == 0 {
		return nil
	}
	var t touched
	var events []holdfast.AuditEvent
	var changes []holdfast.Change
	positions := make([]int64, len(found))
	for i := range found {
		t.add(found[i].Stream, found[i].Seq)
		positions[i] = found[i].Position
		events = append(events, event(found[i]))
		if c, tell := store.ChangeOfDeed(d, found[i]); tell {
			changes = append(changes, c)
		}
	}
	if _, err := tx.Exec(ctx, actStatement, positions, store.StatusNumber(to)); err != nil {
		return err
	}
	if err := s.settle(ctx, tx, t, effects{events: events, changes: changes, cascades: true}); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "SELECT pg_notify('holdfast', 'work')")
	return err
}

// CountDeliveries counts the open ones.
func (s *Store) CountDeliveries(ctx context.Context) ([]store.DeliveryCount, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (c store.DeliveryCount, err error) {
		var status int16
		err = row.Scan(&c.Consumer, &status, &c.Count, &c.Oldest)
		c.Status, c.Oldest = store.StatusOf(status), c.Oldest.UTC()
		return c, err
	}, "SELECT consumer, status, count(*), min(created_at) FROM deliveries WHERE status < 10 GROUP BY consumer, status ORDER BY consumer, status")
}

const streamDeliveriesStatement = `
SELECT s.accepted_through,
  coalesce((SELECT min(d.seq) FROM deliveries d WHERE d.stream = s.num AND d.status < 10), 0),
  (SELECT count(DISTINCT d.seq) FROM deliveries d WHERE d.stream = s.num AND d.status < 10),
  coalesce((SELECT t.seq FROM transactions t WHERE t.stream = s.num AND t.batch <= (SELECT position FROM delivery_log) ORDER BY t.seq DESC LIMIT 1), 0)
FROM streams s WHERE s.id = $1::uuid`

// StreamDeliveries tells how far a stream's deliveries have come.
func (s *Store) StreamDeliveries(ctx context.Context, stream holdfast.ID, planned bool) (through, open int64, err error) {
	var accepted, first, count, known int64
	err = s.reading(ctx, func() error {
		return s.queryRow(ctx, streamDeliveriesStatement, stream.String()).Scan(&accepted, &first, &count, &known)
	})
	if err == nil {
		through, open = store.DeliveredThrough(accepted, first, count, known, planned)
	}
	return through, open, err
}
