package prefetch_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/prefetch"
)

// held is a library that holds a: octets.
func held(t testing.TB, octets string) (*prefetch.Library, prefetch.Config) {
	c, dir := fromFolder(t)
	put(t, filepath.Join(dir, "a"), octets)
	l, _ := start(t, c)
	missing(t, l, "a", "to look at once")
	expect(t, l, "a", octets)
	return l, c
}

func TestTheReaderReadsAsAReaderShould(t *testing.T) {
	const piece = 64 << 10
	for _, size := range []int{0, 1, piece - 1, piece, piece + 1, 2 * piece, 3*piece + 5} {
		octets := big("")[:size]
		l, _ := held(t, octets)
		r, _, err := l.Open(t.Context(), "a", holdfast.HashOf([]byte(octets)))
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, []byte(octets)); err != nil {
			t.Fatal(size, err)
		}
		if _, err := r.Seek(-1, io.SeekStart); err == nil {
			t.Fatal("there is something before the beginning")
		}
		if _, err := r.Seek(0, 7); err == nil {
			t.Fatal("there is a seventh whence")
		}
		if at, err := r.Seek(10, io.SeekEnd); at != int64(size)+10 || err != nil {
			t.Fatal(at, err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatal(n, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Who reads after Close gets an error, and nothing is taken for damaged because of that.
func TestAClosedReader(t *testing.T) {
	octets := big("one")
	l, _ := held(t, octets)
	r, _, err := l.Open(t.Context(), "a", holdfast.HashOf([]byte(octets)))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Fatal("a closed reader reads")
	}
	expect(t, l, "a", octets)
}

func TestRangesOverHTTP(t *testing.T) {
	octets := big("one")
	l, _ := held(t, octets)
	digest := holdfast.HashOf([]byte(octets))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r, e, err := l.Open(req.Context(), "a", digest)
		if err != nil {
			http.Error(w, err.Error(), 404)
			return
		}
		defer r.Close()
		w.Header().Set("ETag", fmt.Sprintf("%q", e.SHA256))
		http.ServeContent(w, req, e.Name, e.UpdatedAt, r)
	}))
	defer s.Close()
	for header, want := range map[string]string{
		"":                  octets,
		"bytes=0-0":         octets[:1],
		"bytes=65535-65536": octets[65535:65537],
		"bytes=100000-":     octets[100000:],
		"bytes=-7":          octets[len(octets)-7:],
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		req.Header.Set("Range", header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != want || err != nil {
			t.Fatalf("%s: %d of %d octets, %v", header, len(got), len(want), err)
		}
	}
}

// A file that is damaged while somebody reads it gives right octets and then an error, and is fetched again.
func TestDamageWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		one := big("one")
		u.set(well, one)
		c := fromUpstream(t, u)
		l, _ := start(t, c)
		synctest.Wait()
		digest := holdfast.HashOf([]byte(one))
		r, _, err := l.Open(t.Context(), "app.js", digest)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		some := make([]byte, 10)
		if _, err := io.ReadFull(r, some); err != nil || string(some) != one[:10] {
			t.Fatal(err)
		}
		damage(t, c.Cache, one)
		rest, err := io.ReadAll(r)
		if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(one[10:], string(rest)) {
			t.Fatal(len(rest), err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		expect(t, l, "app.js", one)
		// The first reader has the damaged file still open: what it says now is no reason to throw the good one away.
		if _, err := io.ReadAll(r); err == nil {
			t.Fatal("it is as it was")
		}
		if before := u.count(); before != 2 {
			t.Fatal(before)
		}
		expect(t, l, "app.js", one)
	})
}

// While everything changes, is listed, opened and damaged by many at the same time, nobody gets other octets than
// those of the digest, and at the end all is well.
func TestManyAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{delay: 10 * time.Millisecond}
		u.set(well, big("0"))
		c := fromUpstream(t, u)
		c.Refresh = time.Second
		c.Directory = t.TempDir()
		put(t, filepath.Join(c.Directory, "a"), big("0"))
		l, _ := start(t, c)
		synctest.Wait()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 30 {
					for _, e := range l.List() {
						text, err := read(t.Context(), l, e.Name, e.SHA256)
						if err == nil && holdfast.HashOf([]byte(text)) != e.SHA256 {
							t.Error("other octets")
						}
					}
					_ = l.Health()
					time.Sleep(time.Duration(i+1) * 37 * time.Millisecond)
				}
			})
		}
		all.Go(func() {
			for i := range 10 {
				u.set(well, big(fmt.Sprint(i)))
				put(t, filepath.Join(c.Directory, "a"), big(fmt.Sprint(i)))
				time.Sleep(500 * time.Millisecond)
				damageAny(t, c.Cache)
			}
		})
		all.Wait()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		expect(t, l, "a", big("9"), "app.js", big("9"))
	})
}

