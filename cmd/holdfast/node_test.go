package main

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/health"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/store"
)

func silent() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return logger
}

// testStore answers Ping and remembers that it was closed.
type testStore struct {
	store.Store
	closed chan struct{}
}

func newTestStore() *testStore { return &testStore{closed: make(chan struct{})} }

func (s *testStore) Ping(context.Context) error { return nil }

func (s *testStore) Record(context.Context, []holdfast.AuditEvent) error { return nil }

func (s *testStore) Close() error { close(s.closed); return nil }

// testMigrator has two migrations, the first of which was applied at a time.
type testMigrator struct {
	store.Migrator
	at   *time.Time
	done *bool // nil: no
}

func (m testMigrator) Status(context.Context) ([]store.Migration, error) {
	if m.done != nil && *m.done {
		return []store.Migration{{Version: 1, AppliedAt: *m.at}, {Version: 2, AppliedAt: *m.at}}, nil
	}
	return []store.Migration{{Version: 1, AppliedAt: *m.at}, {Version: 2}}, nil
}

func (m testMigrator) Up(_ context.Context, report func(store.Migration)) error {
	report(store.Migration{Version: 1})
	*m.at = time.Unix(1, 0)
	return nil
}

func (m testMigrator) Close() error { return nil }

func testNode(t *testing.T, databaseURL string) *node {
	t.Helper()
	n := &node{settings: &settings.Settings{DatabaseURL: databaseURL, DataDir: "d"}, log: silent(), store: &lateStore{}}
	n.life, n.end = context.WithCancel(t.Context())
	var err error
	if n.health, err = health.New(health.Config{Database: n.store.Ping, Log: n.log}); err != nil {
		t.Fatal(err)
	}
	return n
}

func await(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no result")
		return nil
	}
}

func TestDatabaseThatComesLate(t *testing.T) {
	n, real := testNode(t, "postgres://h/d"), newTestStore()
	attempts := 0
	result := n.openDatabase(backend{open: func(context.Context) (store.Store, error) {
		if attempts++; attempts < 3 {
			return nil, store.ErrUnavailable
		}
		return real, nil
	}})
	if err := n.store.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("before: %v", err)
	}
	if err := await(t, result); err != nil {
		t.Fatal(err)
	}
	if err := n.store.Ping(t.Context()); err != nil {
		t.Errorf("after: %v", err)
	}
	if err := n.store.Close(); err != nil {
		t.Fatal(err)
	}
	<-real.closed
}

func TestNodeThatEndsBeforeItsDatabaseCame(t *testing.T) {
	n := testNode(t, "postgres://h/d")
	tried := make(chan struct{}, 100)
	result := n.openDatabase(backend{open: func(context.Context) (store.Store, error) {
		tried <- struct{}{}
		return nil, store.ErrUnavailable
	}})
	<-tried
	n.end()
	if err := await(t, result); err == nil {
		t.Error("no error")
	}
}

func TestWhatWaitingCannotHeal(t *testing.T) {
	never := time.Time{}
	applied := time.Unix(1, 0)
	for name, c := range map[string]struct {
		b    backend
		url  string
		want string
	}{
		"an older schema": {
			backend{
				open:     func(context.Context) (store.Store, error) { return nil, store.ErrSchema },
				migrator: func(context.Context) (store.Migrator, error) { return testMigrator{at: &applied}, nil },
			},
			"postgres://u:topsecret@h/d", "store: wrong schema; run holdfast migrate up (postgres://u:***@h/d)",
		},
		"an embedded database in use": {
			backend{embedded: true, open: func(context.Context) (store.Store, error) { return nil, errors.New("in use") }},
			"", "in use",
		},
		"an embedded database that fails": {
			backend{embedded: true, open: func(context.Context) (store.Store, error) { return nil, store.ErrUnavailable }},
			"", "store: unavailable",
		},
		"a schema that stays wrong": {
			backend{
				open:     func(context.Context) (store.Store, error) { return nil, store.ErrSchema },
				migrator: func(context.Context) (store.Migrator, error) { return testMigrator{at: &never}, nil },
			},
			"postgres://h/d", "store: wrong schema (postgres://h/d)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := await(t, testNode(t, c.url).openDatabase(c.b))
			if err == nil || err.Error() != c.want || exitCode(err) != exitFailed {
				t.Errorf("%v (%d), want %s", err, exitCode(err), c.want)
			}
		})
	}
}

