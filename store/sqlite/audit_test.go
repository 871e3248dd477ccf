package sqlite

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

func openTest(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	up(t, testMigrator(t, dir))
	s, err := Open(t.Context(), testConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const insertOld = "INSERT INTO audit_events (at, id, epoch, action) VALUES (?, x'00', 1, 'x')"

// What was written stays as it was, whoever asks for something else.
func TestTheAuditLogIsAppendOnly(t *testing.T) {
	s := openTest(t)
	if err := s.Record(t.Context(), []holdfast.AuditEvent{storetest.Event(1), storetest.Event(2)}); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendSegment(t.Context(), holdfast.AuditSegment{Number: 1, Hour: time.Now(), SealedAt: time.Now()}, storetest.Event(3)); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"UPDATE audit_events SET epoch = 7",
		"UPDATE audit_events SET position = 99 WHERE position = 1",
		"DELETE FROM audit_events",
		"DELETE FROM audit_events WHERE position = 1",
		"REPLACE INTO audit_events (position, at, id, epoch) VALUES (1, 1, x'00', 7)",
		"INSERT INTO audit_events (position, at, id, epoch) VALUES (1, 1, x'00', 7) ON CONFLICT DO UPDATE SET epoch = 7",
		"UPDATE audit_floor SET at = unixepoch('subsec') * 1000000",
		"UPDATE audit_floor SET at = -1",
		"UPDATE audit_floor SET one = 2",
		"DELETE FROM audit_floor",
		"REPLACE INTO audit_floor VALUES (1, 9223372036854775807)",
		"INSERT INTO audit_floor VALUES (2, 9223372036854775807)",
		"UPDATE audit_segments SET row_count = 7",
		"DELETE FROM audit_segments",
		"REPLACE INTO audit_segments VALUES (1, 1, 0, 7, x'00', x'00', '', 1)",
	} {
		if _, err := s.writes.ExecContext(t.Context(), statement); !isConstraint(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	events, err := s.Events(t.Context(), store.AuditPage{Limit: 10})
	if err != nil || len(events) != 3 || events[0].Epoch != 1 || events[0].Position != 1 {
		t.Fatalf("%+v %v", events, err)
	}
}

// Only what is older than the time asked for goes, and never what is younger than two days.
func TestOldEventsAreDeleted(t *testing.T) {
	s := openTest(t)
	now := time.Now()
	insert := func(age time.Duration, n int) {
		t.Helper()
		tx, err := s.writes.BeginTx(t.Context(), nil)
		for range n {
			if err == nil {
				_, err = tx.Exec(insertOld, now.Add(-age).UnixMicro())
			}
		}
		if err == nil {
			_, err = tx.Exec("INSERT INTO sessions VALUES (?, 'd', ?)", age.String(), now.Add(-age).UnixMicro())
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const day = 24 * time.Hour
	insert(400*day, 2*pruneSlice+5)
	insert(30*day, 7)
	insert(day, 3)
	for _, c := range []struct {
		before time.Time
		want   string
		left   int
	}{
		{time.Time{}, "", 2*pruneSlice + 15},
		{now.Add(-401 * day), "", 2*pruneSlice + 15},
		{now.Add(-100 * day), "4005 events and 1 sessions", 10},
		{now.Add(-200 * day), "", 10}, // the floor never sinks
		{now.Add(day), "7 events and 1 sessions", 3},
		{now.Add(day), "", 3},
	} {
		released, err := s.Maintain(t.Context(), c.before)
		if err != nil || !strings.HasPrefix(strings.Join(released, ";"), c.want) || (c.want == "") != (len(released) == 0) {
			t.Fatalf("before %v: %v %v, want %q", c.before, released, err, c.want)
		}
		if events, err := s.Events(t.Context(), store.AuditPage{Limit: 10_000}); err != nil || len(events) != c.left {
			t.Fatalf("%d events are left, want %d: %v", len(events), c.left, err)
		}
	}
}

// When all are old the newest stays, so that no position is used twice.
func TestNoPositionIsUsedTwice(t *testing.T) {
	s := openTest(t)
	for range 3 {
		if _, err := s.writes.ExecContext(t.Context(), insertOld, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Maintain(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context(), []holdfast.AuditEvent{storetest.Event(1)}); err != nil {
		t.Fatal(err)
	}
	events, err := s.Events(t.Context(), store.AuditPage{Limit: 10})
	if err != nil || len(events) != 2 || events[0].Position != 3 || events[1].Position != 4 {
		t.Fatalf("%+v %v", events, err)
	}
}

// Intake goes on while much is deleted.
func TestIntakeGoesOnWhileEventsAreDeleted(t *testing.T) {
	s := openTest(t)
	if _, err := s.writes.ExecContext(t.Context(), `INSERT INTO audit_events (at, id, epoch)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, x'00', 1 FROM n`); err != nil {
		t.Fatal(err)
	}
	ctx, done := context.WithCancel(t.Context())
	go func() {
		defer done()
		if _, err := s.Maintain(t.Context(), time.Now()); err != nil {
			t.Error(err)
		}
	}()
	var head holdfast.Head
	for appended := 0; ctx.Err() == nil || appended < 20; appended++ {
		a := storetest.Step(storetest.ID(0x55, 1), head, 1, 2)
		a.Events = []holdfast.AuditEvent{storetest.Event(1)}
		if err := s.Append(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		head = a.Next
	}
	<-ctx.Done()
	storetest.CheckStream(t, s, storetest.ID(0x55, 1), 1, head.AcceptedThrough)
}

// A tool beside the gateway keeps it from sealing.
func TestSealingExcludesATool(t *testing.T) {
	s := openTest(t)
	beside := s.cfg
	beside.Beside = true
	tool, err := Open(t.Context(), beside)
	if err != nil {
		t.Fatal(err)
	}
	defer tool.Close()
	stop := errors.New("stop")
	ran, err := tool.Sealing(t.Context(), func(ctx context.Context) error {
		if ran, err := s.Sealing(ctx, func(context.Context) error { return nil }); ran || err != nil {
			t.Error(ran, err)
		}
		return stop
	})
	if !ran || !errors.Is(err, stop) {
		t.Fatal(ran, err)
	}
}
