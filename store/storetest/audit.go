package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// auditTests are those of the audit log.
var auditTests = []struct {
	name string
	test func(*testing.T, store.Store)
}{
	{"EventsComeBackWhole", eventsComeBackWhole},
	{"EventsOfAWonStep", eventsOfAWonStep},
	{"EventsOfALostStepAreNotThere", eventsOfALostStepAreNotThere},
	{"EventsOfNeighboursStay", eventsOfNeighboursStay},
	{"EachFilter", eachFilter},
	{"CombinedFilters", combinedFilters},
	{"TextIsNoPattern", textIsNoPattern},
	{"TimesAreHalfOpen", timesAreHalfOpen},
	{"Pages", pages},
	{"BadTextIsReplaced", badTextIsReplaced},
	{"ASessionBeginsOnce", aSessionBeginsOnce},
	{"Tally", tally},
	{"StaysOpen", staysOpen},
	{"Places", places},
	{"Segments", segments},
	{"OneAppendsASegment", oneAppendsASegment},
	{"SealingExcludes", sealingExcludes},
	{"CountRows", countRows},
	{"MaintainKeepsTheYoung", maintainKeepsTheYoung},
	{"NoEvents", noEvents},
}

// Event is number n of many different ones, the same each time.
func Event(n int) holdfast.AuditEvent {
	pick := func(kind string, of int) string { return fmt.Sprintf("%s-%d", kind, n%of) }
	e := holdfast.AuditEvent{
		ID:       ID(0xe0, n),
		ClientAt: time.Date(2026, 11, 20, 10, 0, n%60, 7000, time.UTC),
		Action: []holdfast.AuditAction{
			holdfast.ActionAccepted, holdfast.ActionQuarantined, holdfast.ActionRefused, holdfast.ActionDenied, holdfast.ActionResent,
		}[n%5],
		Outcome: []holdfast.AuditOutcome{holdfast.OutcomeSuccess, holdfast.OutcomeFailure, holdfast.OutcomeDenied}[n%3],
		Code:    holdfast.Code(pick("code", 4)),
		Actor:   holdfast.AuditActor{Kind: pick("kind", 2), ID: pick("actor", 7), Scope: holdfast.ScopeDevice},
		Target:  holdfast.AuditTarget{Kind: pick("aim", 3), ID: pick("target", 11)},
		Context: holdfast.RequestContext{
			Correlation: fmt.Sprintf("Corr-%d", n%13), Shop: pick("shop", 3), User: pick("user", 5), Device: pick("device", 6), Session: pick("session", 8),
			AppVersion: "1.2.3", Traceparent: fmt.Sprintf("00-4bf92f3577b34da6a3ce929d0e0e%04d-00f067aa0ba902b7-01", n%9),
		},
		Stream: ID(0x55, n%4), First: int64(n%10) + 1, Last: int64(n%10 + n%3 + 1), Transaction: ID(0x33, n%10),
		Consumer: pick("consumer", 3), Reference: pick("R", 12), Address: pick("192.0.2", 5), Node: pick("node", 2), Epoch: 1,
		Details: fmt.Appendf(nil, `{"n":%d,"why":"Ünï 😀 'quoted' 100%% a_b"}`, n),
	}
	if n%7 == 0 { // little is known
		e = holdfast.AuditEvent{ID: e.ID, Action: e.Action, Outcome: e.Outcome, Epoch: 1}
	}
	return e
}

// record writes events 0 to n-1, some in each call, and returns them as they are held.
func record(t testing.TB, s store.Store, n int) []holdfast.AuditEvent {
	t.Helper()
	for i := 0; i < n; i += 7 {
		var some []holdfast.AuditEvent
		for k := i; k < min(i+7, n); k++ {
			some = append(some, Event(k))
		}
		if err := s.Record(t.Context(), some); err != nil {
			t.Fatal(err)
		}
	}
	return mustEvents(t, s, store.AuditFilter{})
}

