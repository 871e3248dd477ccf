package store

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// AuditFilter asks for events.
type AuditFilter = holdfast.AuditFilter

// AuditPoint is a place between events: behind the one with this time and position.
type AuditPoint struct {
	At       time.Time
	Position int64
}

// AuditPage asks for some events of a filter, in the order of time.
type AuditPage struct {
	Filter AuditFilter
	// After begins behind a point (before it when Descending); nil with the first (the last).
	After      *AuditPoint
	Limit      int // 1 to 10,000
	Descending bool
}

// ShopWindow is a stretch of time, [From, To), for some shops: those named, or all
// others. The shop "" is that of events that name none.
type ShopWindow struct {
	From, To time.Time
	Shops    []string
	Others   bool // every shop but those named
}

// ShopTally counts what a shop did in a window.
type ShopTally struct {
	Shop         string
	Events       int64
	Sessions     int64 // different ones
	Transactions int64 // accepted or resent: the lengths of their runs
	Failures     int64 // events whose outcome is not success
}

// Open is a transaction that was opened by one action and not closed by another.
type Open struct {
	Shop   string
	Stream holdfast.ID
	Seq    int64
	At     time.Time
}

// OpenQuery asks for the transactions that an event of Opened named, before Before, and that
// no event of Closed has named since, before Before. Only events of a single
// transaction, those with its id, open and close. At is the first opening that stays open.
type OpenQuery struct {
	Before         time.Time
	Opened, Closed []holdfast.AuditAction
	Limit          int
}

// Place is where a transaction stands.
type Place = holdfast.AuditPlace

// Audit is the append-only log of what happened. Steps write their events with
// [Append.Events]; the others come through Record.
type Audit interface {
	// Record writes events, all or none; they are committed when it returns. Texts
	// that are no UTF-8 or hold NUL get U+FFFD, here and in steps; Details may not be changed later.
	Record(ctx context.Context, events []holdfast.AuditEvent) error
	// Events reads a page.
	Events(ctx context.Context, page AuditPage) ([]holdfast.AuditEvent, error)
	// Tally counts by shop, ordered by shop.
	Tally(ctx context.Context, w ShopWindow) ([]ShopTally, error)
	// Open lists what stays open, oldest first.
	Open(ctx context.Context, q OpenQuery) ([]Open, error)
	// Places finds a transaction by its id alone, in every stream that holds it.
	Places(ctx context.Context, transaction holdfast.ID) ([]Place, error)
	// BeginSession records the event once per session and device: false when it was there.
	BeginSession(ctx context.Context, event holdfast.AuditEvent) (first bool, err error)
	// FirstEvent is the time of the oldest event that is kept; [ErrNotFound] when there is none.
	FirstEvent(ctx context.Context) (time.Time, error)
}

// Segments keeps the chain of sealed segments.
type Segments interface {
	// Sealing runs fn while no other node seals; false when another one does.
	Sealing(ctx context.Context, fn func(ctx context.Context) error) (ran bool, err error)
	// LastSegment is the newest; [ErrNotFound] when there is none.
	LastSegment(ctx context.Context) (holdfast.AuditSegment, error)
	// Segments lists from a number on, in order, at most limit.
	Segments(ctx context.Context, from int64, limit int) ([]holdfast.AuditSegment, error)
	// AppendSegment adds the next one, and its event, in one Tx; [ErrConflict] unless Number-1 is the last and Previous its hash.
	AppendSegment(ctx context.Context, s holdfast.AuditSegment, event holdfast.AuditEvent) error
	// CountRows counts the events of each hour in [from, to), by the hour's start.
	CountRows(ctx context.Context, from, to time.Time) (map[time.Time]int64, error)
}

// ReleaseNothingYounger is the age below which no event is ever let go of.
const ReleaseNothingYounger = 48 * time.Hour

// Retention keeps the audit log from growing for ever.
type Retention interface {
	// Maintain makes room for what comes (PostgreSQL: the partitions of this month and the next two)
	// and, unless before is zero, lets go of what is wholly older than before: PostgreSQL detaches
	// partitions, whose tables stay for an owner to archive and drop; SQLite deletes rows. Nothing
	// younger than [ReleaseNothingYounger] goes, whatever before is. It tells what it let go.
	Maintain(ctx context.Context, before time.Time) (released []string, err error)
}
