package audit_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	_ "modernc.org/sqlite"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/audit"
	"github.com/holdfast-sync/holdfast/redact"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/sqlite"
)

// memory is a site in memory that can be told to fail.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	down    bool
}

func (m *memory) Put(_ context.Context, name string, octets []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errors.New("down")
	}
	if old, ok := m.objects[name]; ok && string(old) != string(octets) {
		return audit.ErrOccupied
	}
	m.objects[name] = slices.Clone(octets)
	return nil
}

func (m *memory) Get(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errors.New("down")
	}
	if octets, ok := m.objects[name]; ok {
		return slices.Clone(octets), nil
	}
	return nil, audit.ErrNoObject
}

// shifted is a store whose events happened some time ago, for sealing closed hours.
type bench struct {
	*testing.T
	store      *sqlite.Store
	dir        string
	log        *audit.Log
	key        ed25519.PrivateKey
	east, west *memory
	ahead      time.Duration // how far the sealer's clock is ahead
}

func quiet() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), east: &memory{objects: map[string][]byte{}}, west: &memory{objects: map[string][]byte{}}}
	m, err := sqlite.NewMigrator(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context(), func(store.Migration) {}); err != nil {
		t.Fatal(err)
	}
	_ = m.Close()
	if b.store, err = sqlite.Open(t.Context(), sqlite.Config{Dir: b.dir, Logger: quiet()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	b.log, err = audit.New(audit.Config{
		Store: b.store, Redact: redact.Default.Append, Logger: quiet(), Node: "n1", Now: b.now,
		Zones: audit.Zones{Shops: map[string]*time.Location{"0042": berlin}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, b.key, _ = ed25519.GenerateKey(rand.Reader)
	return b
}

func (b *bench) now() time.Time { return time.Now().Add(b.ahead) }

func (b *bench) record(events ...holdfast.AuditEvent) {
	b.Helper()
	for i := range events {
		if events[i].ID.IsZero() {
			events[i].ID = holdfast.NewID(time.Now())
		}
		if events[i].Outcome == "" {
			events[i].Outcome = holdfast.OutcomeSuccess
		}
	}
	if err := b.store.Record(b.Context(), events); err != nil {
		b.Fatal(err)
	}
}

// raw changes the database as somebody would who has it in his hands: without the triggers.
func (b *bench) raw(statements ...string) {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.dir, "holdfast.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(b.Context(), "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	triggers := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			b.Fatal(err)
		}
		triggers[name] = text
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	for name := range triggers {
		statements = append([]string{"DROP TRIGGER " + name}, statements...)
	}
	for _, text := range triggers {
		statements = append(statements, text)
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatalf("%s: %v", statement, err)
		}
	}
}

// longAgo makes everything so far have happened three hours ago.
func (b *bench) longAgo() {
	b.Helper()
	b.raw(fmt.Sprintf("UPDATE audit_events SET at = at - %d", (3 * time.Hour).Microseconds()))
}

func (b *bench) sealer() *audit.Sealer {
	b.Helper()
	s, err := audit.NewSealer(audit.SealerConfig{
		Store: b.store, Archives: map[string]audit.Archive{"east": b.east, "west": b.west}, Key: b.key, Node: "n1", Logger: quiet(), Now: b.now, Redact: redact.Default.Append,
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bench) seal() {
	b.Helper()
	if err := b.sealer().Round(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) verify() audit.Verification {
	b.Helper()
	public, _ := b.key.Public().(ed25519.PublicKey)
	v, err := audit.Verify(b.Context(), audit.VerifyConfig{
		Store: b.store, Archives: map[string]audit.Archive{"east": b.east, "west": b.west}, Keys: []ed25519.PublicKey{public}, Now: b.now,
	})
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// wantFound checks that exactly these kinds were found.
func (b *bench) wantFound(kinds ...string) audit.Verification {
	b.Helper()
	v := b.verify()
	var got []string
	for _, f := range v.Findings {
		if !slices.Contains(got, f.Kind) {
			got = append(got, f.Kind)
		}
	}
	slices.Sort(got)
	slices.Sort(kinds)
	if !slices.Equal(got, kinds) || v.OK() != (len(kinds) == 0 || slices.Equal(kinds, []string{audit.FoundLate}) || slices.Equal(kinds, []string{audit.FoundReleased})) {
		b.Fatalf("found %v (ok %v), want %v: %+v", got, v.OK(), kinds, v.Findings)
	}
	return v
}

// sealed is a bench with some events in a sealed hour and quiet ones behind.
func sealed(t *testing.T) *bench {
	b := newBench(t)
	for i := range 10 {
		b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted, Details: []byte(fmt.Sprintf(`{"n":%d}`, i))})
	}
	b.longAgo()
	b.seal()
	return b
}

func TestSealedHoursVerify(t *testing.T) {
	b := sealed(t)
	v := b.wantFound()
	if v.Segments < 2 || v.Rows != 10 || v.Last == "" || len(b.east.objects) != int(v.Segments) || len(b.west.objects) != int(v.Segments) {
		t.Fatalf("%+v, %d and %d objects", v, len(b.east.objects), len(b.west.objects))
	}
	b.seal() // nothing is due
	if again := b.verify(); again.Segments != v.Segments || again.Last != v.Last {
		t.Fatalf("%+v, then %+v", v, again)
	}
}

func TestTamperingIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		found     []string
	}{
		"changed details":   {"UPDATE audit_events SET details = '{}' WHERE position = 3", []string{audit.FoundChanged}},
		"changed action":    {"UPDATE audit_events SET action = 'transaction.delivered' WHERE position = 3", []string{audit.FoundChanged}},
		"changed time":      {"UPDATE audit_events SET at = at + 1 WHERE position = 3", []string{audit.FoundChanged}},
		"changed store":     {"UPDATE audit_events SET shop = '0666' WHERE position = 3", []string{audit.FoundChanged}},
		"removed":           {"DELETE FROM audit_events WHERE position = 5", []string{audit.FoundRemoved}},
		"removed the last":  {"DELETE FROM audit_events WHERE position = 10", []string{audit.FoundRemoved}},
		"inserted":          {"INSERT INTO audit_events (at, id, action, outcome, epoch) SELECT at, randomblob(16), action, outcome, epoch FROM audit_events WHERE position = 4", []string{audit.FoundInserted}},
		"segment forgotten": {"DELETE FROM audit_segments WHERE number = (SELECT max(number) FROM audit_segments)", []string{audit.FoundChain}},
		"segment's record":  {"UPDATE audit_segments SET hash = randomblob(32) WHERE number = 1", []string{audit.FoundChain}},
	} {
		t.Run(name, func(t *testing.T) {
			b := sealed(t)
			b.raw(c.statement)
			v := b.wantFound(c.found...)
			if f := v.Findings[0]; f.Kind != audit.FoundChain && f.Hour.IsZero() {
				t.Errorf("it does not say which hour: %+v", f)
			}
		})
	}
}

func TestTamperingWithSegmentsIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(b *bench)
		found  []string
	}{
		"one site forged": {func(b *bench) {
			b.west.objects[audit.SegmentName(1)] = append(slices.Clone(b.west.objects[audit.SegmentName(1)]), "1 x y\n"...)
		}, []string{audit.FoundChain}},
		"signed by another": {func(b *bench) { _, b.key, _ = ed25519.GenerateKey(rand.Reader) }, []string{audit.FoundChain}},
		"gone in one site":  {func(b *bench) { delete(b.east.objects, audit.SegmentName(1)) }, []string{audit.FoundSite}},
		"gone in all": {func(b *bench) {
			delete(b.east.objects, audit.SegmentName(1))
			delete(b.west.objects, audit.SegmentName(1))
		}, []string{audit.FoundChain, audit.FoundSite}},
		"swapped": {func(b *bench) {
			for _, m := range []*memory{b.east, b.west} {
				m.objects[audit.SegmentName(1)], m.objects[audit.SegmentName(2)] = m.objects[audit.SegmentName(2)], m.objects[audit.SegmentName(1)]
			}
		}, []string{audit.FoundChain}},
	} {
		t.Run(name, func(t *testing.T) {
			b := sealed(t)
			c.tamper(b)
			v := b.verify()
			var got []string
			for _, f := range v.Findings {
				if !slices.Contains(got, f.Kind) {
					got = append(got, f.Kind)
				}
			}
			for _, kind := range c.found {
				if !slices.Contains(got, kind) {
					t.Errorf("%v, want %v: %+v", got, c.found, v.Findings)
				}
			}
			if v.OK() {
				t.Error("it is all right")
			}
		})
	}
}

