package sqlite

import (
	"testing"

	"github.com/holdfast-sync/holdfast/store"
)

// The schema does not change below a gateway that has the directory.
func TestUpWaitsForNobodysDirectory(t *testing.T) {
	dir := t.TempDir()
	m, err := NewMigrator(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	lock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context(), func(store.Migration) { t.Error("a migration was applied") }); err == nil {
		t.Error("the directory is in use, and the schema was changed")
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Up(t.Context(), func(store.Migration) {}); err != nil {
		t.Error(err)
	}
}