func TestEmptyDatabaseIsMigrated(t *testing.T) {
	for _, embedded := range []bool{true, false} {
		at := time.Time{}
		if embedded {
			at = time.Unix(1, 0) // the embedded one is migrated from any version
		}
		migrated := false
		b := backend{
			embedded: embedded,
			open: func(context.Context) (store.Store, error) {
				if !migrated {
					return nil, store.ErrSchema
				}
				return newTestStore(), nil
			},
			migrator: func(context.Context) (store.Migrator, error) { migrated = true; return testMigrator{at: &at}, nil },
		}
		if err := await(t, testNode(t, "postgres://h/d").openDatabase(b)); err != nil {
			t.Errorf("embedded %v: %v", embedded, err)
		}
	}
}

// Two nodes find a database empty; the one that comes second must not take the
// schema that the first has just made for an old one.
func TestDatabaseThatAnotherNodeMigrated(t *testing.T) {
	at, done := time.Unix(1, 0), true
	opened := 0
	b := backend{
		open: func(context.Context) (store.Store, error) {
			if opened++; opened == 1 {
				return nil, store.ErrSchema
			}
			return newTestStore(), nil
		},
		migrator: func(context.Context) (store.Migrator, error) { return testMigrator{at: &at, done: &done}, nil },
	}
	if err := await(t, testNode(t, "postgres://h/d").openDatabase(b)); err != nil {
		t.Error(err)
	}
}

func TestStoreThatComesTooLateIsClosed(t *testing.T) {
	var late lateStore
	if err := late.Close(); err != nil {
		t.Fatal(err)
	}
	real := newTestStore()
	if err := late.provide(real); err != nil {
		t.Fatal(err)
	}
	<-real.closed
}

