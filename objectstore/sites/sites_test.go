package sites_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/objectstore/files"
	"github.com/holdfast-sync/holdfast/objectstore/objectstoretest"
	"github.com/holdfast-sync/holdfast/objectstore/sites"
)

// The ways in which a site may fail.
const (
	well     int32 = iota
	refusing       // at once
	hanging        // until the caller gives up
	cutting        // takes and gives some octets, then fails
	short          // gives fewer octets than there are, and says that was all
	stalling       // gives some octets, then nothing
	emptied        // has lost everything
)

// faulty is a folder that fails on demand; asked counts the calls.
type faulty struct {
	objectstore.Store
	fault atomic.Int32
	asked atomic.Int32
}

func newFaulty(t testing.TB) *faulty {
	t.Helper()
	s, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &faulty{Store: s}
}

func (f *faulty) trouble(ctx context.Context) error {
	f.asked.Add(1)
	switch f.fault.Load() {
	case refusing:
		return objectstore.ErrUnavailable
	case hanging:
		<-ctx.Done()
		return objectstore.ErrUnavailable // as one that does not tell why
	}
	return nil
}

func (f *faulty) Put(ctx context.Context, name string, size int64, digest objectstore.Digest, octets io.Reader) error {
	if err := f.trouble(ctx); err != nil {
		return err
	}
	if f.fault.Load() == cutting {
		_, _ = io.CopyN(io.Discard, octets, size/2)
		return objectstore.ErrUnavailable
	}
	return f.Store.Put(ctx, name, size, digest, octets)
}

func (f *faulty) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, objectstore.Info, error) {
	if err := f.trouble(ctx); err != nil {
		return nil, objectstore.Info{}, err
	}
	if f.fault.Load() == emptied {
		return nil, objectstore.Info{}, objectstore.ErrNotFound
	}
	r, info, err := f.Store.Get(ctx, name, offset, length)
	if err != nil {
		return nil, info, err
	}
	some := io.LimitReader(r, 3)
	switch f.fault.Load() {
	case cutting:
		return both{io.MultiReader(some, iotest.ErrReader(errors.New("reset by peer"))), r}, info, nil
	case short:
		return both{some, r}, info, nil
	case stalling:
		return both{io.MultiReader(some, stalled{ctx}), r}, info, nil
	}
	return r, info, nil
}

type both struct {
	io.Reader
	io.Closer
}

type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (f *faulty) Stat(ctx context.Context, name string) (objectstore.Info, error) {
	if err := f.trouble(ctx); err != nil {
		return objectstore.Info{}, err
	}
	if f.fault.Load() == emptied {
		return objectstore.Info{}, objectstore.ErrNotFound
	}
	return f.Store.Stat(ctx, name)
}

func (f *faulty) Begin(ctx context.Context, name string) (string, error) {
	if err := f.trouble(ctx); err != nil {
		return "", err
	}
	return f.Store.Begin(ctx, name)
}

func (f *faulty) List(ctx context.Context, prefix, after string) iter.Seq2[objectstore.Info, error] {
	if f.fault.Load() == refusing {
		return func(yield func(objectstore.Info, error) bool) { yield(objectstore.Info{}, objectstore.ErrUnavailable) }
	}
	return f.Store.List(ctx, prefix, after)
}

func (f *faulty) Ping(ctx context.Context) error {
	if err := f.trouble(ctx); err != nil {
		return err
	}
	return f.Store.Ping(ctx)
}

// open makes sites a, b, c … of the stores.
func open(t testing.TB, c sites.Config, stores ...objectstore.Store) *sites.Sites {
	t.Helper()
	for i, s := range stores {
		c.Sites = append(c.Sites, sites.Site{Name: string(rune('a' + i)), Store: s})
	}
	s, err := sites.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSitesAreAStore(t *testing.T) {
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			objectstoretest.Run(t, func(t testing.TB) objectstore.Store {
				var all []objectstore.Store
				for range n {
					all = append(all, newFaulty(t))
				}
				return open(t, sites.Config{}, all...)
			})
		})
	}
}

// put puts octets; the site that took them is told.
func put(ctx context.Context, s *sites.Sites, name string, octets []byte, first ...string) (string, error) {
	return s.PutAt(ctx, name, int64(len(octets)), sha256.Sum256(octets), bytes.NewReader(octets), first...)
}

