package postgres_test

import (
	"io"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/postgres"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func quiet() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func migrated(tb testing.TB, pg *testserver.PG) string {
	tb.Helper()
	url := pg.NewDatabase(tb)
	m, err := postgres.NewMigrator(url)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	if err := m.Up(tb.Context(), func(store.Migration) {}); err != nil {
		tb.Fatal(err)
	}
	return url
}

func openURL(tb testing.TB, url string) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), postgres.Config{URL: url, Logger: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func open(tb testing.TB) store.Store { return openURL(tb, migrated(tb, testserver.Postgres(tb))) }

func TestContract(t *testing.T) { storetest.Run(t, open) }

func BenchmarkAppend(b *testing.B) { storetest.Bench(b, open) }
