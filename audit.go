package holdfast

import "time"

// AuditEvent is one thing that happened, as the audit log keeps it: who did what
// to which target, how it ended, and in which context. Its members follow the
// audit schemas of WorkOS (actor, action, targets, context) and Google Cloud
// (principal, method, resource, status), so that log tools understand an export.
//
// An event about transactions names a run of one stream, First to Last; one about
// a single transaction also names its id.
type AuditEvent struct {
	ID ID // made by the gateway; tells an event read twice from two events
	// Position and At are set by the store: events are ordered by both, At first.
	Position int64
	At       time.Time // server time, microseconds
	ClientAt time.Time // the device's own clock; zero when it told none

	Action  AuditAction
	Outcome AuditOutcome
	Code    Code // of what was refused or failed, else empty

	Actor  AuditActor
	Target AuditTarget

	// Context is that of the request that caused it, at once or days before.
	Context RequestContext

	Stream      ID    // zero: about no stream
	First, Last int64 // a run of the stream's sequence numbers; 0: none
	Transaction ID    // of the only transaction of the run; zero: several, or none

	Consumer  string // which downstream system
	Reference string // the reference number that it answered
	Address   string // of the client, as the access log tells it
	Node      string // the gateway that wrote it
	Epoch     int64  // the history that it belongs to; set by the store

	// Details is a JSON object, redacted before it is written; nil for none.
	Details []byte
}

// Trace is the trace id of the event's traceparent (W3C Trace Context, 32 hex digits), empty without.
func (e *AuditEvent) Trace() string { return e.Context.Trace() }

// AuditActor is who did it.
type AuditActor struct {
	Kind  string // device, user, token, operator, system or anonymous
	ID    string
	Scope Scope
}

// AuditTarget is what it was done to.
type AuditTarget struct {
	Kind string // transactions, batch, session, route, token, attachment, audit-log or database
	ID   string
}

// AuditOutcome says how it ended.
type AuditOutcome string

// The outcomes.
const (
	OutcomeSuccess AuditOutcome = "success"
	OutcomeFailure AuditOutcome = "failure" // it could not be done, or was not acceptable
	OutcomeDenied  AuditOutcome = "denied"  // the caller may not
)

// AuditAction names what was done: a noun and a verb.
type AuditAction string

// The actions. More may come; a reader takes unknown ones as they are.
const (
	ActionAccepted      AuditAction = "transaction.accepted"
	ActionDuplicate     AuditAction = "transaction.duplicate"
	ActionQuarantined   AuditAction = "transaction.quarantined"
	ActionRepaired      AuditAction = "transaction.repaired"
	ActionDelivered     AuditAction = "transaction.delivered"
	ActionFailed        AuditAction = "transaction.failed"  // given up
	ActionHeld          AuditAction = "transaction.held"    // a dead letter: it can not be delivered as it is
	ActionRetried       AuditAction = "transaction.retried" // by an operator
	ActionSkipped       AuditAction = "transaction.skipped" // by an operator
	ActionMessage       AuditAction = "message.sent"
	ActionResent        AuditAction = "transaction.resent" // accepted again after a failover lost it
	ActionReplayed      AuditAction = "batch.replayed"     // a retry was answered from the record
	ActionRefused       AuditAction = "request.refused"
	ActionDenied        AuditAction = "access.denied"
	ActionSession       AuditAction = "session.started"
	ActionTokenMade     AuditAction = "token.created"
	ActionTokenEnded    AuditAction = "token.revoked"
	ActionAuditRead     AuditAction = "audit.read"
	ActionAuditSealed   AuditAction = "audit.sealed"
	ActionAuditReleased AuditAction = "audit.released" // let go by retention
	ActionMigrated      AuditAction = "database.migrated"
	ActionAttached      AuditAction = "attachment.stored" // the first copy of a file is held
	ActionLost          AuditAction = "attachment.lost"   // a site does not hold the copy that it held
)

// AuditSegment is the record of a sealed part of the audit log; the sealed rows'
// hashes stand in an object of the same hash in every object store site.
type AuditSegment struct {
	Number   int64     // from 1, without gaps
	Hour     time.Time // the hour whose rows it seals, UTC
	Backfill bool      // rows that came after the hour had been sealed
	Rows     int64
	Hash     Hash   // SHA-256 of the whole object
	Previous Hash   // Hash of segment Number-1; zero for the first
	Manifest []byte // the signed text, as the object begins
	SealedAt time.Time
}
