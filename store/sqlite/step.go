package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

var errDropped = driver.ErrBadConn

// rowsAnInsert are the sizes of the statements that insert transactions: most of
// a batch goes in large strides, the rest in small ones.
var rowsAnInsert = [...]int{64, 16, 4, 1}

// statements of the writer, prepared once per connection.
type statements struct {
	epoch, head, begin, move, batch, quarantine, name *sql.Stmt
	transactions                                      [len(rowsAnInsert)]*sql.Stmt
	event                                             [len(eventsAnInsert)]*sql.Stmt
}

func (s *statements) prepare(conn *sql.Conn) error {
	const insertTransaction = "INSERT INTO transactions (stream, seq, id, batch, body) VALUES "
	var err error
	prepare := func(text string) *sql.Stmt {
		if err != nil {
			return nil
		}
		var stmt *sql.Stmt
		stmt, err = conn.PrepareContext(background, text)
		return stmt
	}
	s.epoch = prepare("SELECT max(epoch) FROM epochs")
	s.head = prepare("SELECT num, accepted_through, digest, quarantined, device, shop FROM streams WHERE id = ?")
	s.begin = prepare("INSERT INTO streams (id, accepted_through, digest, quarantined, device, shop, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)")
	s.move = prepare("UPDATE streams SET accepted_through = ?, digest = ?, quarantined = ? WHERE num = ?")
	s.batch = prepare("INSERT INTO batches (stream, correlation, first_seq, last_seq, duplicates, fingerprint, problems, context, prior, epoch, accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	s.quarantine = prepare("INSERT INTO quarantine (stream, seq, problem, type) VALUES (?, ?, ?, ?)")
	s.name = prepare("INSERT INTO attachment_names (stream, seq, digest, size) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
	for i, n := range eventsAnInsert {
		s.event[i] = prepare(insertEvent(n))
	}
	for i, n := range rowsAnInsert {
		s.transactions[i] = prepare(insertTransaction + strings.Repeat("(?, ?, ?, ?, ?), ", n-1) + "(?, ?, ?, ?, ?)")
	}
	return err
}

func (s *statements) close() {
	for _, stmt := range append(append(s.transactions[:], s.event[:]...), s.epoch, s.head, s.begin, s.move, s.batch, s.quarantine, s.name) {
		if stmt != nil {
			_ = stmt.Close()
		}
	}
	*s = statements{}
}

// step compares the head and moves it. A conflict has written nothing; a failure
// leaves the Tx to be rolled back.
func (w *writer) step(a *store.Append, epoch, now int64) (conflict, failed error) {
	num, head, err := w.readHead(a.Stream)
	if err != nil {
		return nil, err
	}
	if epoch != a.Epoch || head != a.Expected {
		return store.ErrConflict, nil
	}
	if num == 0 {
		num, err = insert(w.stmt.begin, a.Stream[:], a.Next.AcceptedThrough, a.Next.Digest[:], a.Next.Quarantined,
			a.Next.Owner.Device, a.Next.Owner.Shop, now)
	} else if len(a.Transactions) > 0 {
		_, err = w.stmt.move.ExecContext(background, a.Next.AcceptedThrough, a.Next.Digest[:], a.Next.Quarantined, num)
	}
	if err != nil {
		return nil, err
	}
	batch, err := w.insertBatch(num, a, now)
	if err != nil {
		return nil, err
	}
	if err := w.insertTransactions(num, batch, a.Transactions); err != nil {
		return nil, err
	}
	if err := w.insertNames(num, a.Transactions); err != nil {
		return nil, err
	}
	for _, p := range a.Batch.Problems {
		if p.Seq > a.Expected.AcceptedThrough {
			if _, err := w.stmt.quarantine.ExecContext(background, num, p.Seq, string(p.Problem), a.TypeOf(p.Seq)); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// readHead is the zero Head and num 0 for an unknown stream.
func (w *writer) readHead(stream holdfast.ID) (num int64, head holdfast.Head, err error) {
	var digest sql.RawBytes
	rows, err := w.stmt.head.QueryContext(background, stream[:])
	if err != nil {
		return 0, head, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&num, &head.AcceptedThrough, &digest, &head.Quarantined, &head.Owner.Device, &head.Owner.Shop)
		copy(head.Digest[:], digest)
	}
	return num, head, errors.Join(err, rows.Err())
}

func (w *writer) insertBatch(num int64, a *store.Append, now int64) (int64, error) {
	b := &a.Batch
	problems, err := store.EncodeProblems(b.Problems)
	if err != nil {
		return 0, err
	}
	context, err := store.EncodeContext(b.Context)
	if err != nil {
		return 0, err
	}
	return insert(w.stmt.batch, num, b.Correlation[:], b.First, b.Last, b.Duplicates, b.Fingerprint[:],
		textOrNull(problems), string(context), textOrNull(b.Prior), a.Epoch, now)
}

func textOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return string(b)
}

func (w *writer) insertTransactions(num, batch int64, txs []holdfast.Transaction) error {
	for i, n := range rowsAnInsert {
		for ; len(txs) >= n; txs = txs[n:] {
			w.args = w.args[:0]
			for t := range txs[:n] {
				w.args = append(w.args, num, txs[t].Seq, txs[t].ID[:], batch, txs[t].Raw)
			}
			if _, err := w.stmt.transactions[i].ExecContext(background, w.args...); err != nil {
				return err
			}
		}
	}
	clear(w.args)
	return nil
}

func insert(stmt *sql.Stmt, args ...any) (int64, error) {
	result, err := stmt.ExecContext(background, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}
