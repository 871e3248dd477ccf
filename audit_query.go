package holdfast

import "time"

// AuditFilter asks for events; every member that is not zero narrows.
type AuditFilter struct {
	Since, Until time.Time // At is in [Since, Until)
	Actions      []AuditAction
	Outcomes     []AuditOutcome
	Code         Code
	ActorKind    string
	Actor        string
	TargetKind   string
	Target       string
	Shop         string
	User         string
	Device       string
	Session      string
	Correlation  string // compared without regard to case
	Trace        string
	Consumer     string
	Reference    string
	Address      string
	Node         string
	Stream       ID
	Seq          int64 // events whose run contains it
	Transaction  ID
	// Text is a part, in any case (ASCII), of the action, code, target, context values,
	// consumer, reference or details.
	Text string
}

// AuditQuery asks for a page of events.
type AuditQuery struct {
	Filter     AuditFilter
	Descending bool   // newest first
	Limit      int    // 1 to 1000
	Cursor     string // of an earlier page; empty: from the beginning
}

// AuditPage is a part of a listing.
type AuditPage struct {
	Events []AuditEvent
	// Cursor continues behind the page; More says that there is something already.
	Cursor string
	More   bool
}

// AuditSubject is what a story is about; exactly one member is set.
type AuditSubject struct {
	Session     string
	Correlation string
	Transaction ID
}

// AuditPlace is where a transaction stands.
type AuditPlace struct {
	Stream ID
	Seq    int64
}

// AuditStory is everything about a subject, oldest first.
type AuditStory struct {
	Events []AuditEvent
	// Places are the streams that hold the transaction asked for.
	Places []AuditPlace
	// Cut says that there is more than is told: ask for events with a filter.
	Cut bool
}