func mustEvents(t testing.TB, s store.Store, f store.AuditFilter) []holdfast.AuditEvent {
	t.Helper()
	events, err := s.Events(t.Context(), store.AuditPage{Filter: f, Limit: 10_000})
	if err != nil {
		t.Fatalf("events: %v", err)
	}
	return events
}

// same compares what the caller gave.
func same(got, want holdfast.AuditEvent) bool {
	got.Position, got.At = 0, time.Time{}
	want.Position, want.At = 0, time.Time{}
	return fmt.Sprintf("%+v", got) == fmt.Sprintf("%+v", want)
}

func eventsComeBackWhole(t *testing.T, s store.Store) {
	before := time.Now().Add(-time.Minute)
	events := record(t, s, 100)
	if len(events) != 100 {
		t.Fatalf("%d events", len(events))
	}
	for i, e := range events {
		if !same(e, Event(i)) {
			t.Fatalf("got\n%+v, want\n%+v", e, Event(i))
		}
		if e.At.Before(before) || time.Since(e.At) < -time.Minute || e.At.Location() != time.UTC || e.At.Nanosecond()%1000 != 0 {
			t.Fatalf("at %v", e.At)
		}
		if i > 0 && (e.At.Before(events[i-1].At) || e.At.Equal(events[i-1].At) && e.Position <= events[i-1].Position) {
			t.Fatalf("event %d is out of order", i)
		}
	}
	big := Event(1)
	big.Details = []byte(`{"why":"` + strings.Repeat("ü😀", 16<<10/6) + `"}`)
	big.Epoch = 77 // set by the store
	big.ClientAt = time.Time{}
	if err := s.Record(t.Context(), []holdfast.AuditEvent{big}); err != nil {
		t.Fatal(err)
	}
	got := mustEvents(t, s, store.AuditFilter{})[100]
	if big.Epoch = 1; !same(got, big) || !bytes.Equal(got.Details, big.Details) {
		t.Fatalf("%+v", got)
	}
	first, err := s.FirstEvent(t.Context())
	if err != nil || !first.Equal(events[0].At) {
		t.Fatal(first, err)
	}
}

func eventsOfAWonStep(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 3)
	a.Events = []holdfast.AuditEvent{Event(1), Event(2), Event(7)}
	mustAppend(t, s, a)
	b := Step(stream, a.Next, 1, 1)
	b.Events = []holdfast.AuditEvent{Event(3)}
	mustAppend(t, s, b)
	events := mustEvents(t, s, store.AuditFilter{})
	if len(events) != 4 {
		t.Fatalf("%d events", len(events))
	}
	for i, n := range []int{1, 2, 7, 3} {
		if !same(events[i], Event(n)) {
			t.Fatalf("got\n%+v, want\n%+v", events[i], Event(n))
		}
	}
}

func eventsOfALostStepAreNotThere(t *testing.T, s store.Store) {
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	stale := Step(stream, holdfast.Head{AcceptedThrough: 2, Digest: head.Digest, Owner: head.Owner}, 2, 1)
	early := Step(ID(0x55, 2), holdfast.Head{}, 1, 1)
	early.Epoch = 2
	held := Step(stream, head, 1, 2)
	held.Transactions[1].ID = Transaction(1, 2).ID
	for i, a := range []*store.Append{stale, early, held} {
		a.Events = []holdfast.AuditEvent{Event(i)}
		mustConflict(t, s, a)
	}
	if events := mustEvents(t, s, store.AuditFilter{}); len(events) != 0 {
		t.Fatalf("%+v", events)
	}
}

