package holdfast

import "time"

// Transaction is one thing a person did in the app: the device's business
// record. (A database transaction is always called a Tx.)
//
// Raw, Payload and Type may point into the request body they were read from:
// whoever keeps a Transaction longer than the request copies them.
type Transaction struct {
	ID   ID
	Seq  int64  // from 1, growing by exactly 1 within a stream
	Type string // for example pick.completed
	// Schema is the version of the payload's JSON Schema; 0 when none is named.
	Schema int64
	// OccurredAt is the device's time, rounded to what a time.Time can hold.
	OccurredAt time.Time
	// Payload is the JSON object as sent.
	Payload []byte
	// Raw is the whole JSON object as sent, first brace to last, with the
	// members this gateway does not know.
	Raw []byte
	// Hash is SHA-256 of Raw.
	Hash Hash
	// Attachments are the files that belong to it.
	Attachments []AttachmentRef
}

// StoredTransaction is a transaction read back, with what is known of it.
type StoredTransaction struct {
	ID         ID
	Seq        int64
	Raw        []byte
	Problem    []byte // JSON problem of a quarantined transaction, else nil
	AcceptedAt time.Time
	// Correlation names the batch it came with; Context is that request's.
	Correlation ID
	Context     RequestContext
	Epoch       int64 // the epoch it was accepted in
	// Deliveries are its outcomes, one for each consumer that wants it; Repairs its later payloads.
	Deliveries []Delivery
	Repairs    []Repair
}
