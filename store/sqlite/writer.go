package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/group"
)

// Append hands a step to the writer and waits until it is committed and synced.
func (s *Store) Append(ctx context.Context, step *store.Append) error {
	return s.queue.Do(ctx, step)
}

// write is the writer's life: take what waits, commit it at once, answer.
func (s *Store) write() {
	defer close(s.stopped)
	w := writer{db: s.writes}
	defer w.reset()
	var calls []*group.Call[*store.Append]
	for {
		rows, size := 0, 0
		var open bool
		calls, open = s.queue.Take(calls[:0], func(a *store.Append) bool {
			rows++
			for i := range a.Transactions {
				rows++
				size += len(a.Transactions[i].Raw)
			}
			return rows >= s.cfg.MaxGroupRows || size >= s.cfg.MaxGroupBytes
		})
		if len(calls) > 0 {
			began := time.Now()
			errs, err := w.group(calls)
			s.cfg.Grouped(store.Group{Batches: len(calls), Transactions: rows - len(calls), Took: time.Since(began), Err: err})
			s.answer(calls, errs)
		}
		if !open {
			return
		}
		clear(calls)
	}
}

func (s *Store) answer(calls []*group.Call[*store.Append], errs []error) {
	for i, c := range calls {
		if errs[i] != nil && !errors.Is(errs[i], store.ErrConflict) {
			s.cfg.Logger.WithError(errs[i]).Warn("a group of batches was not written")
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
}

// background is the context of the writer's statements: they are local and
// short, and a group is never left half done because a caller went away.
var background = context.Background()

// group writes the steps of all calls in one Tx and tells what became of each,
// and of the Tx.
func (w *writer) group(calls []*group.Call[*store.Append]) ([]error, error) {
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

func (w *writer) run(calls []*group.Call[*store.Append], careful bool) error {
	if err := w.begin(); err != nil {
		return unavailable(err)
	}
	var epoch int64
	err := w.stmt.epoch.QueryRowContext(background).Scan(&epoch)
	now := time.Now().UnixMicro()
	for i, c := range calls {
		if err != nil {
			break
		}
		if careful {
			w.errs[i], err = w.carefully(c.Item, epoch, now)
		} else {
			w.errs[i], err = w.step(c.Item, epoch, now)
		}
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
	_ = w.conn.Raw(func(any) error { return errDropped }) // driver.ErrBadConn closes it
	_ = w.conn.Close()
	w.conn = nil
}

// carefully does one step so that a constraint it breaks undoes that step alone.
func (w *writer) carefully(a *store.Append, epoch, now int64) (conflict, failed error) {
	if _, err := w.conn.ExecContext(background, "SAVEPOINT step"); err != nil {
		return nil, err
	}
	conflict, failed = w.step(a, epoch, now)
	if isConstraint(failed) {
		conflict, failed = store.ErrConflict, nil
		if _, err := w.conn.ExecContext(background, "ROLLBACK TO step"); err != nil {
			return nil, err
		}
	}
	if failed == nil {
		_, failed = w.conn.ExecContext(background, "RELEASE step")
	}
	return conflict, failed
}
