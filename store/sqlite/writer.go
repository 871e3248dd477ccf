package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/group"
)

// Append hands a step to the writer and waits until it is committed and synced.
func (s *Store) Append(ctx context.Context, step *store.Append) error {
	return s.queue.Do(ctx, work{step: step})
}

// work is a step, or something else that is written in the writer's Tx and shares
// its commit. A task may run twice; what it returns undoes it, and it alone.
type work struct {
	step *store.Append
	task func(w *writer, epoch, now int64) error
}

type call = group.Call[work]

// do hands a task to the writer and waits until it is committed and synced.
func (s *Store) do(ctx context.Context, task func(w *writer, epoch, now int64) error) error {
	return s.queue.Do(ctx, work{task: task})
}

// write is the writer's life: take what waits, commit it at once, answer.
func (s *Store) write() {
	defer close(s.stopped)
	w := writer{db: s.writes}
	defer w.reset()
	var calls []*call
	for {
		rows, size, batches, transactions := 0, 0, 0, 0
		var open bool
		calls, open = s.queue.Take(calls[:0], func(one work) bool {
			rows++
			if a := one.step; a != nil {
				batches++
				transactions += len(a.Transactions)
				rows += len(a.Transactions) + len(a.Events)
				for i := range a.Transactions {
					size += len(a.Transactions[i].Raw)
					rows += len(a.Transactions[i].Attachments)
				}
				for i := range a.Events {
					size += len(a.Events[i].Details)
				}
			}
			return rows >= s.cfg.MaxGroupRows || size >= s.cfg.MaxGroupBytes
		})
		if len(calls) > 0 {
			began := time.Now()
			errs, err := w.group(calls)
			s.cfg.Grouped(store.Group{Batches: batches, Transactions: transactions, Took: time.Since(began), Err: err})
			s.answer(calls, errs)
		}
		if !open {
			return
		}
		clear(calls)
	}
}

func (s *Store) answer(calls []*call, errs []error) {
	for i, c := range calls {
		if errs[i] != nil && !errors.Is(errs[i], store.ErrConflict) && !errors.Is(errs[i], store.ErrNotFound) && !errors.Is(errs[i], store.ErrTooMany) {
			log := s.cfg.Logger.WithError(errs[i])
			if step := c.Item.step; step != nil {
				for name, value := range step.Batch.Context.Fields() {
					log = log.WithField(name, value)
				}
			}
			log.Warn("a batch was not written")
		}
		c.Finish(errs[i])
	}
}

// writer owns the connection that writes and its statements. After an error the
// connection is dropped and the next group begins with a new one.
type writer struct {
	db   *sql.DB
	conn *sql.Conn
	stmt statements
	errs []error
	args []any
	// more are statements that were prepared when they were first needed.
	more map[string]*sql.Stmt
	// events that wait for the next flush.
	events []*holdfast.AuditEvent
}

// background is the context of the writer's statements: they are local and
// short, and a group is never left half done because a caller went away.
var background = context.Background()

// group writes the steps of all calls in one Tx and tells what became of each,
// and of the Tx.
func (w *writer) group(calls []*call) ([]error, error) {
	w.errs = append(w.errs[:0], make([]error, len(calls))...)
	err := w.run(calls, false)
	if isConstraint(err) { // an id or correlation id is held: find out whose
		clear(w.errs)
		err = w.run(calls, true)
	}
	if err != nil {
		w.reset()
		for i := range w.errs {
			w.errs[i] = err
		}
	}
	return w.errs, err
}

func (w *writer) run(calls []*call, careful bool) error {
	if err := w.begin(); err != nil {
		return unavailable(err)
	}
	var epoch int64
	err := w.stmt.epoch.QueryRowContext(background).Scan(&epoch)
	now := time.Now().UnixMicro()
	w.events = w.events[:0]
	for i, c := range calls {
		if err != nil {
			break
		}
		switch a := c.Item.step; {
		case a == nil:
			w.errs[i], err = w.alone(func() error { return c.Item.task(w, epoch, now) })
		case careful:
			w.errs[i], err = w.carefully(a, epoch, now)
		default:
			w.errs[i], err = w.step(a, epoch, now)
		}
	}
	if err == nil {
		err = w.eventsOfSteps(calls, epoch, now)
	}
	if err != nil {
		_, undone := w.conn.ExecContext(background, "ROLLBACK")
		if isConstraint(err) && undone == nil {
			return err
		}
		return unavailable(err)
	}
	return w.commit()
}

// eventsOfSteps adds those of the steps that were taken, together at the end: a row
// costs less in a statement for many.
func (w *writer) eventsOfSteps(calls []*call, epoch, now int64) error {
	for i, c := range calls {
		if a := c.Item.step; a != nil && w.errs[i] == nil {
			for k := range a.Events {
				w.events = append(w.events, &a.Events[k])
			}
		}
	}
	return w.flushEvents(epoch, now)
}

func (w *writer) begin() error {
	if w.conn == nil {
		conn, err := w.db.Conn(background)
		if err != nil {
			return err
		}
		w.conn = conn
		if err := w.stmt.prepare(conn); err != nil {
			w.reset()
			return err
		}
	}
	_, err := w.conn.ExecContext(background, "BEGIN IMMEDIATE")
	if err != nil {
		w.reset()
	}
	return err
}

// commit: when the disk is full the frames of the commit were not all written,
// so it did not happen; when a sync fails nobody knows what is on the disk.
func (w *writer) commit() error {
	_, err := w.conn.ExecContext(background, "COMMIT")
	if err == nil {
		return nil
	}
	_, undone := w.conn.ExecContext(background, "ROLLBACK")
	if code := codeOf(err); undone == nil && (code == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_BUSY) {
		return unavailable(err)
	}
	return fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err)
}

// reset drops the connection for good, so that nothing of a failed Tx is left.
func (w *writer) reset() {
	if w.conn == nil {
		return
	}
	w.stmt.close()
	w.dropKept()
	_ = w.conn.Raw(func(any) error { return errDropped }) // driver.ErrBadConn closes it
	_ = w.conn.Close()
	w.conn = nil
}

// carefully does one step so that a constraint it breaks undoes that step alone.
func (w *writer) carefully(a *store.Append, epoch, now int64) (conflict, failed error) {
	return w.alone(func() error {
		conflict, failed := w.step(a, epoch, now)
		return firstOf(failed, conflict)
	})
}

// alone does something whose conflict, with a constraint or without, undoes it and
// nothing beside it. Any other failure leaves the Tx to be rolled back.
func (w *writer) alone(do func() error) (undone, failed error) {
	if _, err := w.conn.ExecContext(background, "SAVEPOINT step"); err != nil {
		return nil, err
	}
	err := do()
	switch {
	case isConstraint(err):
		undone = store.ErrConflict
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrTooMany):
		undone = err
	case err != nil:
		return nil, err
	}
	if undone != nil {
		if _, err := w.conn.ExecContext(background, "ROLLBACK TO step"); err != nil {
			return nil, err
		}
	}
	_, err = w.conn.ExecContext(background, "RELEASE step")
	return undone, err
}
