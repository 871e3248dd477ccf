package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

var update = flag.Bool("update", false, "write schema.txt anew")

// A migration that has been released never changes.
var pinned = map[string]string{
	"migrations/00001_begin.sql":              "0aa29cf90905d79f33c891b5e42a714a3201f9286cd96bac051da713ed155006",
	"migrations/00002_audit.sql":              "c99eb82bff6d5c867ec3adf7c21c736e27914539f9f9de4bd54560f0efc8b2b4",
	"migrations/00003_transactions_by_id.sql": "323327a40cfbe888df1dde0db987a0dc82b752939ec37b19fe3b96b3e8a2dd80",
	"migrations/00004_attachments.sql":        "29ee26837c54a73e33987d762b3c057e88062ab299206e3fd949e5ceeaf4b2fe",
	"migrations/00005_deliveries.sql":         "6376d25752685f0e8347f37dea13346cae8bda33d7f4a1f5f642563e5df8b254",
}

func TestMigrationsArePinned(t *testing.T) {
	for name, want := range pinned {
		text, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s has changed: %s", name, got)
		}
	}
	files, err := embedded.ReadDir("migrations")
	if err != nil || len(files) != len(pinned) || newest != len(files) {
		t.Errorf("%d migrations, %d pinned, newest is %d: %v", len(files), len(pinned), newest, err)
	}
}