func TestEverythingIsUnavailableBeforeTheDatabase(t *testing.T) {
	var s store.Store = &lateStore{}
	ctx, id := t.Context(), holdfast.ID{1}
	call := map[string]func() error{
		"Append":        func() error { return s.Append(ctx, &store.Append{}) },
		"View":          func() error { _, err := s.View(ctx, store.Key{}); return err },
		"Held":          func() error { _, err := s.Held(ctx, store.HeldQuery{}); return err },
		"Transaction":   func() error { _, err := s.Transaction(ctx, id, 1); return err },
		"Epoch":         func() error { _, err := s.Epoch(ctx); return err },
		"SaveQueues":    func() error { return s.SaveQueues(ctx, nil) },
		"Queue":         func() error { _, err := s.Queue(ctx, id); return err },
		"CreateToken":   func() error { return s.CreateToken(ctx, holdfast.Token{}, holdfast.AuditEvent{}) },
		"Token":         func() error { _, err := s.Token(ctx, "x"); return err },
		"Tokens":        func() error { _, err := s.Tokens(ctx); return err },
		"Record":        func() error { return s.Record(ctx, nil) },
		"Events":        func() error { _, err := s.Events(ctx, store.AuditPage{}); return err },
		"Tally":         func() error { _, err := s.Tally(ctx, store.ShopWindow{}); return err },
		"Open":          func() error { _, err := s.Open(ctx, store.OpenQuery{}); return err },
		"Places":        func() error { _, err := s.Places(ctx, holdfast.ID{}); return err },
		"BeginSession":  func() error { _, err := s.BeginSession(ctx, holdfast.AuditEvent{}); return err },
		"FirstEvent":    func() error { _, err := s.FirstEvent(ctx); return err },
		"Sealing":       func() error { _, err := s.Sealing(ctx, nil); return err },
		"LastSegment":   func() error { _, err := s.LastSegment(ctx); return err },
		"Segments":      func() error { _, err := s.Segments(ctx, 1, 1); return err },
		"AppendSegment": func() error { return s.AppendSegment(ctx, holdfast.AuditSegment{}, holdfast.AuditEvent{}) },
		"CountRows":     func() error { _, err := s.CountRows(ctx, time.Time{}, time.Time{}); return err },
		"Maintain":      func() error { _, err := s.Maintain(ctx, time.Time{}); return err },
		"RevokeToken":   func() error { return s.RevokeToken(ctx, "x", time.Time{}, holdfast.AuditEvent{}) },
		"Ping":          func() error { return s.Ping(ctx) },
	}
	for name, do := range call {
		if err := do(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestMemoryLimit(t *testing.T) {
	file := func(name, content string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(content)}} }
	for name, c := range map[string]struct {
		root fstest.MapFS
		told int64
		want int64
	}{
		"told":           {file("sys/fs/cgroup/memory.max", "1000"), 77, 77},
		"version 2":      {file("sys/fs/cgroup/memory.max", "1073741824\n"), noMemoryLimit, 1073741824 / 10 * 9},
		"version 2, max": {file("sys/fs/cgroup/memory.max", "max\n"), noMemoryLimit, noMemoryLimit},
		"version 1":      {file("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n"), noMemoryLimit, 900},
		"version 1, max": {file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"), noMemoryLimit, noMemoryLimit},
		"none":           {fstest.MapFS{}, noMemoryLimit, noMemoryLimit},
		"nonsense":       {file("sys/fs/cgroup/memory.max", "-5"), noMemoryLimit, noMemoryLimit},
	} {
		if got := memoryLimit(c.root, c.told); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestBannerHasALineThatCanBeRun(t *testing.T) {
	s := &settings.Settings{DataDir: "d"}
	s.Auth.Mode = "open"
	at := time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)
	var out strings.Builder
	writeBanner(&out, s, "[::]:8080", at)
	line := regexp.MustCompile(`(?m)^curl -i http://127\.0\.0\.1:8080/v1/streams/([0-9a-f-]{36})/batches .*$`).FindStringSubmatch(out.String())
	if line == nil {
		t.Fatal(out.String())
	}
	if id, err := holdfast.ParseID(line[1]); err != nil || id[6]>>4 != 7 || id[8]>>6 != 2 {
		t.Errorf("%s is no UUID of version 7: %v", line[1], err)
	}
	if !strings.Contains(line[0], `"occurredAt":"2026-11-20T10:15:00.000Z"`) || strings.Contains(out.String(), "Bearer") {
		t.Error(line[0])
	}
	s.Auth.Mode, s.DatabaseURL = "token", "postgres://u:topsecret@h/d"
	out.Reset()
	writeBanner(&out, s, "10.0.0.1:443", at)
	if !strings.Contains(out.String(), `-H "Authorization: Bearer $HOLDFAST_TOKEN"`) || strings.Contains(out.String(), "topsecret") {
		t.Error(out.String())
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitDone},
		{errors.New("x"), exitFailed},
		{failed("x"), exitFailed},
		{usage("x"), exitUsage},
		{quiet(exitFailed), exitFailed},
		{&settings.Error{}, exitUsage},
		{store.ErrUnavailable, exitUnavailable},
		{context.DeadlineExceeded, exitUnavailable},
		{context.Canceled, exitInterrupted},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestComplaintsAreOneLine(t *testing.T) {
	var out strings.Builder
	con := &console{err: &out}
	if code := con.complain(errors.Join(errors.New("a"), errors.New("b  c"))); code != exitFailed || out.String() != "holdfast: a; b c\n" {
		t.Errorf("%d %q", code, out.String())
	}
	out.Reset()
	if code := con.complain(quiet(exitFailed)); code != exitFailed || out.String() != "" {
		t.Errorf("%d %q", code, out.String())
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"90d": "2027-02-18T10:00:00Z", "12h": "2026-11-20T22:00:00Z", "2027-01-31": "2027-01-31T00:00:00Z",
		"2027-01-31T08:00:00+01:00": "2027-01-31T07:00:00Z",
	} {
		got, err := parseExpiry(in, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for _, in := range []string{"0d", "-1h", "2026-11-20", "soon", "99999d"} {
		if got, err := parseExpiry(in, now); err == nil {
			t.Errorf("%s: %v", in, got)
		}
	}
}
