package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func tally(t *testing.T, s store.Store) {
	events := record(t, s, 210)
	from, to := events[20].At, events[190].At
	for _, w := range []store.ShopWindow{
		{From: from, To: to, Others: true},
		{From: from, To: to, Shops: []string{"shop-1", "shop-77"}},
		{From: from, To: to, Shops: []string{"shop-1", ""}},
		{From: from, To: to, Shops: []string{"shop-1"}, Others: true},
		{From: from, To: to},
		{From: to, To: from, Others: true},
		{To: to, Others: true},
	} {
		got, err := s.Tally(t.Context(), w)
		if err != nil || !slices.Equal(got, tallied(events, w)) {
			t.Errorf("%+v: got %+v %v, want %+v", w, got, err, tallied(events, w))
		}
	}
}

func tallied(events []holdfast.AuditEvent, w store.ShopWindow) (all []store.ShopTally) {
	shops, sessions := map[string]*store.ShopTally{}, map[string]bool{}
	for _, e := range events {
		shop := e.Context.Shop
		if e.At.Before(w.From) || !e.At.Before(w.To) || slices.Contains(w.Shops, shop) == w.Others {
			continue
		}
		if shops[shop] == nil {
			shops[shop] = &store.ShopTally{Shop: shop}
		}
		c := shops[shop]
		c.Events++
		if key := shop + "/" + e.Context.Session; e.Context.Session != "" && !sessions[key] {
			sessions[key] = true
			c.Sessions++
		}
		if e.First > 0 && slices.Contains([]holdfast.AuditAction{holdfast.ActionAccepted, holdfast.ActionResent}, e.Action) {
			c.Transactions += e.Last - e.First + 1
		}
		if e.Outcome != holdfast.OutcomeSuccess {
			c.Failures++
		}
	}
	for _, shop := range slices.Sorted(maps.Keys(shops)) {
		all = append(all, *shops[shop])
	}
	return all
}

