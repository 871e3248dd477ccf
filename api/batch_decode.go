package api

import (
	"bytes"
	"fmt"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

// decodeBatch reads the body of a batch in one pass: syntax, shape, and of each
// transaction its raw bytes and their hash. Stream and Correlation are left to
// the caller, and so is the size of the body. The batch points into body.
//
// Errors are *holdfast.Error: too-large when there are more transactions than
// allowed, else invalid-request with a JSON pointer for each thing wrong, at
// most maxFieldErrors of them. No error repeats any of the body.
func decodeBatch(body []byte, limits Limits) (*holdfast.Batch, error) {
	d := batchDecoder{
		s: jsonscan.New(body, jsonscan.MaxDepth), limit: limits.MaxTransactions, batch: &holdfast.Batch{},
		index: nowhere, attachment: nowhere,
	}
	d.body(len(body))
	if err := d.s.Err(); err != nil {
		return nil, syntaxError(err)
	}
	if d.count > d.limit {
		return nil, &holdfast.Error{
			Code: holdfast.CodeTooLarge, MaxBytes: limits.MaxBytes, MaxTransactions: int64(d.limit),
			Detail: fmt.Sprintf("A batch may hold %d transactions; this one holds %d.", d.limit, d.count),
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
	s     *jsonscan.Scanner
	limit int
	batch *holdfast.Batch
	count int // transactions, also those beyond the limit
	// unnamed are the transactions whose id could not be read.
	unnamed map[int]struct{}

	fields []holdfast.FieldError
	// index, attachment and inEntity are where the cursor is, for pointers.
	index, attachment int
	inEntity          bool
}

// The known members of a batch, as bits.
const (
	memberEpoch = iota
	memberTransactions
	memberPrior
)

func (d *batchDecoder) body(size int) {
	if !d.is(jsonscan.Object, "", "must be an object") {
		d.s.End()
		return
	}
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		switch {
		case name.Is("epoch"):
			if d.first(&seen, memberEpoch, "epoch") {
				d.batch.Epoch = d.number("epoch", 0)
			}
		case name.Is("transactions"):
			if d.first(&seen, memberTransactions, "transactions") {
				d.transactions(size)
			}
		case name.Is("prior"):
			if d.first(&seen, memberPrior, "prior") {
				d.prior()
			}
		default:
			d.s.Skip()
		}
	}
	d.s.End()
	d.require(seen, memberTransactions, "transactions")
}

func (d *batchDecoder) transactions(size int) {
	if !d.is(jsonscan.Array, "transactions", "must be an array") {
		return
	}
	d.batch.Transactions = make([]holdfast.Transaction, 0, min(d.limit, 1+size/usualTransaction))
	for d.s.Enter(); d.s.Element(); d.count++ {
		if d.count >= d.limit {
			d.s.Skip()
			continue
		}
		d.index = d.count
		d.transaction()
	}
	d.index = nowhere
	if d.count == 0 {
		d.wrong("transactions", "must not be empty")
	}
	d.sequence()
	d.identities()
}

// usualTransaction is a size in bytes that most transactions have at least; it
// only decides how much room is made at once.
const usualTransaction = 256

// sequence checks that each seq is one more than that before, where both could be read.
func (d *batchDecoder) sequence() {
	defer func() { d.index = nowhere }()
	txs := d.batch.Transactions
	for i := 1; i < len(txs); i++ {
		if before, seq := txs[i-1].Seq, txs[i].Seq; before != 0 && seq != 0 && seq-1 != before {
			d.index = i
			d.wrong("seq", "must be one more than that of the transaction before")
		}
	}
}

// identities checks that no id stands twice. Ids that only grow, as those of
// version 7 do, need no memory for that.
func (d *batchDecoder) identities() {
	defer func() { d.index = nowhere }()
	txs := d.batch.Transactions
	if d.unnamed == nil && growing(txs) {
		return
	}
	ids := make(map[holdfast.ID]struct{}, len(txs))
	for i := range txs {
		if _, unnamed := d.unnamed[i]; unnamed {
			continue
		}
		if _, again := ids[txs[i].ID]; again {
			d.index = i
			d.wrong("id", "stands twice in the batch")
		}
		ids[txs[i].ID] = struct{}{}
	}
}

func growing(txs []holdfast.Transaction) bool {
	for i := 1; i < len(txs); i++ {
		if bytes.Compare(txs[i-1].ID[:], txs[i].ID[:]) >= 0 {
			return false
		}
	}
	return true
}

func (d *batchDecoder) prior() {
	if !d.is(jsonscan.Object, "prior", "must be an object") {
		return
	}
	start := d.s.Pos()
	badName, badValue := false, false
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		b, _ := name.Bytes()
		_, err := holdfast.ParseID(b)
		badName = badName || err != nil
		badValue = badValue || d.s.Kind() != jsonscan.Object
		d.s.Skip()
	}
	if badName {
		d.wrong("prior", "must have UUIDs as names")
	}
	if badValue {
		d.wrong("prior", "must have objects as values")
	}
	d.batch.Prior = d.s.Since(start)
}
