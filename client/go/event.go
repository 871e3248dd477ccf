package client

import (
	"time"

	"github.com/holdfast-sync/holdfast"
)

// EventKind says what an [Event] tells.
type EventKind string

// What can happen to a stream while it is sent.
const (
	EventTaken      EventKind = "taken"      // a batch is held: First, Last, AcceptedThrough
	EventRetry      EventKind = "retry"      // an attempt failed: Cause, Attempt, Wait, Endpoint
	EventEpoch      EventKind = "epoch"      // the gateway writes a newer history: Epoch, AcceptedThrough
	EventRegression EventKind = "regression" // the same history holds less than before
	EventSlice      EventKind = "slice"      // a batch is cut smaller: Cause
)

// Event is something worth showing or counting. It never carries a payload.
type Event struct {
	Kind            EventKind
	Stream          holdfast.ID
	First, Last     int64
	AcceptedThrough int64
	Epoch           int64
	Replayed        bool
	Quarantined     []Quarantined
	Attempt         int
	Wait            time.Duration
	Endpoint        string
	Cause           error
}

// Quarantined is a transaction that the gateway keeps, set aside.
type Quarantined struct {
	Seq    int64         `json:"seq"`
	ID     holdfast.ID   `json:"id"`
	Code   holdfast.Code `json:"code"`
	Detail string        `json:"detail"`
	// Errors are places and what is wrong there: "/payload/quantity: must be more than 0".
	Errors []string `json:"errors,omitempty"`
}

// Progress is how far a stream is, and what it took. The counts are of this
// process; a transaction sent again after a rewind counts again.
type Progress struct {
	AcceptedThrough int64
	DurableThrough  int64
	Epoch           int64
	Batches         int64 // that the gateway took or held
	Accepted        int64 // new to the gateway
	Duplicates      int64 // held before this process sent them, or never sent because the digest proved them held
	Quarantined     int64 // new to the gateway, set aside
	Retries         int64 // attempts that were not answered, or with "later"
	Rewinds         int64
}
