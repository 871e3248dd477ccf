package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// matches is the plainest meaning of a filter.
func matches(f store.AuditFilter, e holdfast.AuditEvent) bool {
	equal := func(want, have string) bool { return want == "" || want == have }
	return (f.Since.IsZero() || !e.At.Before(f.Since)) && (f.Until.IsZero() || e.At.Before(f.Until)) &&
		(len(f.Actions) == 0 || slices.Contains(f.Actions, e.Action)) && (len(f.Outcomes) == 0 || slices.Contains(f.Outcomes, e.Outcome)) &&
		equal(string(f.Code), string(e.Code)) && equal(f.ActorKind, e.Actor.Kind) && equal(f.Actor, e.Actor.ID) &&
		equal(f.TargetKind, e.Target.Kind) && equal(f.Target, e.Target.ID) && equal(f.Shop, e.Context.Shop) && equal(f.User, e.Context.User) &&
		equal(f.Device, e.Context.Device) && equal(f.Session, e.Context.Session) &&
		equal(strings.ToLower(f.Correlation), strings.ToLower(e.Context.Correlation)) && equal(f.Trace, e.Trace()) &&
		equal(f.Consumer, e.Consumer) && equal(f.Reference, e.Reference) && equal(f.Address, e.Address) && equal(f.Node, e.Node) &&
		(f.Stream.IsZero() || f.Stream == e.Stream) && (f.Transaction.IsZero() || f.Transaction == e.Transaction) &&
		(f.Seq == 0 || e.First != 0 && e.First <= f.Seq && f.Seq <= e.Last) && (f.Text == "" || contains(e, f.Text))
}

func contains(e holdfast.AuditEvent, text string) bool {
	c := e.Context
	return slices.ContainsFunc([]string{
		string(e.Action), string(e.Code), e.Target.Kind, e.Target.ID, c.Shop, c.User, c.Device, c.Session, c.AppVersion, c.Correlation, c.Traceparent,
		e.Consumer, e.Reference, string(e.Details),
	}, func(s string) bool { return strings.Contains(asciiLower(s), asciiLower(text)) })
}

