package storetest

import (
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Review5GiveUpTellsOnce: a deed on a delivery and on the one that comes after it is told once for each.
func Review5GiveUpTellsOnce(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane}, Consumer{Name: "archive", Lane: oneLane, After: []string{"orders"}})
	n := 0
	_, err := s.ActOnDeliveries(t.Context(), holdfast.Deed{Verb: holdfast.VerbGiveUp, Who: "w", Why: "y", Deliveries: holdfast.DeliveryQuery{Stream: stream, Limit: 10}},
		func(holdfast.Delivery) holdfast.AuditEvent {
			n++
			return holdfast.AuditEvent{ID: ID(0xe1, n), Action: holdfast.ActionFailed, Outcome: holdfast.OutcomeSuccess}
		})
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Limit: 10})
	if err != nil || len(all) != 2 {
		t.Errorf("%d changes of two deliveries: %+v %v", len(all), all, err)
	}
}
