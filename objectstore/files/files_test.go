package files_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/objectstore/files"
	"github.com/holdfast-sync/holdfast/objectstore/objectstoretest"
)

func open(tb testing.TB) objectstore.Store {
	s, err := files.Open(filepath.Join(tb.TempDir(), "objects"))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) { objectstoretest.Run(t, open) }

// What a killed process left is cleared once it is old, and never seen.
func TestAbandonedFilesAreCleared(t *testing.T) {
	dir := t.TempDir()
	if _, err := files.Open(dir); err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(dir, ".staging", "old"), filepath.Join(dir, ".staging", "young")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Now(), time.Now().Add(-25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	s, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error("the old one is there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("the young one is gone")
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Error(info, err)
	}
}

func TestAFolderThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Open(path); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Fatal(err)
	}
}

// A file that is put can't be written to by mistake.
func TestFilesAreReadOnly(t *testing.T) {
	dir := t.TempDir()
	s, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	octets := []byte("x")
	if err := s.Put(t.Context(), "a/b", 1, sha256.Sum256(octets), bytes.NewReader(octets)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "a", "b"))
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Fatal(info.Mode(), err)
	}
}

// A folder that is gone, or is only a mount point any more, says nothing about objects: another site is asked.
func TestTheWholeFolderVanishes(t *testing.T) {
	for name, vanish := range map[string]func(dir string) error{
		"gone":        os.RemoveAll,
		"not mounted": func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "objects")
			s, err := files.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := objectstoretest.Put(t.Context(), s, "x", []byte("x")); err != nil {
				t.Fatal(err)
			}
			id, err := s.Begin(t.Context(), "y")
			if err != nil {
				t.Fatal(err)
			}
			if err := vanish(dir); err != nil {
				t.Fatal(err)
			}
			_, _, got := s.Get(t.Context(), "x", 0, -1)
			_, stat := s.Stat(t.Context(), "x")
			_, begun := s.Begin(t.Context(), "z")
			var listed error
			for _, listed = range s.List(t.Context(), "", "") {
				break
			}
			for what, err := range map[string]error{
				"put": objectstoretest.Put(t.Context(), s, "z", []byte("x")), "get": got, "stat": stat, "begin": begun, "list": listed,
				"complete": s.Complete(t.Context(), "y", id, []objectstore.Part{{Number: 1, Size: 1, Tag: "x"}}), "ping": s.Ping(t.Context()),
				"remove": s.Remove(t.Context(), objectstore.Transient+"x"), "adopt": s.Adopt(t.Context(), objectstore.Transient+"x", "y"),
			} {
				if !errors.Is(err, objectstore.ErrUnavailable) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}