// Events that were committed after their hour had been sealed get a segment of their own.
func TestLateEventsAreBackfilled(t *testing.T) {
	b := sealed(t)
	b.raw("INSERT INTO audit_events (at, id, action, outcome, epoch) SELECT at + 1, randomblob(16), action, outcome, epoch FROM audit_events WHERE position = 4")
	b.wantFound(audit.FoundInserted)
	b.seal()
	b.wantFound(audit.FoundLate)
}

// A site that was down gets what it missed.
func TestASiteCatchesUp(t *testing.T) {
	b := newBench(t)
	b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted})
	b.longAgo()
	b.west.down = true
	s := b.sealer()
	if err := s.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.west.objects) != 0 || len(b.east.objects) == 0 {
		t.Fatal(len(b.west.objects), len(b.east.objects))
	}
	b.west.down = false
	if err := s.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantFound()
}

// With no site at all nothing is sealed, and nothing is said to be.
func TestNoSiteNoSegment(t *testing.T) {
	b := newBench(t)
	b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted})
	b.longAgo()
	b.east.down, b.west.down = true, true
	if err := b.sealer().Round(t.Context()); err == nil {
		t.Fatal("it was sealed")
	}
	if _, err := b.store.LastSegment(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	b.east.down, b.west.down = false, false
	b.wantFound(audit.FoundUnsealed)
	b.seal()
	b.wantFound()
}