func asciiLower(s string) string {
	b := []byte(s)
	for i := range b {
		if 'A' <= b[i] && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

func filtered(events []holdfast.AuditEvent, f store.AuditFilter) (some []holdfast.AuditEvent) {
	for _, e := range events {
		if matches(f, e) {
			some = append(some, e)
		}
	}
	return some
}

// members of a filter, each with values that some events have and one that none has.
var members = map[string]func(f *store.AuditFilter, n int){
	"actions": func(f *store.AuditFilter, n int) {
		f.Actions = []holdfast.AuditAction{Event(n).Action, "an.other"}
	},
	"two actions": func(f *store.AuditFilter, n int) {
		f.Actions = []holdfast.AuditAction{Event(n).Action, Event(n + 1).Action}
	},
	"outcomes":    func(f *store.AuditFilter, n int) { f.Outcomes = []holdfast.AuditOutcome{Event(n).Outcome} },
	"code":        func(f *store.AuditFilter, n int) { f.Code = Event(n).Code },
	"actor kind":  func(f *store.AuditFilter, n int) { f.ActorKind = Event(n).Actor.Kind },
	"actor":       func(f *store.AuditFilter, n int) { f.Actor = Event(n).Actor.ID },
	"target kind": func(f *store.AuditFilter, n int) { f.TargetKind = Event(n).Target.Kind },
	"target":      func(f *store.AuditFilter, n int) { f.Target = Event(n).Target.ID },
	"shop":        func(f *store.AuditFilter, n int) { f.Shop = Event(n).Context.Shop },
	"user":        func(f *store.AuditFilter, n int) { f.User = Event(n).Context.User },
	"device":      func(f *store.AuditFilter, n int) { f.Device = Event(n).Context.Device },
	"session":     func(f *store.AuditFilter, n int) { f.Session = Event(n).Context.Session },
	"correlation": func(f *store.AuditFilter, n int) { f.Correlation = strings.ToUpper(Event(n).Context.Correlation) },
	"trace":       func(f *store.AuditFilter, n int) { e := Event(n); f.Trace = e.Trace() },
	"consumer":    func(f *store.AuditFilter, n int) { f.Consumer = Event(n).Consumer },
	"reference":   func(f *store.AuditFilter, n int) { f.Reference = Event(n).Reference },
	"address":     func(f *store.AuditFilter, n int) { f.Address = Event(n).Address },
	"node":        func(f *store.AuditFilter, n int) { f.Node = Event(n).Node },
	"stream":      func(f *store.AuditFilter, n int) { f.Stream = Event(n).Stream },
	"seq":         func(f *store.AuditFilter, n int) { f.Seq = Event(n).Last },
	"transaction": func(f *store.AuditFilter, n int) { f.Transaction = Event(n).Transaction },
	"text":        func(f *store.AuditFilter, n int) { f.Text = strings.ToUpper(Event(n).Reference) },
}

func eachFilter(t *testing.T, s store.Store) {
	events := record(t, s, 210)
	for name, set := range members {
		for _, n := range []int{1, 2, 3, 4, 5, 6, 60_001} {
			var f store.AuditFilter
			set(&f, n)
			want := filtered(events, f)
			if n < 7 && (len(want) == 0 || len(want) == len(events)) {
				t.Errorf("%s: the test tells nothing: %d", name, len(want))
			}
			if got := mustEvents(t, s, f); !sameEvents(got, want) {
				t.Errorf("%s %d: got %v, want %v", name, n, numbers(got), numbers(want))
			}
		}
	}
	for name, f := range map[string]store.AuditFilter{
		"none": {Shop: "shop-77"}, "no trace": {Trace: "00000000000000000000000000000000"}, "seq": {Seq: -1}, "huge": {Seq: 1 << 62},
		"stream": {Stream: ID(1, 1)}, "action": {Actions: []holdfast.AuditAction{"transaction.%"}},
	} {
		if got := mustEvents(t, s, f); len(got) != 0 {
			t.Errorf("%s: %v", name, numbers(got))
		}
	}
}

func combinedFilters(t *testing.T, s store.Store) {
	events := record(t, s, 210)
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(r *rapid.T) {
		var f store.AuditFilter
		n := rapid.IntRange(1, 209).Draw(r, "n")
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(r, "members") {
			members[name](&f, n+rapid.SampledFrom([]int{0, 0, 0, 0, 1}).Draw(r, "off"))
		}
		if rapid.Bool().Draw(r, "since") {
			f.Since = events[rapid.IntRange(0, 209).Draw(r, "from")].At
		}
		if rapid.Bool().Draw(r, "until") {
			f.Until = events[rapid.IntRange(0, 209).Draw(r, "to")].At
		}
		got, err := s.Events(t.Context(), store.AuditPage{Filter: f, Limit: 1000})
		if want := filtered(events, f); err != nil || !sameEvents(got, want) {
			r.Fatalf("%+v: got %v %v, want %v", f, numbers(got), err, numbers(want))
		}
	})
}

func textIsNoPattern(t *testing.T, s store.Store) {
	var events []holdfast.AuditEvent
	for i, text := range []string{"100%", "1000", "a_b", "axb", `it's`, `"q"`, `back\slash`, "straße", "ÜBER", "über", "--; DROP", "$1", "?", "*/"} {
		events = append(events, holdfast.AuditEvent{ID: ID(0xe0, i), Action: "x", Target: holdfast.AuditTarget{ID: text}})
	}
	if err := s.Record(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	events = mustEvents(t, s, store.AuditFilter{})
	for text, want := range map[string]int{
		"100%": 1, "%": 1, "_": 1, "A_B": 1, "'": 1, `"Q"`: 1, `\`: 1, "STRASSE": 0, "straße": 1, "STRAßE": 1, "über": 1, "Über": 1, "ÜBER": 1, "ber": 2,
		"--; drop": 1, "$1": 1, "?": 1, "*": 1, "": 14, "x": 14, "1": 3, "zz": 0,
	} {
		f := store.AuditFilter{Text: text}
		if got := mustEvents(t, s, f); !sameEvents(got, filtered(events, f)) || text != "Über" && len(got) != want {
			t.Errorf("%q: %v", text, numbers(got))
		}
		if text == "" {
			continue
		}
		f = store.AuditFilter{Target: text}
		if got := mustEvents(t, s, f); !sameEvents(got, filtered(events, f)) {
			t.Errorf("target %q: %v", text, numbers(got))
		}
	}
}

func timesAreHalfOpen(t *testing.T, s store.Store) {
	events := record(t, s, 50)
	for _, e := range events {
		for _, off := range []time.Duration{-time.Microsecond, -1, 0, 1, time.Microsecond} {
			for _, f := range []store.AuditFilter{{Since: e.At.Add(off)}, {Until: e.At.Add(off)}, {Since: e.At, Until: e.At.Add(off)}} {
				if got := mustEvents(t, s, f); !sameEvents(got, filtered(events, f)) {
					t.Fatalf("%+v: %v", f, numbers(got))
				}
			}
		}
	}
	if got := mustEvents(t, s, store.AuditFilter{Since: events[9].At.In(time.FixedZone("far", 13*3600))}); !sameEvents(got, filtered(events, store.AuditFilter{Since: events[9].At})) {
		t.Fatal("the zone matters")
	}
}

func pages(t *testing.T, s store.Store) {
	events := record(t, s, 60)
	equal := false
	for i := range events[1:] {
		equal = equal || events[i].At.Equal(events[i+1].At)
	}
	if !equal {
		t.Fatal("no two events have the same time")
	}
	f := store.AuditFilter{Outcomes: []holdfast.AuditOutcome{holdfast.OutcomeSuccess, holdfast.OutcomeDenied}}
	want := filtered(events, f)
	for _, descending := range []bool{false, true} {
		for size := 1; size <= len(want)+1; size++ {
			page := store.AuditPage{Filter: f, Limit: size, Descending: descending}
			var got []holdfast.AuditEvent
			for {
				some, err := s.Events(t.Context(), page)
				if err != nil || len(some) > size {
					t.Fatal(len(some), err)
				}
				if len(some) == 0 {
					break
				}
				got = append(got, some...)
				last := some[len(some)-1]
				page.After = &store.AuditPoint{At: last.At, Position: last.Position}
			}
			if !sameEvents(got, want) {
				t.Fatalf("in pages of %d (descending: %v): %v, want %v", size, descending, numbers(got), numbers(want))
			}
		}
		slices.Reverse(want)
	}
}
