package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

// touched are transactions whose deliveries change.
type touched struct {
	streams [][16]byte
	seqs    []int64
}

func (t *touched) add(stream holdfast.ID, seq int64) {
	t.streams, t.seqs = append(t.streams, stream), append(t.seqs, seq)
}

// touchedRows are the deliveries of $1, $2.
const touchedRows = "unnest($1::uuid[], $2::bigint[]) AS t(id, seq) JOIN streams s ON s.id = t.id JOIN deliveries d ON d.stream = s.num AND d.seq = t.seq"

// lockTouched takes the locks of all lanes of the transactions, and of their streams. A lane never changes.
const lockTouched = `
SELECT pg_advisory_xact_lock($3::integer, k) FROM (
  SELECT ` + laneLock + ` AS k FROM ` + touchedRows + `
  UNION SELECT 4096 + get_byte(uuid_send(t.id), 14) * 16 + get_byte(uuid_send(t.id), 15) / 16 FROM unnest($1::uuid[]) AS t(id)
  ORDER BY k) AS keys`

const finishStatement = `
UPDATE deliveries d SET status = r.status, attempts = d.attempts - r.unmade, lease_until = NULL,
  due_at = CASE WHEN r.status = 0 THEN now() + r.due_in * interval '1 microsecond' ELSE d.due_at END,
  code = r.code, detail = r.detail, reference = r.reference, done_at = CASE WHEN r.status >= 10 THEN now() END
FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[]) WITH ORDINALITY
  AS r(position, generation, status, due_in, code, detail, reference, unmade, n)
WHERE d.position = r.position AND d.generation = r.generation AND d.status = 1
RETURNING r.n::integer`

// FinishDeliveries records attempts.
func (s *Store) FinishDeliveries(ctx context.Context, all []store.FinishedDelivery) (won []bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		won = make([]bool, len(all))
		var t touched
		for i := range all {
			t.add(all[i].Stream, all[i].Seq)
		}
		if err := finishRows(ctx, tx, t, all, won); err != nil {
			return err
		}
		var events []holdfast.AuditEvent
		var changes []holdfast.Change
		cascades := false
		for i := range all {
			cascades = cascades || all[i].Status == holdfast.DeliveryFailed
			if won[i] && all[i].Event != nil {
				events = append(events, *all[i].Event)
			}
			if won[i] && all[i].Change != nil {
				changes = append(changes, *all[i].Change)
			}
		}
		return s.settle(ctx, tx, t, effects{events: events, changes: changes, cascades: cascades, origin: s.origin})
	})
	if err != nil {
		return nil, err
	}
	return won, nil
}

// finishRows takes the locks and writes the attempts that still count.
func finishRows(ctx context.Context, tx pgx.Tx, t touched, all []store.FinishedDelivery, won []bool) error {
	n := len(all)
	positions, generations, statuses, dueIn, unmade := make([]int64, n), make([]int64, n), make([]int16, n), make([]int64, n), make([]int64, n)
	codes, details, references := make([]string, n), make([]string, n), make([]string, n)
	for i := range all {
		f := &all[i]
		positions[i], generations[i], statuses[i], dueIn[i] = f.Position, f.Generation, store.StatusNumber(f.Status), int64(f.DueIn/time.Microsecond)
		codes[i], details[i], references[i] = auditsql.Clean(f.Code), auditsql.Clean(f.Detail), auditsql.Clean(f.Reference)
		if f.Unmade {
			unmade[i] = 1
		}
	}
	var b pgx.Batch
	b.Queue(lockTouched, t.streams, t.seqs, lockClass)
	b.Queue(finishStatement, positions, generations, statuses, dueIn, codes, details, references, unmade).Query(func(rows pgx.Rows) error {
		counted, err := pgx.CollectRows(rows, pgx.RowTo[int32])
		for _, n := range counted {
			won[n-1] = true
		}
		return err
	})
	return tx.SendBatch(ctx, &b).Close()
}

// cascadeStatement fails what comes after a consumer that has failed. After names all earlier ones, so once is enough.
const cascadeStatement = `
UPDATE deliveries f SET status = 12, code = '` + store.CodePredecessor + `', detail = '', done_at = now()
WHERE f.status IN (0, 2, 3) AND f.position IN (
  SELECT d.position FROM ` + touchedRows + `
  WHERE d.status IN (0, 2, 3) AND EXISTS (SELECT FROM deliveries p WHERE p.stream = d.stream AND p.seq = d.seq AND p.status = 12 AND p.consumer = ANY (d.after)))
RETURNING (SELECT id FROM streams WHERE num = f.stream), f.seq, f.consumer`

// waitsStatement counts anew how many earlier consumers are still to deliver.
const waitsStatement = `
UPDATE deliveries f SET waits = left_over.n FROM (
  SELECT d.position, (SELECT count(*) FROM deliveries p WHERE p.stream = d.stream AND p.seq = d.seq AND p.consumer = ANY (d.after) AND p.status NOT IN (10, 11)) AS n
  FROM ` + touchedRows + ` WHERE d.waits > 0 AND d.status < 10
) left_over WHERE f.position = left_over.position AND f.waits <> left_over.n`

// promoteStatement lets the first open ones of the lanes go.
const promoteStatement = `
UPDATE deliveries f SET behind = false WHERE f.behind AND f.position IN (
  SELECT (SELECT o.position FROM deliveries o WHERE o.consumer = d.consumer AND o.lane = d.lane AND o.status < 10 ORDER BY o.position LIMIT 1)
  FROM ` + touchedRows + `)`

// effects are what is written with changed statuses.
type effects struct {
	events   []holdfast.AuditEvent
	changes  []holdfast.Change
	cascades bool   // something may have failed that others come after
	origin   string // of notices
}

// settle does what follows from changed statuses. The locks are held.
func (s *Store) settle(ctx context.Context, tx pgx.Tx, t touched, e effects) error {
	if e.cascades {
		if err := cascade(ctx, tx, t, &e); err != nil {
			return err
		}
	}
	var b pgx.Batch
	b.Queue(waitsStatement, t.streams, t.seqs)
	b.Queue(promoteStatement, t.streams, t.seqs)
	queueChanges(&b, e.origin, e.changes)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil || len(e.events) == 0 {
		return err
	}
	return record(ctx, tx.Conn(), e.events)
}

// cascade fails what comes after a failed one, and adds what devices hear of it.
func cascade(ctx context.Context, tx pgx.Tx, t touched, e *effects) error {
	rows, err := tx.Query(ctx, cascadeStatement, t.streams, t.seqs)
	if err != nil {
		return err
	}
	failed, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (holdfast.Change, error) {
		c := holdfast.Change{Kind: holdfast.ChangeFailed, Code: store.CodePredecessor}
		var id [16]byte
		err := row.Scan(&id, &c.Seq, &c.Consumer)
		c.Stream = id
		return c, err
	})
	e.changes = append(e.changes, failed...)
	return err
}
