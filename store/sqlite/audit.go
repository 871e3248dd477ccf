package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

var dialect = auditsql.Dialect{
	Placeholder: placeholder,
	Time:        func(t time.Time) any { return t.UnixMicro() },
	ID:          func(id holdfast.ID) any { return id[:] },
	Fold:        "lower(%)", // SQLite's folds ASCII only
	Part:        "instr",
	Same:        "correlation = % COLLATE NOCASE",
}

const insertedColumns = 1 + 7 + len(auditsql.TextColumns)

// eventsAnInsert are the sizes of the statements that insert events.
var eventsAnInsert = [...]int{16, 4, 1}

// insertEvent is the statement for n events.
func insertEvent(n int) string {
	row := "(?" + strings.Repeat(", ?", insertedColumns-1) + ")"
	return "INSERT INTO audit_events (at, " + auditsql.OtherColumns + ", " + auditsql.Names() + ") VALUES " + row + strings.Repeat(", "+row, n-1)
}

// insertEvents adds events to the Tx.
func (w *writer) insertEvents(events []holdfast.AuditEvent, epoch, now int64) error {
	w.events = w.events[:0]
	for i := range events {
		w.events = append(w.events, &events[i])
	}
	return w.flushEvents(epoch, now)
}

// flushEvents inserts the events that were gathered.
func (w *writer) flushEvents(epoch, now int64) error {
	events := w.events
	for i, n := range eventsAnInsert {
		for ; len(events) >= n; events = events[n:] {
			w.args = w.args[:0]
			for _, e := range events[:n] {
				w.args = appendEvent(w.args, e, epoch, now)
			}
			if _, err := w.stmt.event[i].ExecContext(background, w.args...); err != nil {
				return err
			}
		}
	}
	clear(w.args)
	clear(w.events)
	w.events = w.events[:0]
	return nil
}

func appendEvent(args []any, e *holdfast.AuditEvent, epoch, now int64) []any {
	args = append(args, now, e.ID[:], nil, idOrNull(&e.Stream), numberOrNull(e.First), numberOrNull(e.Last), idOrNull(&e.Transaction), epoch)
	if client, given := auditsql.ClientAt(e); given {
		args[len(args)-6] = client
	}
	for _, text := range auditsql.TextsOf(e) {
		if text == "" {
			args = append(args, nil)
		} else {
			args = append(args, text)
		}
	}
	return args
}

func idOrNull(id *holdfast.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func numberOrNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// Record writes events in the writer's next group.
func (s *Store) Record(ctx context.Context, events []holdfast.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	events = slices.Clone(events) // the writer may be at it when ctx is done
	return s.do(ctx, func(w *writer, epoch, now int64) error { return w.insertEvents(events, epoch, now) })
}

// BeginSession records the event if its session and device are new.
func (s *Store) BeginSession(ctx context.Context, event holdfast.AuditEvent) (bool, error) {
	answer := make(chan bool, 2)
	session, device := auditsql.Clean(event.Context.Session), auditsql.Clean(event.Context.Device)
	err := s.do(ctx, func(w *writer, epoch, now int64) error {
		result, err := w.conn.ExecContext(background, "INSERT INTO sessions (session, device, began_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", session, device, now)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		answer <- n > 0
		if n == 0 {
			return nil
		}
		return w.insertEvents([]holdfast.AuditEvent{event}, epoch, now)
	})
	if err != nil {
		return false, err
	}
	first := <-answer
	if len(answer) > 0 { // the group was written a second time
		first = <-answer
	}
	return first, nil
}

// Events reads a page.
func (s *Store) Events(ctx context.Context, page store.AuditPage) ([]holdfast.AuditEvent, error) {
	statement, args := dialect.Page(&page)
	rows, err := s.reads.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	var events []holdfast.AuditEvent
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, unavailable(err)
		}
		events = append(events, e)
	}
	return events, unavailable(rows.Err())
}

func scanEvent(rows *sql.Rows) (e holdfast.AuditEvent, err error) {
	var at int64
	var id, stream, transaction []byte
	var client, first, last sql.NullInt64
	var texts auditsql.Texts
	err = rows.Scan(append([]any{&e.Position, &at, &id, &client, &stream, &first, &last, &transaction, &e.Epoch}, texts.Pointers()...)...)
	e.At, e.First, e.Last = timeOf(at), first.Int64, last.Int64
	copy(e.ID[:], id)
	copy(e.Stream[:], stream)
	copy(e.Transaction[:], transaction)
	if client.Valid {
		e.ClientAt = timeOf(client.Int64)
	}
	texts.Into(&e)
	return e, err
}

// Tally counts by shop.
func (s *Store) Tally(ctx context.Context, window store.ShopWindow) ([]store.ShopTally, error) {
	statement, args := dialect.Tally(&window)
	all, err := list(ctx, s.reads, statement, args, func(rows *sql.Rows) (t store.ShopTally, err error) {
		return t, rows.Scan(&t.Shop, &t.Events, &t.Sessions, &t.Transactions, &t.Failures)
	})
	slices.SortFunc(all, func(a, b store.ShopTally) int { return strings.Compare(a.Shop, b.Shop) })
	return all, err
}

// Open lists what stays open.
func (s *Store) Open(ctx context.Context, q store.OpenQuery) ([]store.Open, error) {
	statement, args := dialect.Open(&q)
	return list(ctx, s.reads, statement, args, func(rows *sql.Rows) (o store.Open, err error) {
		var stream []byte
		var at int64
		err = rows.Scan(&o.Shop, &stream, &o.Seq, &at)
		copy(o.Stream[:], stream)
		o.At = timeOf(at)
		return o, err
	})
}

// placesStatement looks into each stream: the unique index begins with the stream, and
// one file holds few of them (2 µs each).
const placesStatement = "SELECT s.id, t.seq FROM streams s CROSS JOIN transactions t ON t.stream = s.num AND t.id = ? ORDER BY s.id"

// Places finds a transaction in every stream.
func (s *Store) Places(ctx context.Context, transaction holdfast.ID) ([]store.Place, error) {
	return list(ctx, s.reads, placesStatement, []any{transaction[:]}, func(rows *sql.Rows) (p store.Place, err error) {
		var stream []byte
		err = rows.Scan(&stream, &p.Seq)
		copy(p.Stream[:], stream)
		return p, err
	})
}

// FirstEvent is the time of the oldest event.
func (s *Store) FirstEvent(ctx context.Context) (time.Time, error) {
	var at int64
	err := s.reads.QueryRowContext(ctx, "SELECT at FROM audit_events ORDER BY at LIMIT 1").Scan(&at)
	if err != nil {
		return time.Time{}, unavailable(err)
	}
	return timeOf(at), nil
}

func list[T any](ctx context.Context, db *sql.DB, statement string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, one)
	}
	return all, unavailable(rows.Err())
}
