package holdfast

import "time"

// DeliveryStatus says how far a delivery has come.
type DeliveryStatus string

// The statuses. Those before DeliveryDelivered are open: what shares the lane waits behind them.
const (
	DeliveryWaiting     DeliveryStatus = "waiting"     // for its turn, an earlier consumer, its files or its time
	DeliveryDelivering  DeliveryStatus = "delivering"  // a node has it under a lease
	DeliveryQuarantined DeliveryStatus = "quarantined" // its transaction is
	DeliveryHeld        DeliveryStatus = "held"        // a dead letter: it can't be delivered as it is; an operator decides
	DeliveryDelivered   DeliveryStatus = "delivered"   // the consumer has confirmed it
	DeliverySkipped     DeliveryStatus = "skipped"     // an operator did without it; later consumers went on
	DeliveryFailed      DeliveryStatus = "failed"      // given up; later consumers do not get it
)

// Open says that it is not over.
func (s DeliveryStatus) Open() bool {
	return s == DeliveryWaiting || s == DeliveryDelivering || s == DeliveryQuarantined || s == DeliveryHeld
}

// Lane names what must stay in order at one consumer: the first half of SHA-256 of an order key.
type Lane [16]byte

// Delivery is a transaction on its way to one consumer.
type Delivery struct {
	Position    int64 // names it, and grows in the order of acceptance
	Stream      ID
	Seq         int64
	Transaction ID
	Type        string
	Shop        string
	Consumer    string
	Lane        Lane
	// After are the consumers that must have delivered the transaction before, those before them included.
	After  []string
	Status DeliveryStatus
	// Behind says that another of its lane is open before it; Waits counts the open ones of After.
	Behind   bool
	Waits    int
	Attempts int64
	DueAt    time.Time // not tried before
	// Generation grows with every claim, so that a late finisher touches nothing.
	Generation int64
	LeaseUntil time.Time // of a delivering one
	Node       string    // that has or had it
	// Code and Detail tell what the last attempt came to, if it was no success.
	Code      string
	Detail    string
	Reference string // what the consumer answered
	CreatedAt time.Time
	DoneAt    time.Time // zero while it is open
}

// DeliveryQuery asks for deliveries; zero members ask for all.
type DeliveryQuery struct {
	Consumer, Shop, Type string
	Statuses             []DeliveryStatus
	Stream               ID
	Seq                  int64
	Code                 string
	Since, Until         time.Time // of CreatedAt: from Since on, before Until
	After                int64     // Position of the last one of the page before
	Limit                int
}

// Verb is what an operator does to deliveries or quarantined transactions.
type Verb string

// The verbs.
const (
	VerbRetry  Verb = "retry"   // at once, as if for the first time
	VerbSkip   Verb = "skip"    // do without it; later consumers get it, without its reference
	VerbGiveUp Verb = "give-up" // later consumers do not get it either
	VerbRepair Verb = "repair"  // give the transaction another payload, and retry
)

// Deed is what an operator does: to which ones, who and why.
type Deed struct {
	Verb Verb
	// Deliveries or Quarantine select what it is done to; at most Limit of them at a time.
	Deliveries DeliveryQuery
	Quarantine QuarantineQuery
	Who, Why   string
	Node       string
}

// Done is what a deed came to.
type Done struct {
	Count int
	More  bool  // there may be more that it could be done to
	Last  int64 // Position or Number of the last one that was looked at: the next ones come behind it
}

// Repair is another payload for a transaction. What the device sent stays as it is.
type Repair struct {
	Stream   ID
	Seq      int64
	Payload  []byte // a JSON object
	Who, Why string
	At       time.Time // set by the store
}

// QuarantineQuery asks for quarantined transactions; zero members ask for all.
type QuarantineQuery struct {
	Shop, Type   string
	Stream       ID
	Seq          int64
	All          bool      // those that an operator has decided as well
	Since, Until time.Time // of acceptance
	After        int64     // Number of the last one of the page before
	Limit        int
}

// Quarantined is a transaction that is, or was, set aside.
type Quarantined struct {
	Number      int64 // names it, and grows in the order of acceptance
	Stream      ID
	Seq         int64
	Transaction ID
	Type        string
	Shop        string
	Problem     []byte // JSON
	AcceptedAt  time.Time
	// Verb is what an operator decided; empty while it is open.
	Verb      Verb
	Who, Why  string
	DecidedAt time.Time
}