func read(ctx context.Context, s *sites.Sites, name string, places ...string) (string, error) {
	r, _, err := s.Open(ctx, name, 0, -1, places...)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestWritesGoToTheNextSite(t *testing.T) {
	for _, fault := range []int32{refusing, cutting} {
		a, b := newFaulty(t), newFaulty(t)
		s := open(t, sites.Config{}, a, b)
		if at, err := put(t.Context(), s, "own", []byte("octets")); at != "a" || err != nil {
			t.Fatal(at, err)
		}
		if at, err := put(t.Context(), s, "asked", []byte("octets"), "b"); at != "b" || err != nil {
			t.Fatal(at, err)
		}
		if at, err := put(t.Context(), s, "own", []byte("octets")); at != "a" || !errors.Is(err, objectstore.ErrExists) {
			t.Fatal(at, err)
		}
		a.fault.Store(fault)
		for i := range 10 {
			name := fmt.Sprint("next", i)
			if at, err := put(t.Context(), s, name, []byte("octets")); at != "b" || err != nil {
				t.Fatal(at, err)
			}
		}
		if got, err := read(t.Context(), s, "next5", "a"); got != "octets" || err != nil {
			t.Fatal(got, err)
		}
		if asked := a.asked.Load(); s.Up("a") || s.Health()["a"] == nil || asked != 2+3 {
			t.Fatalf("a is up %t, was asked %d times", s.Up("a"), asked)
		}
		if got := fmt.Sprint(s.Order(), s.Order("a"), s.Names()); got != "[b a] [b a] [a b]" {
			t.Fatal(got)
		}
		b.fault.Store(refusing)
		if at, err := put(t.Context(), s, "none", []byte("octets")); at != "" || !errors.Is(err, objectstore.ErrUnavailable) {
			t.Fatal(at, err)
		}
	}
}

// What the caller is to blame for moves no breaker, and no other site is asked.
func TestTheCallersOwnFaults(t *testing.T) {
	a, b := newFaulty(t), newFaulty(t)
	s := open(t, sites.Config{}, a, b)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("the client went away")
	for range 5 {
		if _, err := s.PutAt(t.Context(), "x", 3, sha256.Sum256([]byte("other")), bytes.NewReader([]byte("oct"))); !errors.Is(err, objectstore.ErrMismatch) {
			t.Fatal(err)
		}
		if _, err := put(t.Context(), s, "../x", []byte("oct")); !errors.Is(err, objectstore.ErrName) {
			t.Fatal(err)
		}
		if _, err := put(cancelled, s, "x", []byte("oct")); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), "x", 3, objectstore.Digest{}, iotest.ErrReader(broken)); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if _, err := read(t.Context(), s, "none"); !errors.Is(err, objectstore.ErrNotFound) {
			t.Fatal(err)
		}
		if _, _, err := s.Open(cancelled, "none", 0, -1); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if !s.Up("a") || !s.Up("b") {
		t.Fatal(s.Health())
	}
	for info, err := range b.Store.List(t.Context(), "", "") {
		t.Fatal("something came to b", info, err)
	}
}

// A site that hangs costs one patience, once; it comes back by itself.
func TestASiteThatHangs(t *testing.T) {
	a, b := newFaulty(t), newFaulty(t)
	synctest.Test(t, func(t *testing.T) {
		var told []string
		s := open(t, sites.Config{Patience: 10 * time.Second, Rest: 5 * time.Second, Changed: func(site string, up bool) { told = append(told, fmt.Sprint(site, up)) }}, a, b)
		a.fault.Store(hanging)
		for i, want := range []time.Duration{10 * time.Second, 0, 0} {
			began := time.Now()
			if at, err := put(t.Context(), s, fmt.Sprint("x", i), []byte("octets")); at != "b" || err != nil {
				t.Fatal(at, err)
			}
			if took := time.Since(began); took != want {
				t.Fatalf("put %d took %s", i, took)
			}
		}
		s.Start()
		defer s.Stop(t.Context())
		time.Sleep(time.Minute)
		if s.Up("a") {
			t.Fatal("a hangs and is up")
		}
		a.fault.Store(well)
		time.Sleep(16 * time.Second) // a ping that hangs has its patience too
		if at, err := put(t.Context(), s, "back", []byte("octets")); at != "a" || err != nil {
			t.Fatal(at, err)
		}
		if got := fmt.Sprint(told); got != "[afalse atrue]" {
			t.Fatal(got)
		}
		a.fault.Store(refusing) // and is found out without any request
		time.Sleep(20 * time.Second)
		if s.Up("a") {
			t.Fatal("a refuses and is up")
		}
	})
}

// slow gives an octet every nine seconds.
type slow struct{ left int }

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(25 * time.Second)
	s.left--
	p[0] = 'x'
	return 1, nil
}