func eventsOfNeighboursStay(t *testing.T, s store.Store) {
	badHead := mustAppend(t, s, Step(ID(0x66, 0), holdfast.Head{}, 1, 2))
	const good, steps = 16, 10
	var wg sync.WaitGroup
	for w := range good {
		wg.Go(func() {
			var head holdfast.Head
			for i := range steps {
				a := Step(ID(0x55, w), head, 1, 2)
				e := Event(1)
				e.Stream, e.First = a.Stream, int64(i)+1
				a.Events = []holdfast.AuditEvent{e}
				if err := s.Append(t.Context(), a); err != nil {
					t.Errorf("stream %d: %v", w, err)
					return
				}
				head = a.Next
				bad := Step(ID(0x66, 0), badHead, 1, 1)
				bad.Batch.Correlation = ID(0x90+byte(w), i)
				bad.Transactions[0].ID = Transaction(1, 1).ID
				bad.Events = []holdfast.AuditEvent{Event(2)}
				if err := s.Append(t.Context(), bad); !errors.Is(err, store.ErrConflict) {
					t.Errorf("a bad step: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for w := range good {
		if events := mustEvents(t, s, store.AuditFilter{Stream: ID(0x55, w)}); len(events) != steps {
			t.Errorf("stream %d: %d events", w, len(events))
		}
	}
	if events := mustEvents(t, s, store.AuditFilter{}); len(events) != good*steps {
		t.Errorf("%d events", len(events))
	}
}

func badTextIsReplaced(t *testing.T, s store.Store) {
	e := Event(1)
	e.Context.User, e.Target.ID, e.Details = "a\x00b", "\xff\xfe", []byte("\xc3(")
	e.ClientAt = time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)
	a := Step(stream, holdfast.Head{}, 1, 1)
	a.Events = []holdfast.AuditEvent{e}
	mustAppend(t, s, a)
	got := mustEvents(t, s, store.AuditFilter{User: "a\x00b"})
	if len(got) != 1 || got[0].Context.User != "a\ufffdb" || got[0].Target.ID != "\ufffd" || string(got[0].Details) != "\ufffd(" || !got[0].ClientAt.IsZero() {
		t.Fatalf("%+v", got)
	}
	if got := mustEvents(t, s, store.AuditFilter{Text: "A\x00B", Target: "\xff"}); len(got) != 1 {
		t.Fatalf("%+v", got)
	}
}

func aSessionBeginsOnce(t *testing.T, s store.Store) {
	begin := func(session, device string) bool {
		e := Event(1)
		e.Action, e.Context.Session, e.Context.Device = holdfast.ActionSession, session, device
		first, err := s.BeginSession(t.Context(), e)
		if err != nil {
			t.Error(err)
		}
		return first
	}
	var firsts [4]int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range firsts {
				if begin(fmt.Sprintf("s%d", i), "d") {
					mu.Lock()
					firsts[i]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if firsts != [4]int{1, 1, 1, 1} {
		t.Fatal(firsts)
	}
	if !begin("s1", "another device") || begin("s1", "another device") || !begin("", "") || begin("", "") {
		t.Fatal("a session is one of a device")
	}
	if events := mustEvents(t, s, store.AuditFilter{Actions: []holdfast.AuditAction{holdfast.ActionSession}}); len(events) != 6 {
		t.Fatalf("%d events", len(events))
	}
}

func noEvents(t *testing.T, s store.Store) {
	if err := s.Record(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if events := mustEvents(t, s, store.AuditFilter{}); len(events) != 0 {
		t.Fatalf("%+v", events)
	}
	if _, err := s.FirstEvent(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if all, err := s.Tally(t.Context(), store.ShopWindow{To: time.Now(), Others: true}); err != nil || len(all) != 0 {
		t.Fatalf("%+v %v", all, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context(), []holdfast.AuditEvent{Event(1)}); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if _, err := s.Events(t.Context(), store.AuditPage{Limit: 1}); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
}

// numbers are those of the ids, for messages.
func numbers(events []holdfast.AuditEvent) (all []int) {
	for _, e := range events {
		all = append(all, int(e.ID[14])<<8|int(e.ID[15]))
	}
	return all
}

func sameEvents(a, b []holdfast.AuditEvent) bool {
	return slices.EqualFunc(a, b, func(a, b holdfast.AuditEvent) bool { return a.Position == b.Position && a.At.Equal(b.At) && same(a, b) })
}
