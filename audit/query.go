package audit

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Events reads a page, and records that it was read.
func (l *Log) Events(ctx context.Context, q holdfast.AuditQuery) (holdfast.AuditPage, error) {
	c, err := cursorOf(q)
	if err != nil {
		return holdfast.AuditPage{}, err
	}
	if err := l.recordRead(ctx, "events", describe(q.Filter)); err != nil {
		return holdfast.AuditPage{}, err
	}
	return l.page(ctx, q, c)
}

func cursorOf(q holdfast.AuditQuery) (cursor, error) {
	if q.Cursor == "" {
		return cursor{descending: q.Descending}, nil
	}
	c, ok := parseCursor(q.Cursor)
	if !ok || c.descending != q.Descending {
		return c, &holdfast.Error{
			Code: holdfast.CodeInvalidRequest, Detail: "The cursor was not given by this listing.",
			Fields: []holdfast.FieldError{{Parameter: "cursor", Detail: "is none of this listing"}},
		}
	}
	return c, nil
}

func (l *Log) page(ctx context.Context, q holdfast.AuditQuery, c cursor) (holdfast.AuditPage, error) {
	asked := l.Now()
	want := store.AuditPage{Filter: q.Filter, Limit: q.Limit + 1, Descending: q.Descending}
	if !c.point.At.IsZero() && q.Cursor != "" {
		want.After = &c.point
	}
	events, err := l.Store.Events(ctx, want)
	if err != nil {
		return holdfast.AuditPage{}, unavailable(err)
	}
	page := holdfast.AuditPage{Events: events, More: len(events) > q.Limit}
	if page.More {
		page.Events = events[:q.Limit]
	}
	if n := len(page.Events); n > 0 {
		last := page.Events[n-1]
		c.point = store.AuditPoint{At: last.At, Position: last.Position}
	}
	if !q.Descending {
		c.settle(asked, page.More)
	}
	if !c.point.At.IsZero() {
		page.Cursor = c.String()
	}
	return page, nil
}

// settle holds the cursor back where the page reaches into what is not settled.
func (c *cursor) settle(asked time.Time, more bool) {
	if c.point.At.IsZero() {
		return
	}
	edge := asked.Add(-settling).UTC().Truncate(time.Microsecond)
	if c.hold.IsZero() && c.point.At.After(edge) {
		c.hold = edge
	}
	if !more && !c.hold.IsZero() {
		if c.hold.Before(c.point.At) {
			c.point = store.AuditPoint{At: c.hold}
		}
		c.hold = time.Time{}
	}
}

// exportPage is how many events an export holds in memory.
const exportPage = 5000

// Export yields every event of a filter, oldest first, in constant memory; it records
// the read first. What is recorded after it began is not in it.
func (l *Log) Export(ctx context.Context, filter store.AuditFilter) (iter.Seq2[holdfast.AuditEvent, error], error) {
	if filter.Until.IsZero() || filter.Until.After(l.Now()) {
		filter.Until = l.Now().UTC()
	}
	if err := l.recordRead(ctx, "export", describe(filter)); err != nil {
		return nil, err
	}
	return func(yield func(holdfast.AuditEvent, error) bool) {
		for e, err := range all(ctx, l.Store, filter) {
			if !yield(e, unavailable(err)) {
				return
			}
		}
	}, nil
}

// all yields a filter's events, oldest first.
func all(ctx context.Context, s store.Audit, filter store.AuditFilter) iter.Seq2[holdfast.AuditEvent, error] {
	return func(yield func(holdfast.AuditEvent, error) bool) {
		var after *store.AuditPoint
		for {
			events, err := s.Events(ctx, store.AuditPage{Filter: filter, After: after, Limit: exportPage})
			if err != nil {
				yield(holdfast.AuditEvent{}, err)
				return
			}
			for i := range events {
				if !yield(events[i], nil) {
					return
				}
			}
			if len(events) < exportPage {
				return
			}
			last := events[len(events)-1]
			after = &store.AuditPoint{At: last.At, Position: last.Position}
		}
	}
}

// recordRead writes who asked for what; without it there is no answer.
func (l *Log) recordRead(ctx context.Context, what string, question map[string]any) error {
	question["read"] = what
	details, err := json.Marshal(question)
	if err != nil {
		return err
	}
	e := l.event(ctx, holdfast.ActionAuditRead)
	e.Target = holdfast.AuditTarget{Kind: "audit-log", ID: what}
	e.Details = l.Redact(nil, details)
	return unavailable(l.Store.Record(ctx, []holdfast.AuditEvent{e}))
}

// event is one of a request, done well.
func (l *Log) event(ctx context.Context, action holdfast.AuditAction) holdfast.AuditEvent {
	return holdfast.AuditEvent{
		ID: holdfast.NewID(l.Now()), Action: action, Outcome: holdfast.OutcomeSuccess, Node: l.Node,
		Actor: holdfast.ActorFrom(ctx), Context: holdfast.RequestContextFrom(ctx), Address: holdfast.AddressFrom(ctx),
	}
}

// describe is a filter as it stands in the event of its use.
func describe(f store.AuditFilter) map[string]any {
	text, _ := json.Marshal(f)
	all := map[string]any{}
	_ = json.Unmarshal(text, &all)
	for name, v := range all {
		switch v := v.(type) {
		case nil:
			delete(all, name)
		case string:
			if v == "" || v == "0001-01-01T00:00:00Z" || v == (holdfast.ID{}).String() {
				delete(all, name)
			}
		case float64:
			if v == 0 {
				delete(all, name)
			}
		case []any:
			if len(v) == 0 {
				delete(all, name)
			}
		}
	}
	return map[string]any{"filter": all}
}