func newTestMigrator(t *testing.T, url string) *Migrator {
	t.Helper()
	m, err := NewMigrator(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func up(t *testing.T, m *Migrator) (applied []int64) {
	t.Helper()
	if err := m.Up(t.Context(), func(one store.Migration) { applied = append(applied, one.Version) }); err != nil {
		t.Fatal(err)
	}
	return applied
}

func TestUpValidateDownAndUpAgain(t *testing.T) {
	ctx := t.Context()
	m := newTestMigrator(t, testserver.Postgres(t).NewDatabase(t))
	if empty, err := m.Empty(ctx); err != nil || !empty {
		t.Fatal(empty, err)
	}
	if err := m.Validate(ctx); !*update && !errors.Is(err, store.ErrSchema) {
		t.Fatal("an empty database is valid:", err)
	}
	for range 2 {
		if applied := up(t, m); len(applied) != newest {
			t.Fatal(applied)
		}
		if *update {
			lines, err := m.schema(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("schema.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := m.Validate(ctx); err != nil {
			t.Fatal(err)
		}
		status, err := m.Status(ctx)
		if err != nil || len(status) != newest || status[0].AppliedAt.IsZero() || status[0].Name != "00001_begin" {
			t.Fatalf("%+v %v", status, err)
		}
		if applied := up(t, m); len(applied) != 0 {
			t.Fatal("applied twice:", applied)
		}
		if _, err := m.DownTo(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestValidateNoticesADifference(t *testing.T) {
	if strings.Count(expectedSchema, "\n") < 40 {
		t.Fatal("schema.txt is not the whole schema; run the test with -update")
	}
	for _, change := range []string{
		"DROP INDEX wrong; ALTER TABLE transactions DROP CONSTRAINT transactions_by_id_anywhere",
		"CREATE INDEX wrong2 ON streams (shop); ALTER TABLE streams ALTER COLUMN device DROP NOT NULL",
		"ALTER TABLE batches ALTER COLUMN duplicates TYPE integer",
		"ALTER TABLE tokens DROP COLUMN revoked_at",
		"DROP TABLE queues",
		"ALTER TABLE audit_segments DISABLE TRIGGER append_only_rows",
		"DROP INDEX audit_events_names",
		"DROP FUNCTION audit_release",
	} {
		pg := testserver.Postgres(t)
		url := pg.NewDatabase(t)
		m := newTestMigrator(t, url)
		up(t, m)
		name := url[strings.LastIndexByte(url, '/')+1 : strings.IndexByte(url, '?')]
		pg.Exec(t, name, "CREATE INDEX wrong ON streams (device); ALTER TABLE tokens ADD COLUMN later text")
		if err := m.Validate(t.Context()); err != nil {
			t.Fatal("more than needed is no difference:", err)
		}
		pg.Exec(t, name, change)
		if err := m.Validate(t.Context()); !errors.Is(err, store.ErrSchema) {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestTwoMigrateAtOnce(t *testing.T) {
	url := testserver.Postgres(t).NewDatabase(t)
	var wg sync.WaitGroup
	for range 3 {
		m := newTestMigrator(t, url)
		wg.Go(func() {
			if err := m.Up(context.Background(), func(store.Migration) {}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := newTestMigrator(t, url).Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func testConfig(url string) Config {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	return Config{URL: url, Logger: quiet}
}

func TestOpenChecksTheSchema(t *testing.T) {
	pg := testserver.Postgres(t)
	url := pg.NewDatabase(t)
	if _, err := Open(t.Context(), testConfig(url)); !errors.Is(err, store.ErrSchema) {
		t.Fatal(err)
	}
	m := newTestMigrator(t, url)
	up(t, m)
	name := url[strings.LastIndexByte(url, '/')+1 : strings.IndexByte(url, '?')]
	pg.Exec(t, name, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)")
	s, err := Open(t.Context(), testConfig(url))
	if err != nil {
		t.Fatal("a newer schema can be lived with:", err)
	}
	_ = s.Close()
	pg.Exec(t, name, "DELETE FROM goose_db_version WHERE version_id > 0")
	if _, err := Open(t.Context(), testConfig(url)); !errors.Is(err, store.ErrSchema) {
		t.Fatal(err)
	}
}

// No error tells the password, whatever is wrong with the URL.
func TestErrorsNeverTellThePassword(t *testing.T) {
	for _, url := range []string{
		"postgres://u:s3cret@127.0.0.1:1/d", "postgres://u:s3cret@127.0.0.1:port/d", "mysql://u:s3cret@h/d", "postgres://u:s3cret@h/d?sslmode=perhaps",
		"postgres://u:s3cret@h:5432,:x/d", "s3cret", "postgres://u:s3cret%zz@h/d",
	} {
		_, err := Open(t.Context(), testConfig(url))
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}

// The whole contract holds under the role that serve is meant to use, and that
// role can do no more.
func TestLeastPrivilege(t *testing.T) {
	pg := testserver.Postgres(t)
	text, err := os.ReadFile("roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	as := func(tb testing.TB, role string) string {
		mu.Lock()
		defer mu.Unlock()
		url := pg.NewDatabase(tb)
		pg.Exec(tb, url[strings.LastIndexByte(url, '/')+1:strings.IndexByte(url, '?')], string(text))
		m, err := NewMigrator(strings.Replace(url, "postgres@", "holdfast_owner@", 1))
		if err != nil {
			tb.Fatal(err)
		}
		defer m.Close()
		if err := m.Up(tb.Context(), func(store.Migration) {}); err != nil {
			tb.Fatal(err)
		}
		return strings.Replace(url, "postgres@", role+"@", 1)
	}
	storetest.Run(t, func(tb testing.TB) store.Store {
		s, err := Open(tb.Context(), testConfig(as(tb, "holdfast_app")))
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = s.Close() })
		return s
	})
	conn, err := pgx.Connect(t.Context(), as(t, "holdfast_app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range []string{
		"DELETE FROM transactions", "TRUNCATE batches", "DROP TABLE streams", "ALTER TABLE tokens ADD COLUMN x text", "CREATE TABLE mine (x int)", "DELETE FROM epochs",
		"DELETE FROM attachments", "DELETE FROM attachment_names", "TRUNCATE uploads",
	} {
		if _, err := conn.Exec(t.Context(), statement); err == nil {
			t.Errorf("the role may %s", statement)
		}
	}
}
