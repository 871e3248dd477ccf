package audit

import (
	"context"
	"slices"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// maxStory bounds a story.
const maxStory = 5000

// Timeline tells a story in order, and records that it was told. That of a
// transaction has the events of every run that contains it, in every stream that
// holds it, and what its batch's correlation id is named in besides.
func (l *Log) Timeline(ctx context.Context, about holdfast.AuditSubject) (holdfast.AuditStory, error) {
	question := map[string]any{"session": about.Session, "correlation": about.Correlation}
	if about.Transaction != (holdfast.ID{}) {
		question["transaction"] = about.Transaction.String()
	}
	if err := l.recordRead(ctx, "timeline", question); err != nil {
		return holdfast.AuditStory{}, err
	}
	var story holdfast.AuditStory
	filters := []store.AuditFilter{{Session: about.Session, Correlation: about.Correlation}}
	if about.Transaction != (holdfast.ID{}) {
		places, err := l.Store.Places(ctx, about.Transaction)
		if err != nil {
			return holdfast.AuditStory{}, unavailable(err)
		}
		story.Places = places
		filters = []store.AuditFilter{{Transaction: about.Transaction}}
		for _, p := range places {
			filters = append(filters, store.AuditFilter{Stream: p.Stream, Seq: p.Seq})
		}
	}
	seen := map[holdfast.ID]bool{}
	for i := 0; i < len(filters); i++ {
		events, err := l.Store.Events(ctx, store.AuditPage{Filter: filters[i], Limit: maxStory})
		if err != nil {
			return holdfast.AuditStory{}, unavailable(err)
		}
		story.Cut = story.Cut || len(events) == maxStory
		for _, e := range events {
			if !seen[e.ID] {
				seen[e.ID] = true
				story.Events = append(story.Events, e)
			}
		}
	}
	slices.SortStableFunc(story.Events, chronological)
	return story, nil
}

func chronological(a, b holdfast.AuditEvent) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return int(min(max(a.Position-b.Position, -1), 1))
}
