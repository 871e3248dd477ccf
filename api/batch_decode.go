package api

import (
	"fmt"
	"strconv"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

// decodeBatch reads the body of a batch in one pass: syntax, shape, and of each
// transaction its raw bytes and their hash. Stream and Correlation are left to
// the caller. The batch points into body.
//
// Errors are *holdfast.Error: too-large when there are more transactions than
// allowed, else invalid-request with a JSON pointer for each thing wrong, at
// most maxFieldErrors of them. No error repeats any of the body.
func decodeBatch(body []byte, limits Limits) (*holdfast.Batch, error) {
	d := batchDecoder{s: jsonscan.New(body, jsonscan.MaxDepth), batch: &holdfast.Batch{}}
	d.decode()
	if err := d.s.Err(); err != nil {
		return nil, syntaxError(err)
	}
	if d.count > limits.MaxTransactions {
		return nil, &holdfast.Error{
			Code: holdfast.CodeTooLarge, MaxBytes: limits.MaxBytes, MaxTransactions: int64(limits.MaxTransactions),
			Detail: fmt.Sprintf("A batch may hold %d transactions; this one holds %d.", limits.MaxTransactions, d.count),
		}
	}
	if len(d.fields) > 0 {
		return nil, &holdfast.Error{
			Code: holdfast.CodeInvalidRequest, Fields: d.fields,
			Detail: "The batch is not of the right shape; errors tells where.",
		}
	}
	return d.batch, nil
}

func syntaxError(err error) error {
	return &holdfast.Error{
		Code: holdfast.CodeInvalidRequest, Detail: "The body is not JSON that can be taken: " + err.Error() + ".",
		Fields: []holdfast.FieldError{{HasPointer: true, Detail: err.Error()}},
	}
}

// batchDecoder walks the body once. Errors of syntax stick to the scanner;
// errors of shape gather in fields.
type batchDecoder struct {
	s      *jsonscan.Scanner
	batch  *holdfast.Batch
	fields []holdfast.FieldError
	count  int // transactions, also those beyond the limit
	// index is the transaction that is read, -1 outside of them; inner is where
	// inside of it, for pointers.
	index int
	inner string
}

func (d *batchDecoder) decode() {
	d.index = -1
	if d.s.Kind() != jsonscan.Object {
		d.s.Skip()
		d.s.End()
		d.wrong("", "the body must be an object")
		return
	}
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		switch {
		case name.Is("epoch"):
			d.once(&seen, 0, "epoch")
			d.batch.Epoch = d.number("epoch", 0)
		case name.Is("transactions"):
			d.once(&seen, 1, "transactions")
			d.transactions()
		case name.Is("prior"):
			d.once(&seen, 2, "prior")
			d.prior()
		default:
			d.s.Skip()
		}
	}
	d.s.End()
	if !seen.has(1) {
		d.wrong("transactions", "is required")
	}
	d.sequence()
}

func (d *batchDecoder) transactions() {
	if d.s.Kind() != jsonscan.Array {
		d.s.Skip()
		d.wrong("transactions", "must be an array")
		return
	}
	for d.s.Enter(); d.s.Element(); d.count++ {
		d.index = d.count
		d.transaction()
	}
	d.index = -1
	if d.count == 0 {
		d.wrong("transactions", "must not be empty")
	}
}

// sequence checks what the transactions are to each other. What could not be
// read has its own error already.
func (d *batchDecoder) sequence() {
	txs := d.batch.Transactions
	if len(d.fields) > 0 || d.s.Err() != nil {
		return
	}
	for i := 1; i < len(txs); i++ {
		if txs[i].Seq != txs[i-1].Seq+1 {
			d.index = i
			d.wrong("seq", "must be one more than that of the transaction before")
		}
	}
	if len(txs) < 2 {
		return
	}
	ids := make(map[holdfast.ID]struct{}, len(txs))
	for i := range txs {
		if _, again := ids[txs[i].ID]; again {
			d.index = i
			d.wrong("id", "stands twice in the batch")
		}
		ids[txs[i].ID] = struct{}{}
	}
}

func (d *batchDecoder) prior() {
	if d.s.Kind() != jsonscan.Object {
		d.s.Skip()
		d.wrong("prior", "must be an object")
		return
	}
	d.s.Kind() // moves to the first brace
	start := d.s.Pos()
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		if _, err := holdfast.ParseID(name.Raw()); err != nil {
			d.wrong("prior", "must have transaction ids as names")
		}
		if d.s.Kind() != jsonscan.Object {
			d.wrong("prior", "must have objects as values")
		}
		d.s.Skip()
	}
	d.batch.Prior = d.s.Since(start)
}

// members remembers which of the known members of an object were there.
type members uint16

func (m members) has(bit int) bool { return m&(1<<bit) != 0 }

// once refuses a known member that is repeated: which one counts is anybody's guess.
func (d *batchDecoder) once(m *members, bit int, name string) {
	if m.has(bit) {
		d.wrong(name, "stands twice")
	}
	*m |= 1 << bit
}

// wrong notes an error of shape at a member of what is being read.
func (d *batchDecoder) wrong(member, detail string) {
	if len(d.fields) >= maxFieldErrors || d.s.Err() != nil {
		return
	}
	pointer := ""
	if d.index >= 0 {
		pointer = "/transactions/" + strconv.Itoa(d.index) + d.inner
	}
	if member != "" {
		pointer += "/" + member
	}
	d.fields = append(d.fields, holdfast.FieldError{Pointer: pointer, HasPointer: true, Detail: detail})
}

// number reads a whole number that is at least low.
func (d *batchDecoder) number(member string, low int64) int64 {
	n, ok := d.s.Int()
	if !ok || n < low {
		d.wrong(member, fmt.Sprintf("must be a whole number from %d to 9223372036854775807, without fraction or exponent", low))
	}
	return n
}

// text reads a string of 1 to limit bytes that a database and a file name can hold.
func (d *batchDecoder) text(member string, limit int) []byte {
	if d.s.Kind() != jsonscan.String {
		d.s.Skip()
		d.wrong(member, "must be a string")
		return nil
	}
	b, clean := d.s.Text().Bytes()
	switch {
	case len(b) == 0:
		d.wrong(member, "must not be empty")
	case len(b) > limit:
		d.wrong(member, fmt.Sprintf("must be at most %d bytes", limit))
	case !clean:
		d.wrong(member, "must not hold U+0000 or half a surrogate pair")
	case hasControl(b):
		d.wrong(member, "must not hold control characters")
	}
	return b
}

func hasControl(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return true
		}
	}
	return false
}