// damageAny damages whatever is in the cache.
func damageAny(t testing.TB, cache string) {
	for _, name := range blobs(t, cache) {
		if len(name) == 64 {
			_ = flipUnseen(filepath.Join(cache, name))
		}
	}
}

// The property: whatever happens to files, upstreams and the cache, and however often the process is started
// again, all that is listed can be opened and read with exactly the octets of its digest and size, in order of names;
// and once nothing happens any more what is listed is what there is.
func TestWhatIsListedCanBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubbled{t}, func(rt *rapid.T) { newWorld(t, rt).run(rt) })
	})
}

// bubbled hides the test's deadline, which is of another time than the bubble's.
type bubbled struct{ rapid.TB }

// world is a library with a model of what it should list.
type world struct {
	t       *testing.T
	c       prefetch.Config
	u       *upstream
	l       *prefetch.Library
	folder  map[string]string
	distant string
}

func newWorld(t *testing.T, rt *rapid.T) *world {
	c, _ := fromFolder(t)
	w := &world{t: t, c: c, u: &upstream{}, folder: map[string]string{}, distant: "first"}
	w.c.Resources, w.c.Transport = []prefetch.Resource{{Name: "x/app.js", URL: address}}, w.u
	w.u.set(well, w.distant)
	w.restart(rt)
	return w
}

func (w *world) restart(*rapid.T) {
	if w.l != nil {
		w.l.Stop(w.t.Context())
	}
	l, err := prefetch.New(w.c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.l = l
	l.Start()
	synctest.Wait()
}

func (w *world) run(rt *rapid.T) {
	defer func() { w.l.Stop(w.t.Context()) }()
	rt.Repeat(map[string]func(*rapid.T){
		"write": func(rt *rapid.T) {
			name := rapid.SampledFrom([]string{"a", "b", "c/d", "x/app.js"}).Draw(rt, "name")
			w.folder[name] = rapid.StringN(0, 20, -1).Draw(rt, "octets")
			put(w.t, filepath.Join(w.c.Directory, filepath.FromSlash(name)), w.folder[name])
		},
		"remove": func(rt *rapid.T) {
			name := rapid.SampledFrom([]string{"a", "b", "c/d", "x/app.js"}).Draw(rt, "name")
			delete(w.folder, name)
			remove(filepath.Join(w.c.Directory, filepath.FromSlash(name)))
		},
		"upstream": func(rt *rapid.T) {
			w.distant = rapid.StringN(0, 20, -1).Draw(rt, "octets")
			w.u.set(rapid.IntRange(well, erring).Draw(rt, "mode"), w.distant)
		},
		"damage":  func(*rapid.T) { damageAny(w.t, w.c.Cache) },
		"restart": w.restart,
		"wait": func(rt *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(1, 400).Draw(rt, "seconds")) * time.Second)
			synctest.Wait()
		},
		"": w.check,
	})
	w.settles(rt)
}

// check opens everything that is listed. What was damaged may be gone when it is looked at, but not listed and wrong.
func (w *world) check(rt *rapid.T) {
	last := ""
	for _, e := range w.l.List() {
		text, err := read(w.t.Context(), w.l, e.Name, e.SHA256)
		if err == nil && (holdfast.HashOf([]byte(text)) != e.SHA256 || int64(len(text)) != e.Size) {
			rt.Fatalf("%s has other octets than listed", e.Name)
		}
		if e.Name <= last {
			rt.Fatalf("%s is listed after %s", e.Name, last)
		}
		last = e.Name
	}
}

// settles says what is listed once all is well.
func (w *world) settles(rt *rapid.T) {
	w.u.set(well, w.distant)
	w.check(rt) // finds damage
	time.Sleep(20 * time.Minute)
	synctest.Wait()
	w.check(rt)
	time.Sleep(time.Minute)
	synctest.Wait()
	want := map[string]string{}
	for name, octets := range w.folder {
		want[name] = octets
	}
	want["x/app.js"] = w.distant
	var pairs []string
	for name, octets := range want {
		pairs = append(pairs, name, octets)
	}
	expect(w.t, w.l, pairs...)
	if n := len(blobs(w.t, w.c.Cache)); n > 2*5 {
		rt.Fatalf("%d files are kept", n)
	}
	for name, err := range w.l.Health() {
		if err != nil {
			rt.Fatalf("%s: %v", name, err)
		}
	}
}
