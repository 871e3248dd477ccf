package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const quarantinedColumns = `q.number, s.id, q.seq, t.id, q.type, s.shop, q.problem, b.accepted_at, coalesce(q.verb, ''),
  coalesce(q.who, ''), coalesce(q.why, ''), q.decided_at`

const quarantinedTables = `quarantine q JOIN streams s ON s.num = q.stream JOIN transactions t ON t.stream = q.stream AND t.seq = q.seq
JOIN batches b ON b.position = t.batch`

func scanQuarantined(row pgx.CollectableRow) (q holdfast.Quarantined, err error) {
	var stream, id [16]byte
	var verb, problem string
	var decided *time.Time
	err = row.Scan(&q.Number, &stream, &q.Seq, &id, &q.Type, &q.Shop, &problem, &q.AcceptedAt, &verb, &q.Who, &q.Why, &decided)
	q.Stream, q.Transaction, q.Verb, q.Problem, q.AcceptedAt = stream, id, holdfast.Verb(verb), []byte(problem), q.AcceptedAt.UTC()
	if decided != nil {
		q.DecidedAt = decided.UTC()
	}
	return q, err
}

func quarantineFilter(q holdfast.QuarantineQuery) *filter {
	f := &filter{}
	if !q.All {
		f.terms = append(f.terms, "q.verb IS NULL")
	}
	f.add(q.After > 0, "q.number > $%d::bigint", q.After)
	f.add(q.Shop != "", "s.shop = $%d::text", q.Shop)
	f.add(q.Type != "", "q.type = $%d::text", q.Type)
	f.add(!q.Stream.IsZero(), "s.id = $%d::uuid", q.Stream.String())
	f.add(q.Seq > 0, "q.seq = $%d::bigint", q.Seq)
	f.add(!q.Since.IsZero(), "b.accepted_at >= $%d::timestamptz", q.Since)
	f.add(!q.Until.IsZero(), "b.accepted_at < $%d::timestamptz", q.Until)
	return f
}

// Quarantined lists.
func (s *Store) Quarantined(ctx context.Context, q holdfast.QuarantineQuery) ([]holdfast.Quarantined, error) {
	f := quarantineFilter(q)
	return list(ctx, s, scanQuarantined, "SELECT "+quarantinedColumns+" FROM "+quarantinedTables+f.where()+" ORDER BY q.number"+f.limit(q.Limit), f.args...)
}

// planned leaves out what no plan has been made for: its deliveries are not there yet.
const planned = "t.batch <= (SELECT position FROM delivery_log)"

// Release decides about quarantined transactions.
func (s *Store) Release(ctx context.Context, d holdfast.Deed, event func(holdfast.Quarantined) holdfast.AuditEvent) (done holdfast.Done, err error) {
	q := d.Quarantine
	q.All = false
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		f := quarantineFilter(q)
		f.terms = append(f.terms, planned)
		rows, err := tx.Query(ctx, "SELECT "+quarantinedColumns+" FROM "+quarantinedTables+f.where()+" ORDER BY q.number"+f.limit(q.Limit)+" FOR UPDATE OF q", f.args...)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, scanQuarantined)
		if err != nil || len(found) == 0 {
			return err
		}
		done = holdfast.Done{Count: len(found), More: len(found) == q.Limit, Last: found[len(found)-1].Number}
		var t touched
		var events []holdfast.AuditEvent
		var changes []holdfast.Change
		for i := range found {
			t.add(found[i].Stream, found[i].Seq)
			events = append(events, event(found[i]))
			changes = append(changes, store.ChangeOfRelease(d.Verb, found[i]))
		}
		if err := release(ctx, tx, t, d.Verb, d.Who, d.Why); err != nil {
			return err
		}
		return s.settleAndWork(ctx, tx, t, events, changes)
	})
	return done, err
}

func (s *Store) settleAndWork(ctx context.Context, tx pgx.Tx, t touched, events []holdfast.AuditEvent, changes []holdfast.Change) error {
	if err := s.settle(ctx, tx, t, effects{events: events, changes: changes, cascades: true}); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "SELECT pg_notify('holdfast', 'work')")
	return err
}

