package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/holdfast-sync/holdfast/store"
)

// The columns of a group's arrays, in the order of the statement's parameters.
const (
	stepEpoch = iota
	stepStream
	stepThrough // expected
	stepDigest
	stepQuarantined
	stepDevice
	stepShop
	nextThrough
	nextDigest
	nextQuarantined
	batchCorrelation
	batchFirst
	batchLast
	batchDuplicates
	batchFingerprint
	batchProblems
	batchContext
	batchPrior
	txStep
	txSeq
	txID
	txBody
	asideStep
	asideSeq
	asideProblem
	asideType
	nameStep
	nameSeq
	nameDigest
	nameSize
	events // of any step, whole
	columns
)

var columnTypes = [events]uint32{
	pgtype.Int8OID, pgtype.UUIDOID, pgtype.Int8OID, pgtype.ByteaOID, pgtype.Int8OID, pgtype.TextOID, pgtype.TextOID,
	pgtype.Int8OID, pgtype.ByteaOID, pgtype.Int8OID,
	pgtype.UUIDOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.ByteaOID, pgtype.TextOID, pgtype.TextOID, pgtype.TextOID,
	pgtype.Int4OID, pgtype.Int8OID, pgtype.UUIDOID, pgtype.TextOID,
	pgtype.Int4OID, pgtype.Int8OID, pgtype.TextOID, pgtype.TextOID,
	pgtype.Int4OID, pgtype.Int8OID, pgtype.ByteaOID, pgtype.Int8OID,
}

// arrays are the parameters of one group.
type arrays [columns]array

func newArrays() *arrays {
	var a arrays
	for i, element := range columnTypes {
		a[i] = newArray(element)
	}
	a[events] = newArray(0) // the writer's connection knows its type
	return &a
}

func (a *arrays) reset() {
	for i := range a {
		a[i].reset()
	}
}

// add appends step number n, from 1.
func (a *arrays) add(n int, s *store.Append) error {
	problems, err := store.EncodeProblems(s.Batch.Problems)
	if err != nil {
		return err
	}
	context, err := store.EncodeContext(s.Batch.Context)
	if err != nil {
		return err
	}
	a[stepEpoch].bigint(s.Epoch)
	a[stepStream].bytes(s.Stream[:])
	a[stepThrough].bigint(s.Expected.AcceptedThrough)
	a[stepDigest].bytes(s.Expected.Digest[:])
	a[stepQuarantined].bigint(s.Expected.Quarantined)
	owner := s.Expected.Owner
	if s.Expected.AcceptedThrough == 0 {
		owner = s.Next.Owner
	}
	a[stepDevice].text(owner.Device)
	a[stepShop].text(owner.Shop)
	a[nextThrough].bigint(s.Next.AcceptedThrough)
	a[nextDigest].bytes(s.Next.Digest[:])
	a[nextQuarantined].bigint(s.Next.Quarantined)
	a[batchCorrelation].bytes(s.Batch.Correlation[:])
	a[batchFirst].bigint(s.Batch.First)
	a[batchLast].bigint(s.Batch.Last)
	a[batchDuplicates].bigint(s.Batch.Duplicates)
	a[batchFingerprint].bytes(s.Batch.Fingerprint[:])
	a[batchProblems].orNull(problems)
	a[batchContext].bytes(context)
	a[batchPrior].orNull(s.Batch.Prior)
	for i := range s.Transactions {
		tx := &s.Transactions[i]
		a[txStep].integer(n)
		a[txSeq].bigint(tx.Seq)
		a[txID].bytes(tx.ID[:])
		a[txBody].bytes(tx.Raw)
		for k := range tx.Attachments {
			a[nameStep].integer(n)
			a[nameSeq].bigint(tx.Seq)
			a[nameDigest].bytes(tx.Attachments[k].Digest[:])
			a[nameSize].bigint(tx.Attachments[k].Size)
		}
	}
	for _, p := range s.Batch.Problems {
		if p.Seq > s.Expected.AcceptedThrough {
			a[asideStep].integer(n)
			a[asideSeq].bigint(p.Seq)
			a[asideProblem].bytes(p.Problem)
			a[asideType].text(s.TypeOf(p.Seq))
		}
	}
	for i := range s.Events {
		a[events].event(n, &s.Events[i])
	}
	return nil
}

