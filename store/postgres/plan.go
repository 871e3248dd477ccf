package postgres

import (
	"context"
	"slices"
	"strings"
	stdsync "sync"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

// Positions of the log are given out before their batches are committed, so that a later one may be seen first. A
// hole in them is passed over only when every Tx that may fill it has ended: whoever has taken a position holds a lock on the
// table until the end. Those that do when the hole is seen first are remembered; when none of them is there any more, a
// snapshot that is taken afterwards tells. (A snapshot's xmin would tell as well, but it waits for every Tx that writes anywhere
// on the server, other databases included.)
type holes struct {
	mu   stdsync.Mutex
	seen map[hole]*fillers
}

type hole struct{ first, next int64 }

// fillers are the Txs that may fill a hole.
type fillers struct {
	txs   []string
	ended bool // before the next snapshot
}

func (h *holes) get(at hole) *fillers {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[at]
}

func (h *holes) put(at hole, f *fillers) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil || len(h.seen) > 1000 {
		h.seen = map[hole]*fillers{}
	}
	h.seen[at] = f
}

// writersStatement names the Txs that write to the log.
const writersStatement = `
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'batches'::regclass AND mode = 'RowExclusiveLock' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// settled says whether nothing will come in a hole any more that a snapshot of a moment ago still had.
func (s *Store) settled(ctx context.Context, at hole) (bool, error) {
	f := s.holes.get(at)
	if f != nil && f.ended {
		return true, nil
	}
	now, err := list(ctx, s, pgx.RowTo[string], writersStatement)
	if err != nil {
		return false, err
	}
	if f == nil {
		f = &fillers{txs: now}
	}
	f.ended = !slices.ContainsFunc(f.txs, func(tx string) bool { return slices.Contains(now, tx) })
	s.holes.put(at, f)
	return false, nil // the next snapshot tells
}

// logged is a batch of the log.
type logged struct{ position, stream, first, last int64 }

const logStatement = "SELECT position, stream, first_seq + duplicates, last_seq FROM batches WHERE position > $1 ORDER BY position LIMIT $2"

// page reads the batches behind the plan, up to the first hole that may be filled yet. (The cursor is read for itself: joined, the
// planner would not see that there is only one.)
func (s *Store) page(ctx context.Context, limit int) (from int64, batches []logged, open bool, err error) {
	err = s.reading(ctx, func() error {
		return s.queryRow(ctx, "SELECT position FROM delivery_log").Scan(&from)
	})
	if err != nil {
		return 0, nil, false, err
	}
	all, err := list(ctx, s, func(row pgx.CollectableRow) (b logged, err error) {
		err = row.Scan(&b.position, &b.stream, &b.first, &b.last)
		return b, err
	}, logStatement, from, limit)
	if err != nil {
		return 0, nil, false, err
	}
	next, transactions := from+1, int64(0)
	for _, b := range all {
		if b.position != next {
			if settled, err := s.settled(ctx, hole{next, b.position}); !settled || err != nil {
				return from, batches, true, err
			}
		}
		if transactions += b.last - b.first + 1; transactions > int64(limit) && len(batches) > 0 {
			break
		}
		batches = append(batches, b)
		next = b.position + 1
	}
	return from, batches, false, nil
}

// pageBytes bounds the bodies of a page, but for those of its first batch.
const pageBytes = 8 << 20

const plannedStatement = `
SELECT n, id, seq, tx, shop, body, problem FROM (
  SELECT b.n, s.id, t.seq, t.id AS tx, s.shop, t.body, q.problem, sum(octet_length(t.body)) OVER (ORDER BY b.n, t.seq) AS size
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS b(stream, first, last, n)
  JOIN streams s ON s.num = b.stream JOIN transactions t ON t.stream = b.stream AND t.seq BETWEEN b.first AND b.last
  LEFT JOIN quarantine q ON q.stream = t.stream AND q.seq = t.seq
) p WHERE n = 1 OR size <= $4 ORDER BY n, seq`

const setAsideStatement = `
SELECT b.n, s.id, t.seq, t.id, s.shop, '', q.problem
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS b(stream, first, last, n)
JOIN quarantine q ON q.stream = b.stream AND q.seq BETWEEN b.first AND b.last
JOIN streams s ON s.num = b.stream JOIN transactions t ON t.stream = q.stream AND t.seq = q.seq ORDER BY b.n, t.seq`

// Unplanned reads the log behind what is planned.
func (s *Store) Unplanned(ctx context.Context, limit int, bodies bool) (store.LogPage, error) {
	var p store.LogPage
	var batches []logged
	for range 3 { // a hole that is seen for the first time may be settled already
		from, found, open, err := s.page(ctx, limit)
		if err != nil {
			return p, err
		}
		p.From, p.To, batches = from, from, found
		if !open || len(found) > 0 {
			break
		}
	}
	if len(batches) == 0 {
		return p, nil
	}
	var streams, first, last []int64
	for _, b := range batches {
		streams, first, last = append(streams, b.stream), append(first, b.first), append(last, b.last)
	}
	if !bodies {
		p.To = batches[len(batches)-1].position
		all, err := list(ctx, s, scanPlanned, setAsideStatement, streams, first, last)
		p.Transactions = transactionsOf(all)
		return p, err
	}
	all, err := list(ctx, s, scanPlanned, plannedStatement, streams, first, last, pageBytes)
	counts := make([]int64, len(batches))
	for i := range all {
		counts[all[i].batch-1]++
	}
	whole := int64(0)
	for i, b := range batches { // those that came whole
		if counts[i] < b.last-b.first+1 {
			break
		}
		p.To, whole = b.position, whole+counts[i]
	}
	p.Transactions = transactionsOf(all[:min(int64(len(all)), whole)])
	return p, err
}

// plannedRow is a transaction and the number of its batch in the page, from 1.
type plannedRow struct {
	batch int64
	store.LoggedTransaction
}

func scanPlanned(row pgx.CollectableRow) (t plannedRow, err error) {
	var stream, id [16]byte
	var body string
	var problem *string
	err = row.Scan(&t.batch, &stream, &t.Seq, &id, &t.Shop, &body, &problem)
	t.Stream, t.ID, t.Raw, t.Problem = stream, id, []byte(body), bytesOf(problem)
	return t, err
}

func transactionsOf(all []plannedRow) []store.LoggedTransaction {
	out := make([]store.LoggedTransaction, len(all))
	for i := range all {
		out[i] = all[i].LoggedTransaction
	}
	return out
}

// Numbers of advisory locks. Whoever changes the order of a lane holds the lane's, whoever numbers a stream's changes the
// stream's; both are taken in ascending order. 4096 of each bound the memory that they take of the server.
const (
	lockClass   = 0x48464c44
	laneLock    = "get_byte(lane, 0) * 16 + get_byte(lane, 1) / 16"
	takeLocks   = "SELECT pg_advisory_xact_lock($1::integer, k) FROM (SELECT DISTINCT k FROM unnest($2::integer[]) AS l(k) ORDER BY k) AS keys"
	messageLock = 1 << 20
)

func laneKey(l holdfast.Lane) int32 { return int32(l[0])*16 + int32(l[1])/16 }

func streamKey(id holdfast.ID) int32 { return 4096 + int32(id[14])*16 + int32(id[15])/16 }

const insertDeliveries = `
INSERT INTO deliveries (stream, seq, consumer, type, shop, lane, after, waits, behind, status)
SELECT s.num, r.seq, r.consumer, r.type, r.shop, r.lane, string_to_array(r.after, ','), cardinality(string_to_array(r.after, ',')),
  row_number() OVER (PARTITION BY r.consumer, r.lane ORDER BY r.n) > 1 OR EXISTS (
    SELECT FROM deliveries o WHERE o.consumer = r.consumer AND o.lane = r.lane AND o.status < 10), r.status
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::smallint[]) WITH ORDINALITY
  AS r(stream, seq, consumer, type, shop, lane, after, status, n) JOIN streams s ON s.id = r.stream