// release lets quarantined transactions go, and their deliveries.
func release(ctx context.Context, tx pgx.Tx, t touched, verb holdfast.Verb, who, why string) error {
	to, _ := store.DeedOf(verb)
	var b pgx.Batch
	b.Queue(lockTouched, t.streams, t.seqs, lockClass)
	b.Queue(`
WITH decided AS (
  UPDATE quarantine q SET verb = $3::text, who = $4::text, why = $5::text, decided_at = now()
  FROM unnest($1::uuid[], $2::bigint[]) AS t(id, seq) JOIN streams s ON s.id = t.id
  WHERE q.stream = s.num AND q.seq = t.seq AND q.verb IS NULL RETURNING q.stream
)
UPDATE streams SET quarantined = quarantined - d.n FROM (SELECT stream, count(*) AS n FROM decided GROUP BY stream) d WHERE num = d.stream`,
		t.streams, t.seqs, string(verb), who, why)
	b.Queue(`
UPDATE deliveries f SET status = $3::smallint, generation = f.generation + 1, attempts = 0, due_at = now(), code = '', detail = '', done_at = CASE WHEN $3::smallint >= 10 THEN now() END
WHERE f.status = ANY ($4::smallint[]) AND f.position IN (SELECT d.position FROM `+touchedRows+`)`,
		t.streams, t.seqs, store.StatusNumber(to), releasedFrom(verb))
	return tx.SendBatch(ctx, &b).Close()
}

// releasedFrom are the statuses of the deliveries that go on: a repair is for those that are held as well.
func releasedFrom(verb holdfast.Verb) []int16 {
	if verb == holdfast.VerbRepair {
		return []int16{store.StatusNumber(holdfast.DeliveryQuarantined), store.StatusNumber(holdfast.DeliveryHeld)}
	}
	return []int16{store.StatusNumber(holdfast.DeliveryQuarantined)}
}

const repairableStatement = `
SELECT s.num, t.id, ` + planned + ` AND (
  EXISTS (SELECT FROM quarantine q WHERE q.stream = t.stream AND q.seq = t.seq AND q.verb IS NULL)
  OR EXISTS (SELECT FROM deliveries d WHERE d.stream = t.stream AND d.seq = t.seq AND d.status IN (2, 3)))
FROM streams s JOIN transactions t ON t.stream = s.num WHERE s.id = $1::uuid AND t.seq = $2`

// RepairTransaction keeps another payload.
func (s *Store) RepairTransaction(ctx context.Context, r holdfast.Repair, event holdfast.AuditEvent) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var t touched
		t.add(r.Stream, r.Seq)
		if _, err := tx.Exec(ctx, lockTouched, t.streams, t.seqs, lockClass); err != nil {
			return err
		}
		var num int64
		var id [16]byte
		var repairable bool
		if err := tx.QueryRow(ctx, repairableStatement, r.Stream.String(), r.Seq).Scan(&num, &id, &repairable); err != nil {
			return err
		}
		if !repairable {
			return store.ErrConflict
		}
		_, err := tx.Exec(ctx, `
INSERT INTO repairs (stream, seq, number, payload, who, why)
VALUES ($1, $2, (SELECT coalesce(max(number), 0) + 1 FROM repairs WHERE stream = $1 AND seq = $2), $3, $4, $5)`, num, r.Seq, string(r.Payload), r.Who, r.Why)
		if err == nil {
			err = release(ctx, tx, t, holdfast.VerbRepair, r.Who, r.Why)
		}
		if err != nil {
			return err
		}
		return s.settleAndWork(ctx, tx, t, []holdfast.AuditEvent{event}, []holdfast.Change{{Kind: holdfast.ChangeRepaired, Stream: r.Stream, Seq: r.Seq, Transaction: id}})
	})
}

// Repairs lists those of a transaction.
func (s *Store) Repairs(ctx context.Context, stream holdfast.ID, seq int64) ([]holdfast.Repair, error) {
	return list(ctx, s, func(row pgx.CollectableRow) (holdfast.Repair, error) {
		r := holdfast.Repair{Stream: stream, Seq: seq}
		var payload string
		err := row.Scan(&payload, &r.Who, &r.Why, &r.At)
		r.Payload, r.At = []byte(payload), r.At.UTC()
		return r, err
	}, "SELECT r.payload, r.who, r.why, r.at FROM streams s JOIN repairs r ON r.stream = s.num WHERE s.id = $1::uuid AND r.seq = $2 ORDER BY r.number", stream.String(), seq)
}
