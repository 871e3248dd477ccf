package sqlite_test

import (
	"io"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/sqlite"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

func quiet() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func migrated(tb testing.TB, dir string) {
	tb.Helper()
	m, err := sqlite.NewMigrator(tb.Context(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	if err := m.Up(tb.Context(), func(store.Migration) {}); err != nil {
		tb.Fatal(err)
	}
}

func openDir(tb testing.TB, dir string) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), sqlite.Config{Dir: dir, Logger: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func open(tb testing.TB) store.Store {
	dir := tb.TempDir()
	migrated(tb, dir)
	return openDir(tb, dir)
}

func TestContract(t *testing.T) { storetest.Run(t, open) }

func BenchmarkAppend(b *testing.B) { storetest.Bench(b, open) }