func TestASlowClientIsNotTheSitesFault(t *testing.T) {
	a := newFaulty(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sites.Config{Patience: 10 * time.Second}, a)
		if err := s.Put(t.Context(), "x", 5, sha256.Sum256([]byte("xxxxx")), &slow{5}); err != nil || !s.Up("a") {
			t.Fatal(err, s.Up("a"))
		}
		r, _, err := s.Open(t.Context(), "x", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for range 5 {
			time.Sleep(time.Minute) // who reads slowly is not the site's fault either
			if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A reader goes on elsewhere, whatever happens to its site.
func TestAReaderGoesOnElsewhere(t *testing.T) {
	for _, fault := range []int32{refusing, hanging, cutting, short, stalling, emptied} {
		a, b := newFaulty(t), newFaulty(t)
		synctest.Test(t, func(t *testing.T) {
			s := open(t, sites.Config{Patience: 10 * time.Second}, a, b)
			octets := []byte("0123456789")
			for _, site := range []string{"a", "b"} {
				if at, err := put(t.Context(), s, "x", octets, site); at != site || err != nil {
					t.Fatal(at, err)
				}
			}
			a.fault.Store(fault)
			if got, err := read(t.Context(), s, "x", "a"); got != string(octets) || err != nil {
				t.Fatalf("fault %d: %q %v", fault, got, err)
			}
			r, _, err := s.Open(t.Context(), "x", 2, 6, "a")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); string(got) != "234567" || err != nil {
				t.Fatalf("fault %d: %q %v", fault, got, err)
			}
			// The copy at b is the only other one: without it nobody claims that all is there.
			b.fault.Store(emptied)
			if got, err := read(t.Context(), s, "x", "a"); err == nil && got != string(octets) {
				t.Fatalf("fault %d: %q was all", fault, got)
			}
		})
	}
}

// A site that copies a large object before it answers is not slow.
func TestCompletingMayTakeLong(t *testing.T) {
	a := newFaulty(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sites.Config{Patience: 10 * time.Second}, &copying{faulty: a})
		id, err := s.Begin(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		part, err := s.PutPart(t.Context(), "x", id, 1, 6, sha256.Sum256([]byte("octets")), bytes.NewReader([]byte("octets")))
		if err != nil {
			t.Fatal(err)
		}
		part.Size = 200 << 20 // as far as the patience knows: 25 seconds more
		if err := s.Complete(t.Context(), "x", id, []objectstore.Part{part}); err != nil || !s.Up("a") {
			t.Fatal(err, s.Up("a"))
		}
		id, _ = s.Begin(t.Context(), "y")
		if err := s.Complete(t.Context(), "y", id, nil); !errors.Is(err, objectstore.ErrUnavailable) || s.Up("a") {
			t.Fatal("of nothing:", err)
		}
	})
}

// copying takes half a minute to complete.
type copying struct{ *faulty }

func (c *copying) Complete(ctx context.Context, name, id string, parts []objectstore.Part) error {
	select {
	case <-time.After(30 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	for i := range parts {
		parts[i].Size = 6
	}
	return c.Store.Complete(ctx, name, id, parts)
}

// When every site opens the object and none gives anything of it, that is told, and not tried for ever.
func TestNobodyGivesAnything(t *testing.T) {
	for n := 1; n <= 3; n++ {
		var all []objectstore.Store
		for range n {
			all = append(all, &mute{newFaulty(t)})
		}
		s := open(t, sites.Config{}, all...)
		for _, name := range s.Names() {
			if _, err := put(t.Context(), s, "x", []byte("octets"), name); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := read(t.Context(), s, "x"); !errors.Is(err, objectstore.ErrUnavailable) || got != "" {
			t.Fatalf("%d sites: %q %v", n, got, err)
		}
	}
}

// mute opens every object and gives nothing of it.
type mute struct{ *faulty }

func (m *mute) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, objectstore.Info, error) {
	r, info, err := m.Store.Get(ctx, name, offset, length)
	if err != nil {
		return nil, info, err
	}
	return both{iotest.ErrReader(io.ErrUnexpectedEOF), r}, info, nil
}

// One that only stumbles is read to the end with as many calls as it takes.
func TestASiteThatStumblesIsReadToTheEnd(t *testing.T) {
	for _, fault := range []int32{short, cutting} {
		a := newFaulty(t)
		s := open(t, sites.Config{}, a)
		if _, err := put(t.Context(), s, "x", []byte("01234")); err != nil {
			t.Fatal(err)
		}
		a.fault.Store(fault)
		if got, err := read(t.Context(), s, "x"); got != "01234" || err != nil {
			t.Fatalf("fault %d: %q %v", fault, got, err)
		}
	}
}

func TestNotFoundNeedsEverySite(t *testing.T) {
	a, b := newFaulty(t), newFaulty(t)
	s := open(t, sites.Config{}, a, b)
	if _, err := read(t.Context(), s, "none"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Fatal(err)
	}
	b.fault.Store(refusing)
	if _, err := read(t.Context(), s, "none"); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Fatal(err)
	}
	held, unknown, err := s.Where(t.Context(), "none")
	if len(held) != 0 || !slices.Equal(unknown, []string{"b"}) || err != nil {
		t.Fatal(held, unknown, err)
	}
}

func TestCopies(t *testing.T) {
	a, b := newFaulty(t), newFaulty(t)
	s := open(t, sites.Config{}, a, b)
	octets := []byte("octets")
	if _, err := put(t.Context(), s, "x", octets); err != nil {
		t.Fatal(err)
	}
	if err := s.CopyTo(t.Context(), "x", 6, sha256.Sum256(octets), "b", "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.CopyTo(t.Context(), "x", 6, sha256.Sum256(octets), "b", "a"); !errors.Is(err, objectstore.ErrExists) {
		t.Fatal(err)
	}
	held, _, _ := s.Where(t.Context(), "x")
	if len(held) != 2 || held["b"].Size != 6 {
		t.Fatal(held)
	}
	if _, err := put(t.Context(), s, "damaged", []byte("other!")); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"digest": s.CopyTo(t.Context(), "damaged", 6, sha256.Sum256(octets), "b"), "size": s.CopyTo(t.Context(), "damaged", 7, sha256.Sum256(octets), "b"),
	} {
		if !errors.Is(err, objectstore.ErrMismatch) {
			t.Error(name, err)
		}
	}
	if err := s.CopyTo(t.Context(), "none", 6, sha256.Sum256(octets), "b"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
	if err := s.CopyTo(t.Context(), "x", 6, sha256.Sum256(octets), "c"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	a := newFaulty(t)
	for name, c := range map[string]sites.Config{
		"none": {}, "twice": {Sites: []sites.Site{{Name: "a", Store: a}, {Name: "a", Store: a}}}, "no name": {Sites: []sites.Site{{Store: a}}},
		"no store": {Sites: []sites.Site{{Name: "a"}}}, "time": {Sites: []sites.Site{{Name: "a", Store: a}}, Rest: -1},
	} {
		if _, err := sites.New(c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// Whatever fails and comes back in whatever order: octets are never wrong, and what was put can be read while its site is up.
func TestAnyOrderOfFaults(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := []*faulty{newFaulty(t), newFaulty(t), newFaulty(t)}
		s := open(t, sites.Config{}, all[0], all[1], all[2])
		known := map[string][]string{} // octets to the sites that have them
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"fault", "fault", "put", "put", "read"}).Draw(r, "step") {
			case "fault":
				all[rapid.IntRange(0, 2).Draw(r, "site")].fault.Store(rapid.SampledFrom([]int32{well, well, refusing, cutting, short}).Draw(r, "fault"))
			case "put":
				octets := rapid.StringMatching(`[ab]{0,5}`).Draw(r, "octets")
				site, err := put(t.Context(), s, nameOf(octets), []byte(octets))
				switch {
				case err == nil && slices.Contains(known[octets], site):
					r.Fatalf("%q was put twice into %s", octets, site)
				case err == nil:
					known[octets] = append(known[octets], site)
				case errors.Is(err, objectstore.ErrExists) && !slices.Contains(known[octets], site):
					r.Fatalf("%s says that it has %q", site, octets)
				}
			case "read":
				for octets, places := range known {
					got, err := read(t.Context(), s, nameOf(octets), places...)
					fine := slices.ContainsFunc(places, func(p string) bool { return all[p[0]-'a'].fault.Load() == well && s.Up(p) })
					if err == nil && got != octets || err != nil && fine {
						r.Fatalf("%q of %v: %q %v", octets, places, got, err)
					}
				}
			}
		}
	})
}

func nameOf(octets string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(octets))) }

func BenchmarkPut(b *testing.B) {
	for name, wrap := range map[string]bool{"bare": false, "sites": true} {
		b.Run(name, func(b *testing.B) {
			var s objectstore.Putter = newFaulty(b).Store
			if wrap {
				inner := open(b, sites.Config{}, newFaulty(b).Store)
				s, _ = inner.At("a")
			}
			octets := make([]byte, 200_000)
			b.SetBytes(int64(len(octets)))
			for i := range b.N {
				if err := objectstoretest.Put(b.Context(), s, fmt.Sprint("x/", i), octets); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
