package objectstoretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// pieces are the octets of parts, all but the last of the least size.
func pieces(s objectstore.Store, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		size := s.MinPart() + 3
		if i == n-1 {
			size = 5
		}
		out[i] = bytes.Repeat([]byte{byte('a' + i)}, int(size))
	}
	return out
}

// begin opens an assembly.
func begin(t *testing.T, s objectstore.Store, name string) string {
	t.Helper()
	id, err := s.Begin(t.Context(), name)
	if err != nil || id == "" {
		t.Fatal(id, err)
	}
	return id
}

func putPart(t *testing.T, s objectstore.Store, name, id string, number int, octets []byte) objectstore.Part {
	t.Helper()
	part, err := s.PutPart(t.Context(), name, id, number, int64(len(octets)), sha256.Sum256(octets), bytes.NewReader(octets))
	if err != nil || part.Number != number || part.Size != int64(len(octets)) {
		t.Fatalf("%+v %v", part, err)
	}
	return part
}

// Parts stand in the order of their numbers, however they came; the last one under a number counts.
func parts(t *testing.T, s objectstore.Store) {
	octets := pieces(s, 3)
	id := begin(t, s, "p/whole")
	last := putPart(t, s, "p/whole", id, 700, octets[2])
	putPart(t, s, "p/whole", id, 3, octets[1])
	first := putPart(t, s, "p/whole", id, 3, octets[0])
	second := putPart(t, s, "p/whole", id, 20, octets[1])
	putPart(t, s, "p/whole", id, 21, octets[1]) // and is not named
	if _, err := s.Stat(t.Context(), "p/whole"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Fatal("parts are visible", err)
	}
	if err := s.Complete(t.Context(), "p/whole", id, []objectstore.Part{first, second, last}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "p/whole", 0, -1); got != string(bytes.Join(octets, nil)) {
		t.Fatalf("%d octets", len(got))
	}
	if err := s.Complete(t.Context(), "p/whole", id, []objectstore.Part{first, second, last}); !errors.Is(err, objectstore.ErrNotFound) && !errors.Is(err, objectstore.ErrExists) {
		t.Fatal("completed twice", err)
	}
	if got := get(t, s, "p/whole", s.MinPart()+3, 1); got != "b" {
		t.Fatal(got)
	}
}

func onePart(t *testing.T, s objectstore.Store) {
	id := begin(t, s, "one")
	part := putPart(t, s, "one", id, 1, []byte("only"))
	if err := s.Complete(t.Context(), "one", id, []objectstore.Part{part}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "one", 0, -1); got != "only" {
		t.Fatal(got)
	}
}

func partOfNothing(t *testing.T, s objectstore.Store) {
	id := begin(t, s, "gone")
	if err := s.Abort(t.Context(), "gone", id); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{id, "0123456789abcdef01234567", "../../etc", ""} {
		if _, err := s.PutPart(t.Context(), "gone", id, 1, 1, sha256.Sum256([]byte("x")), strings.NewReader("x")); err == nil {
			t.Errorf("a part of %q was kept", id)
		}
	}
	if _, err := s.PutPart(t.Context(), "gone", id, 1, 1, sha256.Sum256([]byte("x")), strings.NewReader("x")); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Complete(t.Context(), "gone", id, []objectstore.Part{{Number: 1, Size: 1, Tag: "x"}}); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
	for range 2 {
		if err := s.Abort(t.Context(), "gone", id); err != nil {
			t.Error("aborted twice", err)
		}
	}
}

