package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// roled is a migrated database with both roles; the URL is the superuser's.
func roled(t *testing.T) string {
	t.Helper()
	pg := testserver.Postgres(t)
	url := pg.NewDatabase(t)
	text, err := os.ReadFile("roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	pg.Exec(t, nameOf(url), string(text))
	up(t, newTestMigrator(t, as(url, "holdfast_owner")))
	return url
}

func nameOf(url string) string {
	return url[strings.LastIndexByte(url, '/')+1 : strings.IndexByte(url, '?')]
}

func as(url, role string) string { return strings.Replace(url, "postgres@", role+"@", 1) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func openTest(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), testConfig(url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func run(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func one[T any](t *testing.T, conn *pgx.Conn, statement string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), statement, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return v
}

const insertOld = "INSERT INTO audit_events (at, id, epoch, action) VALUES ($1, gen_random_uuid(), 1, 'x')"

func month(off int) (name string, begins time.Time) {
	begins = time.Date(time.Now().UTC().Year(), time.Now().UTC().Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, off, 0)
	return begins.Format("audit_events_2006_01"), begins
}

// makeMonth is an older month that has one event.
func makeMonth(t *testing.T, owner *pgx.Conn, off int) string {
	t.Helper()
	name, begins := month(off)
	run(t, owner, fmt.Sprintf("CREATE TABLE %s PARTITION OF audit_events FOR VALUES FROM ('%s') TO ('%s')", name,
		begins.Format(time.RFC3339), begins.AddDate(0, 1, 0).Format(time.RFC3339)))
	run(t, owner, "SELECT audit_protect($1::text::regclass)", name)
	run(t, owner, insertOld, begins.AddDate(0, 0, 3))
	return name
}

// What was written stays as it was, whoever asks for something else.
func TestTheAuditLogIsAppendOnly(t *testing.T) {
	url := roled(t)
	s := openTest(t, as(url, "holdfast_app"))
	if err := s.Record(t.Context(), []holdfast.AuditEvent{storetest.Event(1)}); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendSegment(t.Context(), holdfast.AuditSegment{Number: 1, Hour: time.Now(), SealedAt: time.Now()}, storetest.Event(2)); err != nil {
		t.Fatal(err)
	}
	owner := connect(t, as(url, "holdfast_owner"))
	run(t, owner, insertOld, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)) // into the default partition
	detached := makeMonth(t, owner, -3)
	run(t, owner, "ALTER TABLE audit_events DETACH PARTITION "+detached)
	now, _ := month(0)
	tables := []string{"audit_events", now, "audit_events_default", detached, "audit_segments"}
	for _, role := range []string{"holdfast_app", "holdfast_owner", "postgres"} {
		conn := connect(t, as(url, role))
		for _, table := range tables {
			column := "epoch"
			if table == "audit_segments" {
				column = "row_count"
			}
			for _, statement := range []string{
				"UPDATE " + table + " SET " + column + " = 7", "UPDATE " + table + " SET " + column + " = 7 WHERE false", "DELETE FROM " + table, "TRUNCATE " + table,
			} {
				if _, err := conn.Exec(t.Context(), statement); stateOf(err) != "42501" {
					t.Errorf("%s: %s: %v", role, statement, err)
				}
			}
		}
	}
	app := connect(t, as(url, "holdfast_app"))
	for _, statement := range []string{
		"ALTER TABLE audit_events DISABLE TRIGGER ALL", "ALTER TABLE audit_events DETACH PARTITION " + now, "DROP TABLE " + now, "SELECT audit_protect('tokens')",
		"SELECT audit_default()", "DELETE FROM sessions", "UPDATE sessions SET device = ''", "TRUNCATE audit_events CASCADE",
		"CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
	} {
		if _, err := app.Exec(t.Context(), statement); stateOf(err) != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if n := one[int](t, owner, "SELECT count(*) FROM audit_events"); n != 3 {
		t.Fatalf("%d events", n)
	}
}

// The roles may come after the schema.
func TestRolesThatComeLater(t *testing.T) {
	pg := testserver.Postgres(t)
	url := pg.NewDatabase(t)
	up(t, newTestMigrator(t, url))
	roles, err := os.ReadFile("roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	pg.Exec(t, nameOf(url), string(roles))
	pg.Exec(t, nameOf(url), string(roles)) // twice does no harm
	s := openTest(t, as(url, "holdfast_app"))
	a := storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 2)
	a.Events = []holdfast.AuditEvent{storetest.Event(1)}
	if err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Maintain(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	now, _ := month(0)
	app := connect(t, as(url, "holdfast_app"))
	for _, statement := range []string{"UPDATE audit_events SET epoch = 7", "DELETE FROM " + now, "UPDATE audit_segments SET row_count = 7"} {
		if _, err := app.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestOldMonthsAreReleased(t *testing.T) {
	url := roled(t)
	s := openTest(t, as(url, "holdfast_app"))
	owner := connect(t, as(url, "holdfast_owner"))
	var names []string
	for off := -5; off <= -3; off++ {
		names = append(names, makeMonth(t, owner, off))
	}
	run(t, owner, "INSERT INTO sessions VALUES ('old', 'd', now() - interval '2 years'), ('young', 'd', now())")
	_, begins := month(-4)
	for _, c := range []struct {
		before time.Time
		want   []string
	}{
		{time.Time{}, nil},
		{begins.Add(-time.Microsecond), nil},
		{begins, names[:1]},
		{begins.AddDate(0, 1, -1), nil}, // a month that is not wholly older
		{time.Now().AddDate(1, 0, 0), names[1:]},
		{time.Now().AddDate(1, 0, 0), nil},
	} {
		released, err := s.Maintain(t.Context(), c.before)
		if err != nil || !slices.Equal(released, c.want) {
			t.Fatalf("before %v: %v %v, want %v", c.before, released, err, c.want)
		}
	}
	for _, name := range names {
		if n := one[int](t, owner, "SELECT count(*) FROM "+name); n != 1 {
			t.Errorf("%s holds %d", name, n)
		}
		if _, err := owner.Exec(t.Context(), "DELETE FROM "+name); stateOf(err) != "42501" {
			t.Errorf("%s: %v", name, err)
		}
		run(t, owner, "DROP TABLE "+name)
	}
	if left := one[string](t, owner, "SELECT string_agg(session, ',') FROM sessions"); left != "young" {
		t.Error(left)
	}
}

// Nobody made this month: its events go to the default partition, which is
// released as well once all that it holds is old.
func TestTheDefaultPartition(t *testing.T) {
	url := roled(t)
	s := openTest(t, as(url, "holdfast_app"))
	owner := connect(t, as(url, "holdfast_owner"))
	months := "SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'audit_events'::regclass"
	old := time.Now().AddDate(-3, 0, 0)
	run(t, owner, insertOld, old)
	released, err := s.Maintain(t.Context(), time.Now())
	if err != nil || len(released) != 1 || !strings.HasPrefix(released[0], "audit_events_default_2") {
		t.Fatal(released, err)
	}
	if _, err := owner.Exec(t.Context(), "DELETE FROM "+released[0]); stateOf(err) != "42501" {
		t.Fatal(err)
	}
	for off := range 3 {
		name, _ := month(off)
		run(t, owner, "DROP TABLE "+name)
	}
	a := storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 2)
	a.Events = []holdfast.AuditEvent{storetest.Event(1)}
	if err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	run(t, owner, insertOld, old)
	if n := one[int](t, owner, "SELECT count(*)::int FROM audit_events_default"); n != 2 {
		t.Fatalf("%d in the default partition", n)
	}
	if released, err := s.Maintain(t.Context(), time.Now()); err != nil || len(released) != 0 {
		t.Fatal("an event of today was released:", released, err)
	}
	if n := one[int](t, owner, months); n != 3 { // two months and the default
		t.Fatalf("%d partitions", n)
	}
	if err := newTestMigrator(t, as(url, "holdfast_owner")).Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestManyMakePartitionsAtOnce(t *testing.T) {
	url := roled(t)
	owner := connect(t, as(url, "holdfast_owner"))
	for off := range 3 {
		name, _ := month(off)
		run(t, owner, "DROP TABLE "+name)
	}
	s := openTest(t, as(url, "holdfast_app"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Maintain(t.Context(), time.Now().AddDate(-1, 0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for off := range 3 {
		name, begins := month(off)
		bounds := one[string](t, owner, "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = $1", name)
		if !strings.Contains(bounds, begins.Format("2006-01-02 00:00:00+00")) {
			t.Errorf("%s: %s", name, bounds)
		}
	}
}

// The statement of a request tells whose it is, and what a client sends can't end the comment.
func TestStatementsTellTheirRequest(t *testing.T) {
	url := roled(t)
	s := openTest(t, as(url, "holdfast_app"))
	watch := connect(t, url)
	ask := map[string]func(context.Context) error{
		"SELECT t.id, t.body": func(ctx context.Context) error {
			_, err := s.Transaction(ctx, storetest.ID(1, 1), 1)
			return err
		},
		"FROM queues": func(ctx context.Context) error { _, err := s.Queue(ctx, storetest.ID(1, 1)); return err },
		"FROM tokens": func(ctx context.Context) error { _, err := s.Tokens(ctx); return err },
		"FROM audit_events": func(ctx context.Context) error {
			_, err := s.Events(ctx, store.AuditPage{Filter: store.AuditFilter{Shop: "x"}, Limit: 1})
			return err
		},
	}
	trace := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for part, fn := range ask {
		for _, c := range [][2]string{
			{"c-17", "/*correlation='c-17',traceparent='" + trace + "'*/"},
			{"*/; DROP TABLE tokens; --", "/*correlation='%2A%2F%3B%20DROP%20TABLE%20tokens%3B%20--',traceparent='" + trace + "'*/"},
			{"it's a+b", "/*correlation='it%27s%20a%2Bb',traceparent='" + trace + "'*/"},
		} {
			ctx := holdfast.WithRequestContext(t.Context(), holdfast.RequestContext{Correlation: c[0], Traceparent: trace})
			if err := fn(ctx); err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(part, err)
			}
			if n := one[int](t, watch, "SELECT count(*)::int FROM pg_stat_activity WHERE datname = $1 AND strpos(query, $2) > 0 AND right(query, length($3)) = $3 AND pid <> pg_backend_pid()",
				nameOf(url), part, c[1]); n == 0 {
				t.Errorf("%s: no statement ends with %s", part, c[1])
			}
		}
	}
	if got := commented(t.Context(), "SELECT 1"); got != "SELECT 1" {
		t.Fatal(got)
	}
}

func explain(t *testing.T, conn *pgx.Conn, statement string, args ...any) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "EXPLAIN "+statement, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestTransactionsAreFoundByIndex(t *testing.T) {
	url := roled(t)
	s := openTest(t, as(url, "holdfast_app"))
	for w := range 20 {
		if err := s.Append(t.Context(), storetest.Step(storetest.ID(0x55, w), holdfast.Head{}, byte(w), 500)); err != nil {
			t.Fatal(err)
		}
	}
	conn := connect(t, url)
	run(t, conn, "ANALYZE")
	held := strings.ReplaceAll(heldStatement, "WHERE id = $1", "WHERE id = $1::uuid")
	plan := explain(t, conn, held, storetest.ID(0x55, 1).String(), int64(3), int64(7), []string{storetest.ID(1, 1).String(), storetest.ID(1, 2).String()})
	if !strings.Contains(plan, "transactions_by_id_anywhere") || !strings.Contains(plan, "transactions_by_seq") || strings.Contains(plan, "Seq Scan on transactions") {
		t.Error(plan)
	}
	if plan := explain(t, conn, placesStatement, storetest.ID(1, 1).String()); !strings.Contains(plan, "transactions_by_id_anywhere") {
		t.Error(plan)
	}
}

// Searches give the same with summarized ranges, and leave out most of the table.
func TestSearchesUseTheBloomFilters(t *testing.T) {
	url := roled(t)
	s := openTest(t, as(url, "holdfast_app"))
	const n = 20_000
	for i := 0; i < n; i += 1000 {
		var events []holdfast.AuditEvent
		for k := i; k < i+1000; k++ {
			e := storetest.Event(1)
			e.ID, e.Context.Correlation, e.Context.Session = storetest.ID(1, k), fmt.Sprintf("Request-%d", k), fmt.Sprintf("session-%d", k/50)
			e.Transaction, e.Stream, e.First, e.Last = storetest.ID(2, k), storetest.ID(3, k/100), int64(k), int64(k)
			events = append(events, e)
		}
		if err := s.Record(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	conn := connect(t, url)
	run(t, conn, "VACUUM ANALYZE audit_events")
	rare := storetest.Event(1)
	rare.Action = holdfast.ActionTokenMade
	if err := s.Record(t.Context(), []holdfast.AuditEvent{rare}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		filter store.AuditFilter
		want   int
	}{
		"correlation": {store.AuditFilter{Correlation: "REQUEST-777"}, 1},
		"session":     {store.AuditFilter{Session: "session-7"}, 50},
		"transaction": {store.AuditFilter{Transaction: storetest.ID(2, 19_999)}, 1},
		"stream":      {store.AuditFilter{Stream: storetest.ID(3, 5), Seq: 517}, 1},
		"action":      {store.AuditFilter{Actions: []holdfast.AuditAction{holdfast.ActionTokenMade, holdfast.ActionTokenEnded}}, 1},
	} {
		page := store.AuditPage{Filter: c.filter, Limit: 100}
		events, err := s.Events(t.Context(), page)
		if err != nil || len(events) != c.want {
			t.Errorf("%s: %d events, want %d: %v", name, len(events), c.want, err)
		}
		statement, args := dialect.Page(&page)
		if plan := explain(t, conn, statement, args...); name != "action" && !strings.Contains(plan, "Index") {
			t.Errorf("%s:\n%s", name, plan)
		} else if testing.Verbose() {
			t.Log(name, plan)
		}
	}
	now, _ := month(0)
	t.Log(one[string](t, conn, "SELECT string_agg(relname || ' ' || pg_relation_size(oid), ', ' ORDER BY relname) FROM pg_class WHERE relname LIKE $1", now+"%"))
}