func staysOpen(t *testing.T, s store.Store) {
	tell := func(action holdfast.AuditAction, stream int, seq int64) {
		t.Helper()
		e := holdfast.AuditEvent{
			ID: ID(0xe0, 1), Action: action, Stream: ID(0x55, stream), First: seq, Last: seq, Transaction: ID(0x33, int(seq)),
			Context: holdfast.RequestContext{Shop: fmt.Sprint("shop-", stream)},
		}
		if err := s.Record(t.Context(), []holdfast.AuditEvent{e}); err != nil {
			t.Fatal(err)
		}
	}
	const q, f, r, d = holdfast.ActionQuarantined, holdfast.ActionFailed, holdfast.ActionRepaired, holdfast.ActionDelivered
	tell(q, 1, 5) // stays open
	tell(q, 1, 6)
	tell(q, 2, 5) // the same seq of another stream
	tell(r, 1, 6) // closed
	tell(q, 1, 7)
	tell(r, 1, 7)
	tell(f, 1, 7) // closed and opened again
	tell(q, 1, 5) // opened twice
	tell(holdfast.ActionAccepted, 1, 8)
	if err := s.Record(t.Context(), []holdfast.AuditEvent{{Action: q, Stream: ID(0x55, 1), First: 20, Last: 22}}); err != nil { // a run
		t.Fatal(err)
	}
	events := mustEvents(t, s, store.AuditFilter{})
	end := events[len(events)-1].At.Add(time.Second)
	ask := func(before time.Time, limit int) string {
		t.Helper()
		open, err := s.Open(t.Context(), store.OpenQuery{
			Before: before, Limit: limit, Opened: []holdfast.AuditAction{q, f}, Closed: []holdfast.AuditAction{r, d},
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, o := range open {
			at := slices.IndexFunc(events, func(e holdfast.AuditEvent) bool { return e.Stream == o.Stream && e.First == o.Seq && e.At.Equal(o.At) })
			all = append(all, fmt.Sprintf("%s/%d@%d", o.Shop, o.Seq, at))
			if o.Stream.IsZero() || at < 0 {
				t.Fatalf("%+v", o)
			}
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct{ got, want string }{
		{ask(end, 10), "shop-1/5@0 shop-2/5@2 shop-1/7@6"},
		{ask(end, 2), "shop-1/5@0 shop-2/5@2"},
		{ask(events[3].At, 10), "shop-1/5@0 shop-1/6@1 shop-2/5@2"}, // before it was closed
		{ask(events[0].At, 10), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	none, err := s.Open(t.Context(), store.OpenQuery{Before: end, Limit: 10})
	if err != nil || len(none) != 0 {
		t.Fatal(none, err)
	}
}

func places(t *testing.T, s store.Store) {
	for w := range 3 {
		mustAppend(t, s, Step(ID(0x55, w), holdfast.Head{}, 1, w+1))
	}
	for seq, want := range map[int64]int{1: 3, 2: 2, 3: 1, 4: 0} {
		all, err := s.Places(t.Context(), Transaction(1, seq).ID)
		if err != nil || len(all) != want {
			t.Fatalf("%d: %+v %v", seq, all, err)
		}
		for i, p := range all {
			if p.Stream != ID(0x55, 3-want+i) || p.Seq != seq {
				t.Fatalf("%+v", p)
			}
		}
	}
}

func segment(n int64, previous holdfast.Hash) holdfast.AuditSegment {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	return holdfast.AuditSegment{
		Number: n, Hour: at.Add(time.Duration(n) * time.Hour), Backfill: n%2 == 0, Rows: 1000 + n, Hash: holdfast.HashOf(fmt.Append(nil, n)),
		Previous: previous, Manifest: []byte("manifest\nünï\n"), SealedAt: at.Add(123 * time.Microsecond),
	}
}

func segments(t *testing.T, s store.Store) {
	ctx, e := t.Context(), Event(1)
	if _, err := s.LastSegment(ctx); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	refused := func(g holdfast.AuditSegment) {
		t.Helper()
		if err := s.AppendSegment(ctx, g, e); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("segment %d: %v", g.Number, err)
		}
	}
	refused(segment(2, holdfast.Hash{}))
	refused(segment(0, holdfast.Hash{}))
	refused(segment(1, holdfast.HashOf(nil)))
	var previous holdfast.Hash
	for n := int64(1); n <= 5; n++ {
		g := segment(n, previous)
		if err := s.AppendSegment(ctx, g, e); err != nil {
			t.Fatal(err)
		}
		refused(g)
		refused(segment(n+1, previous))
		refused(segment(n+2, g.Hash))
		refused(segment(1, holdfast.Hash{}))
		if last, err := s.LastSegment(ctx); err != nil || fmt.Sprint(last) != fmt.Sprint(g) {
			t.Fatalf("%+v %v", last, err)
		}
		previous = g.Hash
	}
	for _, c := range [][3]int64{{1, 10, 5}, {0, 2, 2}, {4, 10, 2}, {6, 10, 0}, {1, 0, 0}} {
		all, err := s.Segments(ctx, c[0], int(c[1]))
		if err != nil || int64(len(all)) != c[2] {
			t.Fatalf("%v: %d %v", c, len(all), err)
		}
		for i, g := range all {
			if g.Number != max(c[0], 1)+int64(i) {
				t.Fatalf("%v: %+v", c, g)
			}
		}
	}
	if events := mustEvents(t, s, store.AuditFilter{}); len(events) != 5 {
		t.Fatalf("%d events", len(events))
	}
}

func oneAppendsASegment(t *testing.T, s store.Store) {
	var previous holdfast.Hash
	for n := int64(1); n <= 4; n++ {
		var wins atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch err := s.AppendSegment(t.Context(), segment(n, previous), Event(1)); {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("%d winners", wins.Load())
		}
		previous = segment(n, previous).Hash
	}
	if events := mustEvents(t, s, store.AuditFilter{}); len(events) != 4 {
		t.Fatalf("%d events", len(events))
	}
}

func sealingExcludes(t *testing.T, s store.Store) {
	ctx := t.Context()
	stop := errors.New("stop")
	for range 2 {
		ran, err := s.Sealing(ctx, func(ctx context.Context) error {
			if ran, err := s.Sealing(ctx, func(context.Context) error { return stop }); ran || err != nil {
				t.Error("two seal at once:", err)
			}
			return s.AppendSegment(ctx, segment(99, holdfast.Hash{}), Event(1))
		})
		if !ran || !errors.Is(err, store.ErrConflict) {
			t.Fatal(ran, err)
		}
	}
	if ran, err := s.Sealing(ctx, func(context.Context) error { return stop }); !ran || !errors.Is(err, stop) {
		t.Fatal(ran, err)
	}
}

func countRows(t *testing.T, s store.Store) {
	events := record(t, s, 50)
	from, to := events[10].At, events[40].At
	want := map[time.Time]int64{}
	for _, e := range events {
		if !e.At.Before(from) && e.At.Before(to) {
			want[e.At.Truncate(time.Hour)]++
		}
	}
	if got, err := s.CountRows(t.Context(), from, to); err != nil || !maps.Equal(got, want) {
		t.Fatalf("got %v %v, want %v", got, err, want)
	}
	if got, err := s.CountRows(t.Context(), to, from); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
}

func maintainKeepsTheYoung(t *testing.T, s store.Store) {
	record(t, s, 20)
	for _, before := range []time.Time{{}, time.Now().Add(-1000 * time.Hour), time.Now().Add(1000 * time.Hour)} {
		released, err := s.Maintain(t.Context(), before)
		if err != nil || len(released) != 0 {
			t.Fatal(released, err)
		}
	}
	if events := mustEvents(t, s, store.AuditFilter{}); len(events) != 20 {
		t.Fatalf("%d events", len(events))
	}
}
