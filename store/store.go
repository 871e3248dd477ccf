package store

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// What a store may answer instead of doing what it was asked.
var (
	// ErrConflict: the stream is not as the append expects it, or one of its ids
	// or the correlation id is held. Nothing was written.
	ErrConflict = errors.New("store: conflict")
	// ErrUnavailable: the database can't be reached, refuses or is full. Nothing was written.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrOutcomeUnknown: whether the write was committed is not known.
	ErrOutcomeUnknown = errors.New("store: outcome unknown")
	// ErrOverloaded: too much waits to be written. Nothing was written.
	ErrOverloaded = errors.New("store: overloaded")
	// ErrNotFound: there is no such thing.
	ErrNotFound = errors.New("store: not found")
	// ErrSchema: the schema is older than this program needs, or not one of its own.
	ErrSchema = errors.New("store: wrong schema")
)

// Epoch is the identity of the history that the database holds.
type Epoch struct {
	Number    int64
	ID        holdfast.ID // tells two histories with the same number apart
	StartedAt time.Time
}

// Key names a batch: a stream and a correlation id.
type Key struct {
	Stream      holdfast.ID
	Correlation holdfast.ID
}

// View is a stream as one snapshot of the database shows it.
type View struct {
	Epoch int64
	Head  holdfast.Head // zero for an unknown stream
	// Batch is the record of the correlation id asked for, nil when there is none.
	Batch *holdfast.BatchRecord
}

// Held is a transaction that the stream holds.
type Held struct {
	ID      holdfast.ID
	Seq     int64
	Raw     []byte
	Problem []byte // of a quarantined one
}

// HeldQuery asks for what a stream holds of a batch: every transaction with a
// seq of First to Last, and every one with an id of IDs.
type HeldQuery struct {
	Stream      holdfast.ID
	First, Last int64
	IDs         []holdfast.ID
}

// Append is one decided step of a stream. It is written only if the stream and
// the epoch still are as it expects, whole or not at all, and it is committed
// and on disk when [Appender.Append] returns nil.
type Append struct {
	Epoch    int64
	Stream   holdfast.ID
	Expected holdfast.Head // the zero Head expects an unknown stream
	Next     holdfast.Head // equal to Expected when nothing is new
	Batch    holdfast.BatchRecord
	// Transactions are the new ones: Expected.AcceptedThrough+1 to Next.AcceptedThrough.
	// A problem in Batch.Problems with a Seq in that range quarantines its
	// transaction; one with a lower Seq only belongs to the answer's record.
	Transactions []holdfast.Transaction
	// Events are written with the step, in the same Tx.
	Events []holdfast.AuditEvent
}

// TypeOf is the type of the new transaction with a seq.
func (a *Append) TypeOf(seq int64) string {
	if i := seq - a.Expected.AcceptedThrough - 1; i >= 0 && i < int64(len(a.Transactions)) {
		return a.Transactions[i].Type
	}
	return ""
}

// Appender takes decided steps. Calls from many goroutines share commits; one
// call's conflict never fails another's. The slices in the step are not used
// after the return, and after a return for a done context either
// [ErrUnavailable] (never taken up, nothing written) or [ErrOutcomeUnknown] tells
// how it stands; memory still in use by the writer is then the writer's own copy
// or garbage-collected, never a reused buffer.
type Appender interface {
	Append(ctx context.Context, step *Append) error
}

// Reader reads streams. Calls from many goroutines may share round trips.
type Reader interface {
	// View reads a stream's head and, when key.Correlation is not zero, that batch's record.
	View(ctx context.Context, key Key) (View, error)
	// Held reads what the stream holds of a batch, ordered by seq.
	Held(ctx context.Context, q HeldQuery) ([]Held, error)
	// Transaction reads one back; [ErrNotFound] when the stream does not hold it.
	Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, error)
	// Epoch reads the current epoch from the database, not from memory.
	Epoch(ctx context.Context) (Epoch, error)
}

// Queues keeps what devices report of their own queues.
type Queues interface {
	// SaveQueues keeps the latest report per stream; an older one than is held is ignored.
	SaveQueues(ctx context.Context, queues map[holdfast.ID]holdfast.Queue) error
	// Queue reads one back; [ErrNotFound] when there is none.
	Queue(ctx context.Context, stream holdfast.ID) (holdfast.Queue, error)
}

// Tokens keeps static credentials.
type Tokens interface {
	// CreateToken keeps a token and its event in one Tx.
	CreateToken(ctx context.Context, t holdfast.Token, event holdfast.AuditEvent) error
	// Token finds one by its id; [ErrNotFound] when there is none.
	Token(ctx context.Context, id string) (holdfast.Token, error)
	// Tokens lists all, oldest first.
	Tokens(ctx context.Context) ([]holdfast.Token, error)
	// RevokeToken is idempotent: the first time stays. [ErrNotFound] when there is none.
	// The event is written, in the same Tx, only when it was not revoked before.
	RevokeToken(ctx context.Context, id string, at time.Time, event holdfast.AuditEvent) error
}

// Health tells whether the database can take a write now.
type Health interface {
	// Ping costs one round trip; nil means that reads and writes should work.
	Ping(ctx context.Context) error
}

// Store is everything a backend does, for the wiring; every user of it
// declares the narrow part it needs.
type Store interface {
	Appender
	Reader
	Queues
	Tokens
	Audit
	Segments
	Retention
	Attachments
	Uploads
	Deliveries
	Quarantine
	Changes
	Notifier
	Health
	// Close finishes what runs, refuses what comes, and lets go of the database.
	Close() error
}

// Migration is one numbered change of the schema.
type Migration struct {
	Version   int64     `json:"version"`
	Name      string    `json:"name"`
	AppliedAt time.Time `json:"appliedAt,omitzero"` // zero: pending
}

// Migrator brings a database's schema to what this program needs.
type Migrator interface {
	// Up applies what is pending, each in its own Tx, under a lock that other
	// nodes respect; it reports each migration before it begins.
	Up(ctx context.Context, report func(Migration)) error
	// Status lists every known migration in order.
	Status(ctx context.Context) ([]Migration, error)
	// Validate checks that the schema is the one the migrations make; [ErrSchema] with the difference.
	Validate(ctx context.Context) error
	Close() error
}