// A node that died between the archive and the database is continued by the next.
func TestASegmentThatWasLeftIsTakenOver(t *testing.T) {
	b := newBench(t)
	b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted})
	b.longAgo()
	b.seal()
	first := string(b.east.objects[audit.SegmentName(1)])
	b.raw("DELETE FROM audit_segments") // as if the database had never heard of it
	for name := range b.east.objects {
		if name != audit.SegmentName(1) {
			delete(b.east.objects, name)
			delete(b.west.objects, name)
		}
	}
	b.seal()
	if string(b.east.objects[audit.SegmentName(1)]) != first {
		t.Fatal("the segment changed")
	}
	b.wantFound()
}

func TestRefusalsAreFolded(t *testing.T) {
	b := newBench(t)
	r, err := audit.NewRecorder(audit.RecorderConfig{Store: b.store, Logger: quiet(), Redact: redact.Default.Append, Node: "n1", MaxWaiting: 8})
	if err != nil {
		t.Fatal(err)
	}
	ctx := holdfast.WithRequestContext(t.Context(), holdfast.RequestContext{Correlation: "c1", Shop: "0042", Session: "s1", Device: "d1"})
	for range 100 {
		r.Refused(ctx, holdfast.CodeSequenceGap, "POST", "/x", holdfast.ID{})
		r.Seen(ctx)
	}
	for i := range 50 { // a flood of different ones
		r.Refused(holdfast.WithRequestContext(t.Context(), holdfast.RequestContext{Correlation: fmt.Sprint(i)}), holdfast.CodeUnauthenticated, "GET", "/y", holdfast.ID{})
	}
	r.Start()
	r.Stop(t.Context())
	events, err := b.store.Events(t.Context(), store.AuditPage{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	count := map[holdfast.AuditAction]int64{}
	for _, e := range events {
		n := int64(1)
		var d struct{ Count int64 }
		if json.Unmarshal(e.Details, &d) == nil && d.Count > 0 {
			n = d.Count
		}
		count[e.Action] += n
	}
	if len(events) > 12 || count[holdfast.ActionRefused] != 100 || count[holdfast.ActionDenied] != 50 || count[holdfast.ActionSession] != 1 {
		t.Fatalf("%d events: %v", len(events), count)
	}
}

// What can't be written now is written later.
func TestRefusalsOutliveTheDatabase(t *testing.T) {
	b := newBench(t)
	flaky := &flakyStore{Store: b.store, down: true}
	r, err := audit.NewRecorder(audit.RecorderConfig{Store: flaky, Logger: quiet(), Redact: redact.Default.Append, Flush: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	r.Refused(t.Context(), holdfast.CodeBackendUnavailable, "POST", "/x", holdfast.ID{})
	flaky.awaitTries(t, 3)
	flaky.set(false)
	r.Stop(t.Context())
	events, err := b.store.Events(t.Context(), store.AuditPage{Limit: 10})
	if err != nil || len(events) != 1 || events[0].Code != holdfast.CodeBackendUnavailable {
		t.Fatalf("%+v %v", events, err)
	}
}

type flakyStore struct {
	*sqlite.Store
	mu    sync.Mutex
	down  bool
	tries int
}

func (f *flakyStore) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *flakyStore) awaitTries(t *testing.T, n int) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		done := f.tries >= n
		f.mu.Unlock()
		if done {
			return
		}
	}
	t.Fatal("nothing was tried")
}

func (f *flakyStore) Record(ctx context.Context, events []holdfast.AuditEvent) error {
	f.mu.Lock()
	f.tries++
	down := f.down
	f.mu.Unlock()
	if down {
		return store.ErrUnavailable
	}
	return f.Store.Record(ctx, events)
}

func TestEveryReadIsRecordedBeforeItIsAnswered(t *testing.T) {
	b := newBench(t)
	ctx := holdfast.WithPrincipal(t.Context(), holdfast.Principal{Subject: "anna", Scope: holdfast.ScopeAuditor})
	if _, err := b.log.Events(ctx, holdfast.AuditQuery{Limit: 10, Filter: holdfast.AuditFilter{Shop: "0042", Text: "password=hunter2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.log.Export(ctx, holdfast.AuditFilter{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.log.Timeline(ctx, holdfast.AuditSubject{Session: "s1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.log.Daily(ctx, time.Now(), ""); err != nil {
		t.Fatal(err)
	}
	events, err := b.store.Events(ctx, store.AuditPage{Limit: 10, Filter: holdfast.AuditFilter{Actions: []holdfast.AuditAction{holdfast.ActionAuditRead}}})
	if err != nil || len(events) != 4 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, what := range []string{"events", "export", "timeline", "report"} {
		if e := events[i]; e.Target.ID != what || e.Actor.ID != "anna" || e.Actor.Scope != holdfast.ScopeAuditor {
			t.Errorf("%+v", e)
		}
	}
	if d := string(events[0].Details); strings.Contains(d, "hunter2") || !strings.Contains(d, `"Shop":"0042"`) {
		t.Error(d)
	}
	// Without the record there is no answer.
	_ = b.store.Close()
	var e *holdfast.Error
	if _, err := b.log.Events(ctx, holdfast.AuditQuery{Limit: 10}); !errors.As(err, &e) || e.Code != holdfast.CodeBackendUnavailable {
		t.Fatal(err)
	}
}

// A follower that goes on with cursors sees every event once, however the pages fall.
func TestPagesAreTheWholeListing(t *testing.T) {
	b := newBench(t)
	for i := range 57 {
		b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted, First: int64(i + 1)})
	}
	b.ahead = time.Minute // all is settled
	filter := holdfast.AuditFilter{Actions: []holdfast.AuditAction{holdfast.ActionAccepted}}
	for _, descending := range []bool{false, true} {
		for _, limit := range []int{1, 7, 57, 100} {
			var got []int64
			q := holdfast.AuditQuery{Filter: filter, Limit: limit, Descending: descending}
			for pages := 0; pages < 100; pages++ {
				page, err := b.log.Events(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Events {
					got = append(got, e.First)
				}
				q.Cursor = page.Cursor
				if !page.More {
					break
				}
			}
			want := make([]int64, 57)
			for i := range want {
				want[i] = int64(i + 1)
			}
			if descending {
				slices.Reverse(want)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("descending %v, limit %d: %v", descending, limit, got)
			}
			if descending {
				continue
			}
			// The follower goes on where it was.
			b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted, First: 58})
			page, err := b.log.Events(t.Context(), q)
			if err != nil || len(page.Events) == 0 {
				t.Fatal(page, err)
			}
			b.raw("DELETE FROM audit_events WHERE first_seq = 58")
		}
	}
}

// A listing that reaches into what is not settled holds its cursor back, so that an
// event committed late is not skipped.
func TestAFollowerNeverSkips(t *testing.T) {
	b := newBench(t)
	b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted, First: 1}, holdfast.AuditEvent{Action: holdfast.ActionAccepted, First: 2})
	filter := holdfast.AuditFilter{Actions: []holdfast.AuditAction{holdfast.ActionAccepted}}
	page, err := b.log.Events(t.Context(), holdfast.AuditQuery{Filter: filter, Limit: 10})
	if err != nil || len(page.Events) != 2 || page.More {
		t.Fatal(page, err)
	}
	// One that began before both, and was committed behind them.
	b.raw("INSERT INTO audit_events (at, id, action, outcome, epoch, first_seq) SELECT at - 1000, randomblob(16), action, outcome, epoch, 3 FROM audit_events WHERE first_seq = 1")
	page, err = b.log.Events(t.Context(), holdfast.AuditQuery{Filter: filter, Limit: 10, Cursor: page.Cursor})
	if err != nil || !slices.ContainsFunc(page.Events, func(e holdfast.AuditEvent) bool { return e.First == 3 }) {
		t.Fatalf("skipped: %+v %v", page.Events, err)
	}
}

