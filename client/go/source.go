package client

import (
	"fmt"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// Source is the ordered queue of one stream. It may grow; what it has once
// given stays the same, byte for byte. Calls come from one goroutine at a time.
type Source interface {
	// Last is the number of the last transaction, 0 when there is none.
	Last() int64
	// Transaction gives one of First..Last, First being 1 or what [StreamConfig] says.
	Transaction(seq int64) (Transaction, error)
}

// Transaction is one transaction as it is sent.
type Transaction struct {
	// ID is compared with the gateway's results; zero is not compared.
	ID holdfast.ID
	// Raw is the JSON object, first brace to last, encoded once.
	Raw []byte
	// Origin goes with it in the context headers; a batch has one origin.
	Origin Origin
	// OccurredAt serves the queue's age in Holdfast-Queue; zero: not known.
	OccurredAt time.Time
}

// Origin is who and what made a transaction. Each value is at most 128
// printable ASCII characters; an empty one is not sent.
type Origin struct {
	Store      string
	User       string
	Device     string
	Session    string
	AppVersion string
}

// Slice is a Source in memory; the first element is number 1.
type Slice []Transaction

// Last is the length.
func (s Slice) Last() int64 { return int64(len(s)) }

// Transaction is element seq-1.
func (s Slice) Transaction(seq int64) (Transaction, error) {
	if seq < 1 || seq > s.Last() {
		return Transaction{}, fmt.Errorf("there is no transaction %d", seq)
	}
	return s[seq-1], nil
}
