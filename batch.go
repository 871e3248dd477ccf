package holdfast

import (
	"crypto/sha256"
	"time"
)

// Batch is a contiguous run of transactions of one stream in one request.
type Batch struct {
	Stream      ID
	Correlation ID
	// Epoch is the last one the client saw, 0 for none.
	Epoch        int64
	Transactions []Transaction
	// Prior is the raw JSON object of outcomes the person has already been
	// shown, by transaction id; nil when the client sent none.
	Prior []byte
}

// First is the sequence number the batch begins with.
func (b *Batch) First() int64 { return b.Transactions[0].Seq }

// Last is the sequence number the batch ends with.
func (b *Batch) Last() int64 { return b.Transactions[len(b.Transactions)-1].Seq }

// Fingerprint identifies the list of transactions by their bytes, in order.
func (b *Batch) Fingerprint() Hash {
	h := sha256.New()
	for i := range b.Transactions {
		h.Write(b.Transactions[i].Hash[:])
	}
	return Hash(h.Sum(nil))
}

// BatchRecord is what stays of a batch that was taken: the idempotency record,
// the audit event and the entry in the mutation log, in one row.
type BatchRecord struct {
	Correlation ID
	First, Last int64
	// Duplicates counts the transactions at the front that were already held.
	Duplicates  int64
	Fingerprint Hash
	// Problems are those of the quarantined transactions in the batch, as the
	// first answer told them, ordered by Seq.
	Problems []TransactionProblem
	Context  RequestContext
	Prior    []byte
	// Epoch and AcceptedAt are set by the store.
	Epoch      int64
	AcceptedAt time.Time
}

// TransactionProblem says why one transaction is quarantined.
type TransactionProblem struct {
	Seq     int64
	Problem []byte // a JSON problem object (RFC 9457)
}

// Status of one transaction in a receipt.
type Status string

// The three things that can become of a transaction that is sent.
const (
	StatusAccepted    Status = "accepted"    // committed and fsynced at the primary
	StatusDuplicate   Status = "duplicate"   // already held; nothing was done
	StatusQuarantined Status = "quarantined" // held whole, set aside for an operator
)

// Result is the answer for one transaction of a batch.
type Result struct {
	Seq     int64
	ID      ID
	Status  Status
	Problem []byte // JSON problem of a quarantined transaction, else nil
}

// Receipt is the answer to a batch.
type Receipt struct {
	Watermarks
	Results []Result
	// New says that the batch brought at least one transaction not yet held.
	New bool
	// Replayed says that an earlier request with this correlation id did the work.
	Replayed bool
}