func TestCursorsOfOthersAreRefused(t *testing.T) {
	b := newBench(t)
	b.record(holdfast.AuditEvent{Action: holdfast.ActionAccepted})
	page, err := b.log.Events(t.Context(), holdfast.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []holdfast.AuditQuery{{Limit: 1, Cursor: "x"}, {Limit: 1, Cursor: "YQ"}, {Limit: 1, Cursor: page.Cursor, Descending: true}, {Limit: 1, Cursor: strings.Repeat("a", 1000)}} {
		var e *holdfast.Error
		if _, err := b.log.Events(t.Context(), q); !errors.As(err, &e) || e.Code != holdfast.CodeInvalidRequest || e.Fields[0].Parameter != "cursor" {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestDailyReport(t *testing.T) {
	b := newBench(t)
	ok := func(shop, session string) holdfast.AuditEvent {
		return holdfast.AuditEvent{Action: holdfast.ActionAccepted, First: 1, Last: 3, Context: holdfast.RequestContext{Shop: shop, Session: session, Correlation: "ok-" + session}}
	}
	bad := func(shop, session, correlation string, code holdfast.Code) holdfast.AuditEvent {
		return holdfast.AuditEvent{Action: holdfast.ActionRefused, Outcome: holdfast.OutcomeFailure, Code: code, Context: holdfast.RequestContext{Shop: shop, Session: session, Correlation: correlation}, Details: []byte(`{"count":4}`)}
	}
	stream := holdfast.NewID(time.Now())
	aside := func(seq int64, action holdfast.AuditAction) holdfast.AuditEvent {
		return holdfast.AuditEvent{Action: action, Stream: stream, First: seq, Last: seq, Transaction: holdfast.NewID(time.Now()), Context: holdfast.RequestContext{Shop: "0042"}}
	}
	b.record(ok("0042", "s1"), ok("0042", "s2"), ok("7", "s3"), bad("0042", "s2", "c1", holdfast.CodeSequenceGap), bad("0042", "s2", "c2", holdfast.CodeStreamForked),
		bad("0042", "s2", "c1", holdfast.CodeSequenceGap), aside(7, holdfast.ActionQuarantined), aside(8, holdfast.ActionQuarantined), aside(8, holdfast.ActionRepaired))
	// All of it happened two days before an evening, which is the day after in Berlin.
	at := time.Now().UTC().Truncate(24 * time.Hour).Add(-49*time.Hour + 30*time.Minute)
	b.raw(fmt.Sprintf("UPDATE audit_events SET at = %d + position", at.UnixMicro()))
	berlin := at.AddDate(0, 0, 1)
	report := func(date time.Time) holdfast.AuditReport {
		r, err := b.log.Daily(t.Context(), date, "")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	utc := report(at)
	if len(utc.Stores) != 1 || utc.Stores[0].Store != "7" || utc.Stores[0].Day.Transactions != 3 || !utc.Complete {
		t.Fatalf("%+v", utc)
	}
	r := report(berlin)
	i := slices.IndexFunc(r.Stores, func(s holdfast.ShopDay) bool { return s.Store == "0042" })
	if i < 0 {
		t.Fatalf("%+v", r)
	}
	s := r.Stores[i]
	want := holdfast.DayCounts{Events: 8, Sessions: 2, SessionsWithFailure: 1, Transactions: 6, Failures: 3}
	if s.TimeZone != "Europe/Berlin" || s.Day != want || s.DayBefore != (holdfast.DayCounts{}) || s.Affected != 2 || !slices.Equal(s.AffectedCorrelationIDs, []string{"c1", "c2"}) ||
		s.Undelivered != 1 || s.OldestUndeliveredSeconds <= 0 || len(s.TopErrors) != 2 || s.TopErrors[0] != (holdfast.ErrorCount{Code: "sequence-gap", Count: 8}) {
		t.Fatalf("%+v", s)
	}
	// The week of the next day has it, as the day before and as a seventh.
	next := report(berlin.AddDate(0, 0, 1))
	i = slices.IndexFunc(next.Stores, func(s holdfast.ShopDay) bool { return s.Store == "0042" })
	if i < 0 || next.Stores[i].DayBefore != want || next.Stores[i].Week.Transactions != 0.86 {
		t.Fatalf("%+v", next)
	}
	// It comes out the same later on.
	b.record(ok("0042", "s9"), bad("0042", "s9", "c9", holdfast.CodeFenced))
	before, _ := json.Marshal(r)
	after, _ := json.Marshal(report(berlin))
	if string(before) != string(after) {
		t.Fatalf("%s\n%s", before, after)
	}
	one, err := b.log.Daily(t.Context(), berlin, "0042")
	if err != nil || len(one.Stores) != 1 || one.Stores[0].Day != want {
		t.Fatalf("%+v %v", one, err)
	}
	if none, err := b.log.Daily(t.Context(), berlin, "none"); err != nil || len(none.Stores) != 1 || none.Stores[0].Day.Events != 0 {
		t.Fatalf("%+v %v", none, err)
	}
}