func wrongParts(t *testing.T, s objectstore.Store) {
	id := begin(t, s, "wrong")
	right := objectstore.Digest(sha256.Sum256([]byte("octet")))
	for name, c := range map[string]struct {
		number int
		size   int64
		digest objectstore.Digest
	}{"short": {1, 6, right}, "long": {2, 4, right}, "digest": {3, 5, sha256.Sum256([]byte("other"))}} {
		if _, err := s.PutPart(t.Context(), "wrong", id, c.number, c.size, c.digest, strings.NewReader("octet")); !errors.Is(err, objectstore.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, number := range []int{0, -1, 10_001} {
		if _, err := s.PutPart(t.Context(), "wrong", id, number, 5, right, strings.NewReader("octet")); !errors.Is(err, objectstore.ErrName) {
			t.Errorf("number %d: %v", number, err)
		}
	}
	if _, err := s.Begin(t.Context(), "../x"); !errors.Is(err, objectstore.ErrName) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.PutPart(ctx, "wrong", id, 3, 5, right, strings.NewReader("octet")); err == nil {
		t.Error("a cancelled part was kept")
	}
	if _, err := s.Stat(t.Context(), "wrong"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
}

// Who completes with a part that another has replaced gets its own octets or nothing, never the other's: the size is the same.
func replacedPart(t *testing.T, s objectstore.Store) {
	id := begin(t, s, "p/replaced")
	mine := putPart(t, s, "p/replaced", id, 1, []byte("mine"))
	putPart(t, s, "p/replaced", id, 1, []byte("ours"))
	switch err := s.Complete(t.Context(), "p/replaced", id, []objectstore.Part{mine}); {
	case err == nil:
		if got := get(t, s, "p/replaced", 0, -1); got != "mine" {
			t.Errorf("it holds %q", got)
		}
	case !errors.Is(err, objectstore.ErrNotFound):
		t.Error(err)
	}
}

// Of several assemblies for one name, and of a put, one wins.
func completeOnce(t *testing.T, s objectstore.Store) {
	if err := Put(t.Context(), s, "taken", []byte("first")); err != nil {
		t.Fatal(err)
	}
	id := begin(t, s, "taken")
	part := putPart(t, s, "taken", id, 1, []byte("second"))
	if err := s.Complete(t.Context(), "taken", id, []objectstore.Part{part}); !errors.Is(err, objectstore.ErrExists) {
		t.Fatal(err)
	}
	if got := get(t, s, "taken", 0, -1); got != "first" {
		t.Fatal(got)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 6 {
		id := begin(t, s, "raced")
		part := putPart(t, s, "raced", id, 1, bytes.Repeat([]byte{byte('a' + i)}, 1000))
		wg.Go(func() {
			switch err := s.Complete(t.Context(), "raced", id, []objectstore.Part{part}); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, objectstore.ErrExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := get(t, s, "raced", 0, -1)
	if won.Load() != 1 || got != strings.Repeat(got[:1], 1000) {
		t.Fatalf("%d won, %d octets", won.Load(), len(got))
	}
}

func assemblies(t *testing.T, s objectstore.Store) {
	ids := map[string]string{}
	for _, name := range []string{"x/1", "x/2", "y/1"} {
		ids[name] = begin(t, s, name)
		putPart(t, s, name, ids[name], 1, []byte("octets"))
	}
	open := func(prefix string) (names []string) {
		for a, err := range s.Assemblies(t.Context(), prefix) {
			if err != nil || ids[a.Name] != a.ID || a.Began.IsZero() {
				t.Fatalf("%+v %v", a, err)
			}
			names = append(names, a.Name)
		}
		slices.Sort(names)
		return names
	}
	if got := fmt.Sprint(open(""), open("x/"), open("z")); got != "[x/1 x/2 y/1] [x/1 x/2] []" {
		t.Fatal(got)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Fatal("parts are listed", info, err)
	}
	if err := s.Abort(t.Context(), "x/1", ids["x/1"]); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(open("")); got != "[x/2 y/1]" {
		t.Fatal(got)
	}
	for _, err := range s.Assemblies(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		break // who has enough may stop
	}
}

// An assembly that is dropped leaves nothing, and does not touch another for its name.
func abort(t *testing.T, s objectstore.Store) {
	one, other := begin(t, s, "a/b"), begin(t, s, "a/b")
	putPart(t, s, "a/b", one, 1, []byte("one"))
	part := putPart(t, s, "a/b", other, 1, []byte("other"))
	if err := s.Abort(t.Context(), "a/b", one); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context(), "a/b", other, []objectstore.Part{part}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "a/b", 0, -1); got != "other" {
		t.Fatal(got)
	}
}

func transient(t *testing.T, s objectstore.Store) {
	for _, name := range []string{objectstore.Transient + "u/1", objectstore.Transient + "u/2", "stays"} {
		if err := Put(t.Context(), s, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"stays", "", objectstore.Transient, objectstore.Transient + "../stays"} {
		if err := s.Remove(t.Context(), name); !errors.Is(err, objectstore.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for range 2 {
		if err := s.Remove(t.Context(), objectstore.Transient+"u/1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Stat(t.Context(), objectstore.Transient+"u/1"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Fatal(err)
	}
	if got := get(t, s, objectstore.Transient+"u/2", 0, -1) + get(t, s, "stays", 0, -1); got != objectstore.Transient+"u/2stays" {
		t.Fatal(got)
	}
	// A folder that is emptied is no obstacle to what comes into it just then.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 10 {
				name := fmt.Sprintf("%sbusy/%d-%d", objectstore.Transient, i, n)
				var err error
				for range 5 { // a service may stumble over itself here; it must say so
					if err = Put(t.Context(), s, name, []byte("x")); !errors.Is(err, objectstore.ErrUnavailable) {
						break
					}
				}
				if err != nil {
					t.Error(err)
				}
				if err := s.Remove(t.Context(), name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func adoptOnce(t *testing.T, s objectstore.Store) {
	from := objectstore.Transient + "u/whole"
	if err := Put(t.Context(), s, from, []byte("octets")); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"a", "b"}, {from, objectstore.Transient + "b"}, {from, "../b"}} {
		if err := s.Adopt(t.Context(), c[0], c[1]); !errors.Is(err, objectstore.ErrName) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if err := s.Adopt(t.Context(), objectstore.Transient+"none", "b"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Adopt(t.Context(), from, "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "a/b/c", 0, -1); got != "octets" {
		t.Fatal(got)
	}
	other := objectstore.Transient + "u/other"
	if err := Put(t.Context(), s, other, []byte("others")); err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(t.Context(), other, "a/b/c"); !errors.Is(err, objectstore.ErrExists) {
		t.Fatal(err)
	}
	if got := get(t, s, "a/b/c", 0, -1); got != "octets" {
		t.Fatal(got)
	}
}
