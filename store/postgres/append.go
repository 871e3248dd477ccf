package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/group"
)

type call = group.Call[*store.Append]

// Append hands a step to a writer and waits until it is committed and synced.
func (s *Store) Append(ctx context.Context, step *store.Append) error {
	if step.Expected.AcceptedThrough == 0 && step.Expected != (holdfast.Head{}) {
		return store.ErrConflict // no stream has such a head
	}
	return s.writes.Do(ctx, step)
}

// writer is one goroutine's connection and buffers.
type writer struct {
	s       *Store
	conn    *pgx.Conn
	used    time.Time // when the last statement ended
	arrays  *arrays
	formats []int16 // all binary
	won     []bool
	// streams in the group that is being gathered.
	streams map[holdfast.ID]struct{}
}

// write is a writer's life: take what waits, write it, answer. A stream has at
// most one step in a group; a second one begins the next group.
func (s *Store) write(life context.Context) {
	w := &writer{s: s, arrays: newArrays(), streams: map[holdfast.ID]struct{}{}, formats: make([]int16, columns)}
	for i := range w.formats {
		w.formats[i] = pgx.BinaryFormatCode
	}
	defer w.drop()
	var calls, later []*call
	for {
		var load weight
		open := true
		calls, later = append(calls[:0], later...), later[:0]
		for _, c := range calls {
			load.add(c.Item)
		}
		if len(calls) == 0 {
			calls, open = s.writes.Take(calls, load.add)
		} else if !load.full() {
			calls = s.writes.TakeWaiting(calls, load.add)
		}
		if len(calls) == 0 && !open {
			return
		}
		calls, later = w.oneEach(calls, later)
		w.group(life, calls)
		clear(calls)
	}
}

// weight of a group that is being gathered.
type weight struct{ steps, rows, bytes int }

func (l *weight) add(a *store.Append) (enough bool) {
	l.steps++
	l.rows += 1 + len(a.Transactions) + len(a.Events)
	for i := range a.Transactions {
		l.bytes += len(a.Transactions[i].Raw)
		l.rows += len(a.Transactions[i].Attachments)
	}
	for i := range a.Events {
		l.bytes += len(a.Events[i].Details)
	}
	return l.full()
}

func (l *weight) full() bool {
	return l.steps >= maxGroupSteps || l.rows >= maxGroupRows || l.bytes >= maxGroupBytes
}

// oneEach keeps the first step of each stream and puts the others off.
func (w *writer) oneEach(calls, later []*call) (now, put []*call) {
	clear(w.streams)
	now = calls[:0]
	for _, c := range calls {
		if _, twice := w.streams[c.Item.Stream]; twice {
			later = append(later, c)
			continue
		}
		w.streams[c.Item.Stream] = struct{}{}
		now = append(now, c)
	}
	return now, later
}

// group writes the steps in one statement and answers each. If an id is held,
// both halves are written for themselves, down to the step at fault.
func (w *writer) group(life context.Context, calls []*call) {
	ctx, cancel := context.WithTimeout(life, w.s.cfg.Patience)
	defer cancel()
	w.groupWithin(ctx, calls)
}

// groupOf is what there is to tell of a group before it is answered: callers may
// reuse their steps then.
func groupOf(calls []*call, took time.Duration, err error) store.Group {
	g := store.Group{Batches: len(calls), Took: took, Err: err}
	for _, c := range calls {
		g.Transactions += len(c.Item.Transactions)
	}
	return g
}

func (w *writer) groupWithin(ctx context.Context, calls []*call) {
	began := time.Now()
	err := w.run(ctx, calls)
	for tries := 0; tries < 5 && (stateOf(err) == deadlockDetected || stateOf(err) == serializationFailed); tries++ {
		err = w.run(ctx, calls)
	}
	if stateOf(err) != uniqueViolation {
		w.s.cfg.Grouped(groupOf(calls, time.Since(began), written(err)))
	}
	switch {
	case stateOf(err) == uniqueViolation && len(calls) > 1:
		w.groupWithin(ctx, calls[:len(calls)/2])
		w.groupWithin(ctx, calls[len(calls)/2:])
	case stateOf(err) == uniqueViolation:
		calls[0].Finish(store.ErrConflict)
	case err != nil:
		w.fail(calls, err)
	default:
		for i, c := range calls {
			if w.won[i] {
				c.Finish(nil)
			} else {
				c.Finish(store.ErrConflict)
			}
		}
	}
}

// maxNamed bounds how many batches a log line names.
const maxNamed = 20

// correlations names the requests whose batches are in a group.
func correlations(calls []*call) []string {
	ids := make([]string, 0, min(len(calls), maxNamed))
	for _, c := range calls[:min(len(calls), maxNamed)] {
		ids = append(ids, c.Item.Batch.Correlation.String())
	}
	return ids
}

func (w *writer) fail(calls []*call, err error) {
	told := written(err)
	w.s.cfg.Logger.WithError(told).WithField("batches", len(calls)).WithField("correlationIds", correlations(calls)).Warn("a group of batches was not written")
	if w.conn != nil && (w.conn.IsClosed() || stateOf(err) == readOnly || errors.Is(told, store.ErrOutcomeUnknown)) {
		w.drop()
	}
	for _, c := range calls {
		c.Finish(told)
	}
}

// run executes the statement; won tells then which steps were taken.
func (w *writer) run(ctx context.Context, calls []*call) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	w.arrays.reset()
	w.won = append(w.won[:0], make([]bool, len(calls))...)
	for i, c := range calls {
		if err := w.arrays.add(i+1, c.Item); err != nil {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
	}
	result := w.conn.PgConn().ExecPrepared(ctx, "append", w.arrays.values(), w.formats, []int16{pgx.BinaryFormatCode})
	for result.NextRow() {
		w.won[binary.BigEndian.Uint32(result.Values()[0])-1] = true
	}
	_, err := result.Close()
	w.used = time.Now()
	return err
}

// notSentError marks a failure before anything was sent, as pgconn.SafeToRetry asks.
type notSentError struct{ error }

func (e notSentError) Unwrap() error   { return e.error }
func (notSentError) SafeToRetry() bool { return true }

// restAfter is how long a connection may rest before it is asked whether it lives.
const restAfter = 50 * time.Millisecond

// connect makes sure of a connection that was alive a moment ago, so that a
// server that was restarted while nobody wrote is no unknown outcome.
func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil && !w.conn.IsClosed() && (time.Since(w.used) < restAfter || w.conn.Ping(ctx) == nil) {
		return nil
	}
	w.drop()
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	cfg := w.s.pool.Config().ConnConfig
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return notSentError{err}
	}
	if err = beDurable(ctx, conn); err == nil {
		w.arrays[events].element, err = eventType(ctx, conn)
	}
	if err == nil {
		_, err = conn.PgConn().Prepare(ctx, "append", appendStatement, nil)
	}
	if err != nil {
		_ = conn.Close(ctx)
		return notSentError{err}
	}
	w.conn = conn
	return nil
}

func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.conn.Close(ctx)
	w.conn = nil
}
