package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func changes(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 30))
	other := ID(0x57, 1)
	mustAppend(t, s, Step(other, holdfast.Head{}, 2, 5))
	mustPlan(t, s, Consumer{Name: "orders", Lane: ownLane})
	var all []store.FinishedDelivery
	for _, d := range claim(t, s, "orders", 100) {
		all = append(all, finished(d, holdfast.DeliveryDelivered))
	}
	var wg sync.WaitGroup
	for part := range slices.Chunk(all, 4) { // nodes that number the same stream's changes
		wg.Go(func() {
			if _, err := s.FinishDeliveries(t.Context(), part); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var number int64
	for number < 30 {
		page, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Number: number, Limit: 7})
		if err != nil || len(page) == 0 {
			t.Fatal(page, err)
		}
		for _, c := range page {
			if number++; c.Number != number || c.Kind != holdfast.ChangeDelivered || c.Consumer != "orders" || c.Reference != fmt.Sprintf("R-%d", c.Seq) || c.Transaction != Transaction(1, c.Seq).ID || c.At.IsZero() {
				t.Fatalf("%d: %+v", number, c)
			}
		}
	}
	if last, _, err := s.LastChange(t.Context(), stream); last != 30 || err != nil {
		t.Error(last, err)
	}
	if last, _, err := s.LastChange(t.Context(), other); last != 5 || err != nil {
		t.Error(last, err)
	}
	if last, message, err := s.LastChange(t.Context(), ID(0x58, 1)); last != 0 || message != 0 || err != nil {
		t.Error(last, err)
	}
}

func messages(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	send := func(n int, m holdfast.Message) {
		t.Helper()
		m.ID, m.Body = ID(0x60, n), fmt.Appendf(nil, `{"n":%d}`, n)
		if m.ExpiresAt.IsZero() {
			m.ExpiresAt = time.Now().Add(time.Hour)
		}
		for range 2 { // the second time it is known
			if err := s.SendMessage(t.Context(), m, holdfast.AuditEvent{ID: ID(0x61, n), Action: "message.sent", Outcome: holdfast.OutcomeSuccess}); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(1, holdfast.Message{Device: "d1"})
	send(2, holdfast.Message{Shop: "s1"})
	send(3, holdfast.Message{User: "u1"})
	send(4, holdfast.Message{Device: "d2"})
	send(5, holdfast.Message{Device: "s1"})
	send(6, holdfast.Message{Device: "d1", ExpiresAt: time.Now().Add(-time.Second)})
	bodies := func(q holdfast.ChangesQuery) (out string) {
		t.Helper()
		q.Stream, q.Limit = stream, 10
		all, err := s.Changes(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			out += string(c.Body)
			if c.Kind != holdfast.ChangeMessage || c.Message == 0 || c.Transaction != ID(0x60, int(c.Body[5]-'0')) {
				t.Errorf("%+v", c)
			}
		}
		return out
	}
	if got := bodies(holdfast.ChangesQuery{Device: "d1", Shop: "s1", User: "u1"}); got != `{"n":1}{"n":2}{"n":3}` {
		t.Error(got)
	}
	if got := bodies(holdfast.ChangesQuery{Device: "d1", Shop: "s1", Message: 2}); got != "" {
		t.Error(got)
	}
	if got := bodies(holdfast.ChangesQuery{}); got != "" {
		t.Error(got)
	}
	if _, message, err := s.LastChange(t.Context(), stream); message != 6 || err != nil {
		t.Error(message, err)
	}
	if events := mustEvents(t, s, store.AuditFilter{Actions: []holdfast.AuditAction{"message.sent"}}); len(events) != 6 {
		t.Errorf("%d events", len(events))
	}
}

// Notices checks that a store hears what another one on the same database does; a backend with one process has one store for both.
func Notices(t *testing.T, listener, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan store.Notice, 100), make(chan struct{})
	go func() { listener.Notices(ctx, func(n store.Notice) { heard <- n }); close(ended) }()
	await := func(what string, ok func(store.Notice) bool) {
		t.Helper()
		for {
			select {
			case n := <-heard:
				if ok(n) {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatal("not heard: " + what)
			}
		}
	}
	await("the beginning", func(n store.Notice) bool { return n.All && n.Work })
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	mustPlan(t, s, Consumer{Name: "orders", Lane: oneLane})
	await("work", func(n store.Notice) bool { return n.Work })
	finish(t, s, finished(claim(t, s, "orders", 1)[0], holdfast.DeliveryDelivered))
	await("a change", func(n store.Notice) bool { return slices.Contains(n.Streams, stream) })
	if err := s.SendMessage(t.Context(), holdfast.Message{ID: ID(1, 1), Device: "d", Body: []byte("1"), ExpiresAt: time.Now().Add(time.Hour)}, holdfast.AuditEvent{ID: ID(1, 2)}); err != nil {
		t.Fatal(err)
	}
	await("a message", func(n store.Notice) bool { return n.All })
	cancel()
	<-ended
}
