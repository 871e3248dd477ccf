package auditsql

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-sync/holdfast"
)

// TextColumns are the columns of audit_events that hold text, NULL when empty, in the order of [Texts].
var TextColumns = [...]string{
	"action", "outcome", "code", "actor_kind", "actor_id", "actor_scope", "target_kind", "target_id",
	"shop", "user_name", "device", "session", "app_version", "correlation", "traceparent", "trace",
	"consumer", "reference", "address", "node", "details",
}

// Columns that are no text, as a row is inserted; position and at are the database's.
const OtherColumns = "id, client_at, stream, first_seq, last_seq, transaction_id, epoch"

// Names are the text columns for a statement.
func Names() string { return strings.Join(TextColumns[:], ", ") }

// Selected is what every SELECT of whole events lists: position, at, [OtherColumns], the texts without NULL.
func Selected() string {
	return "position, at, " + OtherColumns + ", coalesce(" + strings.Join(TextColumns[:], ", ''), coalesce(") + ", '')"
}

// Texts are the values of [TextColumns].
type Texts [len(TextColumns)]string

// TextsOf reads an event; what no database takes as text is replaced.
func TextsOf(e *holdfast.AuditEvent) Texts {
	t := Texts{
		string(e.Action), string(e.Outcome), string(e.Code), e.Actor.Kind, e.Actor.ID, string(e.Actor.Scope), e.Target.Kind, e.Target.ID,
		e.Context.Shop, e.Context.User, e.Context.Device, e.Context.Session, e.Context.AppVersion, e.Context.Correlation,
		e.Context.Traceparent, e.Trace(), e.Consumer, e.Reference, e.Address, e.Node, string(e.Details),
	}
	for i := range t {
		t[i] = Clean(t[i])
	}
	return t
}

// Into writes them to an event. The trace is part of the traceparent.
func (t *Texts) Into(e *holdfast.AuditEvent) {
	e.Action, e.Outcome, e.Code = holdfast.AuditAction(t[0]), holdfast.AuditOutcome(t[1]), holdfast.Code(t[2])
	e.Actor = holdfast.AuditActor{Kind: t[3], ID: t[4], Scope: holdfast.Scope(t[5])}
	e.Target = holdfast.AuditTarget{Kind: t[6], ID: t[7]}
	e.Context = holdfast.RequestContext{
		Shop: t[8], User: t[9], Device: t[10], Session: t[11], AppVersion: t[12], Correlation: t[13], Traceparent: t[14],
	}
	e.Consumer, e.Reference, e.Address, e.Node = t[16], t[17], t[18], t[19]
	e.Details = nil
	if t[20] != "" {
		e.Details = []byte(t[20])
	}
}

// Pointers are where a row's texts are scanned to.
func (t *Texts) Pointers() []any {
	all := make([]any, len(t))
	for i := range t {
		all[i] = &t[i]
	}
	return all
}

// Clean replaces NUL and what is not UTF-8, which PostgreSQL refuses, with U+FFFD: one
// bad octet of a header must not fail the group of steps that it is written with.
func Clean(s string) string {
	for i := range len(s) {
		if c := s[i]; c == 0 || c >= utf8.RuneSelf {
			return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
		}
	}
	return s
}

// ClientAt is the device's time in microseconds; false for none, and for one that is
// no time of RFC 3339 (years 0 to 9999), which not every database could hold.
func ClientAt(e *holdfast.AuditEvent) (int64, bool) {
	if e.ClientAt.IsZero() || e.ClientAt.Year() < 0 || e.ClientAt.Year() > 9999 {
		return 0, false
	}
	return e.ClientAt.UnixMicro(), true
}

// Ceil is the first microsecond that is not before t, so that bounds in nanoseconds mean what they say.
func Ceil(t time.Time) time.Time { return t.Add(time.Microsecond - 1).Truncate(time.Microsecond) }
