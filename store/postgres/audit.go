package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

var dialect = auditsql.Dialect{
	Placeholder: func(n int) string { return fmt.Sprintf("$%d", n) },
	Time:        func(t time.Time) any { return t },
	ID:          func(id holdfast.ID) any { return id.String() },
	IDType:      "::uuid",
	Fold:        `lower(% COLLATE "C")`,
	Part:        "strpos",
	Same:        `lower(correlation COLLATE "C") = %`,
}

// Record writes events in a Tx of their own.
func (s *Store) Record(ctx context.Context, events []holdfast.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	return s.inTx(ctx, func(tx pgx.Tx) error { return record(ctx, tx.Conn(), events) })
}

// inTx runs fn in a Tx. Until the commit is sent, nothing was written.
func (s *Store) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	for try := 0; ; try++ {
		err := s.inOneTx(ctx, fn)
		if state := stateOf(err); try == 4 || state != deadlockDetected && state != serializationFailed {
			return err
		}
	}
}

func (s *Store) inOneTx(ctx context.Context, fn func(pgx.Tx) error) error {
	var tx pgx.Tx
	err := s.reading(ctx, func() (err error) { // a dead connection costs nothing yet
		tx, err = s.pool.Begin(ctx)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := fn(tx); err != nil {
		return s.unavailable(err)
	}
	return s.written(tx.Commit(ctx))
}

// BeginSession records the event if its session and device are new.
func (s *Store) BeginSession(ctx context.Context, event holdfast.AuditEvent) (first bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "INSERT INTO sessions (session, device) VALUES ($1, $2) ON CONFLICT DO NOTHING",
			auditsql.Clean(event.Context.Session), auditsql.Clean(event.Context.Device))
		if first = tag.RowsAffected() > 0; err != nil || !first {
			return err
		}
		return record(ctx, tx.Conn(), []holdfast.AuditEvent{event})
	})
	return first && err == nil, err
}

// Events reads a page.
func (s *Store) Events(ctx context.Context, page store.AuditPage) ([]holdfast.AuditEvent, error) {
	statement, args := dialect.Page(&page)
	return list(ctx, s, scanEvent, statement, args...)
}

func scanEvent(row pgx.CollectableRow) (e holdfast.AuditEvent, err error) {
	var id [16]byte
	var stream, transaction *[16]byte
	var client *time.Time
	var first, last *int64
	var texts auditsql.Texts
	err = row.Scan(append([]any{&e.Position, &e.At, &id, &client, &stream, &first, &last, &transaction, &e.Epoch}, texts.Pointers()...)...)
	e.ID, e.Stream, e.Transaction = id, orZero(stream), orZero(transaction)
	e.At, e.First, e.Last = e.At.UTC(), orZero(first), orZero(last)
	if client != nil {
		e.ClientAt = client.UTC()
	}
	texts.Into(&e)
	return e, err
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Tally counts by shop.
func (s *Store) Tally(ctx context.Context, window store.ShopWindow) ([]store.ShopTally, error) {
	statement, args := dialect.Tally(&window)
	all, err := list(ctx, s, func(row pgx.CollectableRow) (t store.ShopTally, err error) {
		return t, row.Scan(&t.Shop, &t.Events, &t.Sessions, &t.Transactions, &t.Failures)
	}, statement, args...)
	slices.SortFunc(all, func(a, b store.ShopTally) int { return strings.Compare(a.Shop, b.Shop) })
	return all, err
}

// Open lists what stays open.
func (s *Store) Open(ctx context.Context, q store.OpenQuery) ([]store.Open, error) {
	statement, args := dialect.Open(&q)
	return list(ctx, s, func(row pgx.CollectableRow) (o store.Open, err error) {
		var stream *[16]byte
		var seq *int64
		err = row.Scan(&o.Shop, &stream, &seq, &o.At)
		o.Stream, o.Seq, o.At = orZero(stream), orZero(seq), o.At.UTC()
		return o, err
	}, statement, args...)
}

const placesStatement = "SELECT s.id, t.seq FROM transactions t JOIN streams s ON s.num = t.stream WHERE t.id = $1::uuid ORDER BY s.id"

// Places finds a transaction in every stream.
func (s *Store) Places(ctx context.Context, transaction holdfast.ID) ([]store.Place, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (p store.Place, err error) {
		var stream [16]byte
		err = row.Scan(&stream, &p.Seq)
		p.Stream = stream
		return p, err
	}, placesStatement, transaction.String())
}

// FirstEvent is the time of the oldest event.
func (s *Store) FirstEvent(ctx context.Context) (time.Time, error) {
	var at time.Time
	err := s.reading(ctx, func() error {
		return s.queryRow(ctx, "SELECT at FROM audit_events ORDER BY at LIMIT 1").Scan(&at)
	})
	if err != nil {
		return time.Time{}, err
	}
	return at.UTC(), nil
}

// Maintain makes the partitions of the next months and detaches old ones, with the
// schema's functions: the role of serve may do no more than call them.
func (s *Store) Maintain(ctx context.Context, before time.Time) ([]string, error) {
	if _, err := s.pool.Exec(ctx, "SELECT audit_make_partitions()"); err != nil {
		return nil, s.unavailable(err)
	}
	if before.IsZero() {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, "SELECT audit_release($1)", before)
	if err != nil {
		return nil, s.unavailable(err)
	}
	released, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return released, s.unavailable(err)
}