ORDER BY r.n ON CONFLICT DO NOTHING`

// SavePlan writes a plan.
func (s *Store) SavePlan(ctx context.Context, p store.Plan) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := changed(ctx, tx, "UPDATE delivery_log SET position = $2 WHERE position = $1", p.From, p.To); err != nil {
			return err
		}
		if len(p.Deliveries)+len(p.Changes) == 0 {
			return nil
		}
		n := len(p.Deliveries)
		streams, seqs, statuses := make([][16]byte, n), make([]int64, n), make([]int16, n)
		consumers, types, shops, after := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		lanes, keys := make([][]byte, n), make([]int32, 0, n+len(p.Changes))
		for i := range p.Deliveries {
			d := &p.Deliveries[i]
			streams[i], seqs[i], consumers[i], types[i], shops[i] = d.Stream, d.Seq, d.Consumer, d.Type, d.Shop
			lanes[i], after[i], statuses[i] = d.Lane[:], strings.Join(d.After, ","), store.StatusNumber(d.Status)
			keys = append(keys, laneKey(d.Lane))
		}
		for i := range p.Changes {
			keys = append(keys, streamKey(p.Changes[i].Stream))
		}
		var b pgx.Batch
		b.Queue(takeLocks, lockClass, keys)
		if n > 0 {
			b.Queue(insertDeliveries, streams, seqs, consumers, types, shops, lanes, after, statuses)
			b.Queue("SELECT pg_notify('holdfast', $1)", s.origin+"work")
		}
		queueChanges(&b, s.origin, p.Changes)
		return tx.SendBatch(ctx, &b).Close()
	})
}

const insertChanges = `
INSERT INTO changes (stream, number, kind, seq, consumer, reference, code, detail, body)
SELECT s.num, (SELECT coalesce(max(c.number), 0) FROM changes c WHERE c.stream = s.num) + row_number() OVER (PARTITION BY s.num ORDER BY r.n),
  r.kind, r.seq, r.consumer, r.reference, r.code, r.detail, r.body
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) WITH ORDINALITY
  AS r(stream, kind, seq, consumer, reference, code, detail, body, n) JOIN streams s ON s.id = r.stream`

// queueChanges writes changes and tells of them; the streams' locks are held. With an origin it is told to others only: this node
// knows already.
func queueChanges(b *pgx.Batch, origin string, all []holdfast.Change) {
	if len(all) == 0 {
		return
	}
	n := len(all)
	streams, kinds, seqs, consumers := make([][16]byte, n), make([]string, n), make([]int64, n), make([]string, n)
	references, codes, details, bodies := make([]string, n), make([]string, n), make([]string, n), make([]*string, n)
	told := make([]holdfast.ID, 0, n)
	for i := range all {
		c := &all[i]
		streams[i], kinds[i], seqs[i], consumers[i] = c.Stream, string(c.Kind), c.Seq, c.Consumer
		references[i], codes[i], details[i] = auditsql.Clean(c.Reference), auditsql.Clean(c.Code), auditsql.Clean(c.Detail)
		if c.Body != nil {
			text := string(c.Body)
			bodies[i] = &text
		}
		told = append(told, c.Stream)
	}
	b.Queue(insertChanges, streams, kinds, seqs, consumers, references, codes, details, bodies)
	for _, text := range notices(told) {
		b.Queue("SELECT pg_notify('holdfast', $1)", origin+text)
	}
}

// PlannedThrough is how far plans and the log have come.
func (s *Store) PlannedThrough(ctx context.Context) (planned, log int64, err error) {
	err = s.reading(ctx, func() error {
		return s.queryRow(ctx, "SELECT position, greatest(position, (SELECT max(position) FROM batches)) FROM delivery_log").Scan(&planned, &log)
	})
	return planned, log, err
}
