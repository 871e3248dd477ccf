package store

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// LogPage is a stretch of the mutation log that no plan has been made for.
type LogPage struct {
	From, To     int64 // of batches: behind From, up to To
	Transactions []LoggedTransaction
}

// LoggedTransaction is one of the log, as a plan needs it.
type LoggedTransaction struct {
	Stream  holdfast.ID
	Seq     int64
	ID      holdfast.ID
	Shop    string // the stream's owner
	Raw     []byte
	Problem []byte // of a quarantined one
}

// Plan is what becomes of a [LogPage].
type Plan struct {
	From, To   int64
	Deliveries []holdfast.Delivery // with Stream, Seq, Transaction, Type, Shop, Consumer, Lane, After and Status (waiting or quarantined)
	Changes    []holdfast.Change   // with Kind, Stream, Seq, Transaction and what belongs to the kind
}

// ClaimQuery asks for work of one consumer.
type ClaimQuery struct {
	Consumer string
	Node     string
	Most     int
	Lease    time.Duration
	// After is where the last claim ended: stores get their turn one after the other.
	After ClaimCursor
}

// ClaimCursor stands behind a store, which may have no name; the zero one stands before all of them.
type ClaimCursor struct {
	Behind bool
	Shop   string
}

// Claimed is what a claim came to.
type Claimed struct {
	Deliveries []ClaimedDelivery
	Next       ClaimCursor // for the next claim; the zero one when the last store had its turn
	Empty      bool        // nothing waits for the consumer, now or later; told by claims from the beginning
}

// ClaimedDelivery is a delivery with everything that its call needs.
type ClaimedDelivery struct {
	holdfast.Delivery
	Raw        []byte
	Repaired   []byte // the payload of the last repair; nil without
	Context    holdfast.RequestContext
	Prior      []byte // of the batch; nil without
	Epoch      int64
	References map[string]string // of consumers that have delivered it
}

// FinishedDelivery is what an attempt came to. It counts only if the delivery still has this generation and is being delivered.
type FinishedDelivery struct {
	Position   int64
	Generation int64
	Stream     holdfast.ID
	Seq        int64
	// Status is delivered, waiting (again in DueIn), held or failed.
	Status holdfast.DeliveryStatus
	DueIn  time.Duration
	// Unmade takes the attempt back: no call was made.
	Unmade       bool
	Code, Detail string
	Reference    string
	Event        *holdfast.AuditEvent // nil: none
	Change       *holdfast.Change     // nil: none
}

// DeliveryLease names a claimed delivery.
type DeliveryLease struct{ Position, Generation int64 }

// DeliveryCount is how many open deliveries of a consumer have a status.
type DeliveryCount struct {
	Consumer string
	Status   holdfast.DeliveryStatus
	Count    int64
	Oldest   time.Time // CreatedAt of the oldest
}

// Deliveries keeps what has to go where. Each consumer's lanes are in order: a delivery is due only when none
// before it in its lane is open and every consumer of its After has delivered the transaction.
type Deliveries interface {
	// Unplanned reads the log behind what is planned, at most limit transactions but whole batches; From equals To when there is
	// nothing. It never passes over a batch that is still being committed. Without bodies no transactions are read but quarantined ones.
	Unplanned(ctx context.Context, limit int, bodies bool) (LogPage, error)
	// SavePlan writes a plan, whole; [ErrConflict] when somebody else has planned behind From.
	SavePlan(ctx context.Context, p Plan) error
	// ClaimDeliveries takes deliveries that are due. Its cost does not grow with those that wait.
	ClaimDeliveries(ctx context.Context, q ClaimQuery) (Claimed, error)
	// FinishDeliveries records attempts, each for itself in one Tx with what follows from it: the next of the lane and the next
	// consumers become due, and those behind a failed one fail. It tells which ones counted.
	FinishDeliveries(ctx context.Context, all []FinishedDelivery) ([]bool, error)
	// RenewDeliveries puts leases off and tells which are lost.
	RenewDeliveries(ctx context.Context, all []DeliveryLease, lease time.Duration) ([]DeliveryLease, error)
	// RecoverDeliveries lets go of leases that have ended.
	RecoverDeliveries(ctx context.Context) (int, error)
	// WakeDeliveries makes due what waits for a file, with code [CodeMissing].
	WakeDeliveries(ctx context.Context, digest holdfast.Hash) error
	// Deliveries lists, in the order of Position.
	Deliveries(ctx context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error)
	// ActOnDeliveries does a deed to at most d.Deliveries.Limit open deliveries that nobody is delivering just now; make makes the
	// event of each.
	ActOnDeliveries(ctx context.Context, d holdfast.Deed, event func(holdfast.Delivery) holdfast.AuditEvent) (holdfast.Done, error)
	// CountDeliveries counts the open ones.
	CountDeliveries(ctx context.Context) ([]DeliveryCount, error)
	// StreamDeliveries tells through which seq everything is over, and how many transactions are not. planned says whether what
	// no plan has been made for counts as open.
	StreamDeliveries(ctx context.Context, stream holdfast.ID, planned bool) (through, open int64, err error)
	// PlannedThrough is how far plans have come in the log, and how far the log has.
	PlannedThrough(ctx context.Context) (planned, log int64, err error)
}

// CodeMissing is the code of a delivery that waits for files.
const CodeMissing = "attachments-missing"

// CodePredecessor is the code of a delivery that failed because an earlier consumer's did.
const CodePredecessor = "predecessor-failed"

// Quarantine keeps transactions that were set aside, and what operators decided.
type Quarantine interface {
	// Quarantined lists, in the order of Number.
	Quarantined(ctx context.Context, q holdfast.QuarantineQuery) ([]holdfast.Quarantined, error)
	// Release decides about quarantined transactions: retry (their deliveries become due), skip or give-up, at most d.Quarantine.Limit.
	// take says for each whether it may; nil: all. [ErrConflict] when no plan has been made for one yet.
	Release(ctx context.Context, d holdfast.Deed, event func(holdfast.Quarantined) holdfast.AuditEvent) (holdfast.Done, error)
	// RepairTransaction keeps another payload. A quarantined transaction is released with it, held deliveries become due.
	// [ErrNotFound] when there is no such transaction; [ErrConflict] when nothing of it waits for a repair, or no plan has been made yet.
	RepairTransaction(ctx context.Context, r holdfast.Repair, event holdfast.AuditEvent) error
	// Repairs lists those of a transaction, oldest first.
	Repairs(ctx context.Context, stream holdfast.ID, seq int64) ([]holdfast.Repair, error)
}

// Changes keeps what devices want to know.
type Changes interface {
	// Changes reads what came after the marks, changes and messages each in their order, at most q.Limit of each.
	Changes(ctx context.Context, q holdfast.ChangesQuery) ([]holdfast.Change, error)
	// LastChange is the highest number of a stream's changes, and of all messages.
	LastChange(ctx context.Context, stream holdfast.ID) (number, message int64, err error)
	// SendMessage keeps a message and its event; one with the same id is kept once.
	SendMessage(ctx context.Context, m holdfast.Message, event holdfast.AuditEvent) error
}

// Notice is what other nodes did, as a backend hears of it.
type Notice struct {
	Streams []holdfast.ID // that have new changes
	All     bool          // something may have been missed, or a message came: everybody looks
	Work    bool          // there is something to deliver
}

// Notifier tells what happens in the database, at other nodes too, until ctx is done. A notice is never the only
// way to learn of something: it may be late, doubled or lost.
type Notifier interface {
	Notices(ctx context.Context, heard func(Notice))
}