// values are the parameters in order.
func (a *arrays) values() [][]byte {
	v := make([][]byte, columns)
	for i := range a {
		v[i] = a[i].value()
	}
	return v
}

// appendStatement writes a group and returns the numbers of the steps that were
// taken. The others found another head or epoch than they expected. Transactions
// find their stream and batch by the step's number in an array, not by a join,
// so the cost stays linear whatever the planner believes of the arrays' lengths.
var appendStatement = `
WITH step AS MATERIALIZED (
  SELECT * FROM unnest(` + placeholders(stepEpoch, batchPrior) + `) WITH ORDINALITY
    AS s(epoch, stream, through, digest, quarantined, device, shop, next_through, next_digest, next_quarantined,
         correlation, first_seq, last_seq, duplicates, fingerprint, problems, context, prior, n)
), present AS MATERIALIZED (
  SELECT max(epoch) AS epoch FROM epochs
), moved AS (
  UPDATE streams t SET accepted_through = s.next_through, digest = s.next_digest, quarantined = s.next_quarantined
  FROM step s, present
  WHERE t.id = s.stream AND s.through > 0 AND s.epoch = present.epoch
    AND t.accepted_through = s.through AND t.digest = s.digest AND t.quarantined = s.quarantined
    AND t.device = s.device AND t.shop = s.shop
  RETURNING t.num, s.n
), begun AS (
  INSERT INTO streams (id, accepted_through, digest, quarantined, device, shop)
  SELECT s.stream, s.next_through, s.next_digest, s.next_quarantined, s.device, s.shop
  FROM step s, present WHERE s.through = 0 AND s.epoch = present.epoch
  ON CONFLICT (id) DO NOTHING
  RETURNING num, id
), won AS MATERIALIZED (
  SELECT num, n FROM moved UNION ALL SELECT b.num, s.n FROM begun b JOIN step s ON s.stream = b.id
), logged AS (
  INSERT INTO batches (stream, correlation, first_seq, last_seq, duplicates, fingerprint, problems, context, prior, epoch)
  SELECT w.num, s.correlation, s.first_seq, s.last_seq, s.duplicates, s.fingerprint, s.problems, s.context, s.prior, s.epoch
  FROM won w JOIN step s ON s.n = w.n
  RETURNING position, stream
), place AS MATERIALIZED (
  SELECT array_agg(coalesce(w.num, 0) ORDER BY s.n) AS num, array_agg(coalesce(l.position, 0) ORDER BY s.n) AS batch
  FROM step s LEFT JOIN won w ON w.n = s.n LEFT JOIN logged l ON l.stream = w.num
), stored AS (
  INSERT INTO transactions (stream, seq, id, batch, body)
  SELECT place.num[t.step], t.seq, t.id, place.batch[t.step], t.body
  FROM place, unnest(` + placeholders(txStep, txBody) + `) AS t(step, seq, id, body) WHERE place.num[t.step] <> 0
), aside AS (
  INSERT INTO quarantine (stream, seq, problem, type)
  SELECT place.num[q.step], q.seq, q.problem, q.type
  FROM place, unnest(` + placeholders(asideStep, asideType) + `) AS q(step, seq, problem, type) WHERE place.num[q.step] <> 0
), named AS (
  INSERT INTO attachment_names (stream, seq, digest, size)
  SELECT place.num[a.step], a.seq, a.digest, a.size
  FROM place, unnest(` + placeholders(nameStep, nameSize) + `) AS a(step, seq, digest, size) WHERE place.num[a.step] <> 0
  ON CONFLICT DO NOTHING
), told AS (
  ` + insertEvents(events+1) + `, place, present WHERE place.num[e.step] <> 0
)
SELECT n::integer FROM won`

// placeholders are the parameters of the columns from first to last.
func placeholders(first, last int) string {
	var all []string
	for column := first; column <= last; column++ {
		all = append(all, fmt.Sprintf("$%d::%s[]", column+1, typeNames[columnTypes[column]]))
	}
	return strings.Join(all, ", ")
}
