// Package objectstoretest is the suite that every object store passes.
package objectstoretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// Run proves the contract; open makes an empty store.
func Run(t *testing.T, open func(testing.TB) objectstore.Store) {
	for name, test := range map[string]func(*testing.T, objectstore.Store){
		"put and get": putAndGet, "ranges": ranges, "once": once, "race": race, "mismatch": mismatch, "names": names, "list": list, "nothing": nothing,
		"parts": parts, "one part": onePart, "part of nothing": partOfNothing, "wrong parts": wrongParts, "replaced part": replacedPart, "complete once": completeOnce,
		"assemblies": assemblies, "abort": abort, "transient": transient, "adopt once": adoptOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Put puts octets with their own size and digest.
func Put(ctx context.Context, s objectstore.Putter, name string, octets []byte) error {
	return s.Put(ctx, name, int64(len(octets)), sha256.Sum256(octets), bytes.NewReader(octets))
}

func get(t *testing.T, s objectstore.Store, name string, offset, length int64) string {
	t.Helper()
	r, info, err := s.Get(t.Context(), name, offset, length)
	if err != nil {
		t.Fatal(name, err)
	}
	defer r.Close()
	octets, err := io.ReadAll(r)
	if err != nil || info.Name != name {
		t.Fatal(info, err)
	}
	return string(octets)
}

func putAndGet(t *testing.T, s objectstore.Store) {
	for name, octets := range map[string]string{"a": "one", "deep/er/b.seg": strings.Repeat("0123456789abcdef", 200_000), "empty": ""} {
		if err := Put(t.Context(), s, name, []byte(octets)); err != nil {
			t.Fatal(name, err)
		}
		if got := get(t, s, name, 0, -1); got != octets {
			t.Fatalf("%s: %d bytes of %d", name, len(got), len(octets))
		}
		info, err := s.Stat(t.Context(), name)
		if err != nil || info.Size != int64(len(octets)) || info.Name != name || info.ModTime.IsZero() {
			t.Fatal(info, err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func ranges(t *testing.T, s objectstore.Store) {
	if err := Put(t.Context(), s, "r", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, 3, "012"}, {3, 4, "3456"}, {7, -1, "789"}, {8, 100, "89"}, {10, -1, ""}, {0, 0, ""}, {9, 1, "9"}} {
		if got := get(t, s, "r", c.offset, c.length); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if _, _, err := s.Get(t.Context(), "r", 11, -1); !errors.Is(err, objectstore.ErrRange) {
		t.Error(err)
	}
}

func once(t *testing.T, s objectstore.Store) {
	for i, octets := range []string{"first", "second", "first"} {
		if err := Put(t.Context(), s, "once", []byte(octets)); i > 0 && !errors.Is(err, objectstore.ErrExists) || i == 0 && err != nil {
			t.Fatal(i, err)
		}
	}
	if got := get(t, s, "once", 0, -1); got != "first" {
		t.Fatal(got)
	}
}

// Of many that put one name, one wins, and what it put is whole.
func race(t *testing.T, s objectstore.Store) {
	for round := range 5 {
		name := fmt.Sprintf("race/%d", round)
		var won atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				octets := bytes.Repeat([]byte{byte('a' + i)}, 50_000)
				switch err := Put(t.Context(), s, name, octets); {
				case err == nil:
					won.Add(1)
					winner.Store(string(octets))
				case !errors.Is(err, objectstore.ErrExists):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || get(t, s, name, 0, -1) != winner.Load() {
			t.Fatalf("%d won", won.Load())
		}
	}
}

func mismatch(t *testing.T, s objectstore.Store) {
	octets := []byte("octets as they are")
	sum := sha256.Sum256(octets)
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		size   int64
		digest objectstore.Digest
		r      io.Reader
		want   error
	}{
		"digest": {int64(len(octets)), sha256.Sum256([]byte("others")), bytes.NewReader(octets), objectstore.ErrMismatch},
		"short":  {int64(len(octets)) + 5, sum, bytes.NewReader(octets), objectstore.ErrMismatch},
		"long":   {int64(len(octets)) - 5, sum, bytes.NewReader(octets), objectstore.ErrMismatch},
		"broken": {int64(len(octets)), sum, io.MultiReader(bytes.NewReader(octets[:5]), iotest.ErrReader(broken)), nil},
	} {
		err := s.Put(t.Context(), "m/"+name, c.size, c.digest, c.r)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Stat(t.Context(), "m/"+name); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("%s is visible: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Put(ctx, s, "m/cancelled", octets); err == nil {
		t.Error("a cancelled put succeeded")
	}
}

func names(t *testing.T, s objectstore.Store) {
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a b", "ä", "a\x00", "a\\b", strings.Repeat("a", 513), strings.Repeat("a", 256)} {
		if err := Put(t.Context(), s, name, []byte("x")); !errors.Is(err, objectstore.ErrName) {
			t.Errorf("put %q: %v", name, err)
		}
		if _, _, err := s.Get(t.Context(), name, 0, -1); !errors.Is(err, objectstore.ErrName) {
			t.Errorf("get %q: %v", name, err)
		}
	}
}

func list(t *testing.T, s objectstore.Store) {
	all := []string{"a", "a.c", "a1/x", "b/1", "b/2/z", "b/20", "b0"}
	for _, name := range all {
		if err := Put(t.Context(), s, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ prefix, after string }{{"", ""}, {"b/", ""}, {"b", ""}, {"b/2", ""}, {"", "a.c"}, {"b/", "b/1"}, {"b/", "b/2/z"}, {"x", ""}, {"a", "a"}} {
		var want, got []string
		for _, name := range all {
			if strings.HasPrefix(name, c.prefix) && name > c.after {
				want = append(want, name)
			}
		}
		for info, err := range s.List(t.Context(), c.prefix, c.after) {
			if err != nil || info.Size != int64(len(info.Name)) {
				t.Fatal(info, err)
			}
			got = append(got, info.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", c, got, want)
		}
	}
	for _, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		break // who has enough may stop
	}
}

func nothing(t *testing.T, s objectstore.Store) {
	if _, _, err := s.Get(t.Context(), "none", 0, -1); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.Stat(t.Context(), "no/ne"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Error(info, err)
	}
}
