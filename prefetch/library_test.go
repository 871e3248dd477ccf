package prefetch_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/prefetch"
)

const address = "http://user:secret@up.example/app.js?token=hidden"

// fromUpstream is a library's settings with one resource, app.js.
func fromUpstream(t testing.TB, u http.RoundTripper) prefetch.Config {
	return prefetch.Config{
		Resources: []prefetch.Resource{{Name: "app.js", URL: address, Required: true}},
		Cache:     t.TempDir(), Transport: u,
	}
}

func TestAnUpstreamIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, seen := &upstream{}, &events{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		c.Changed = seen.changed
		l, _ := start(t, c)
		synctest.Wait()
		expect(t, l, "app.js", "one")
		e := l.List()[0]
		if !e.Required || e.Version != e.SHA256.String()[:12] || !strings.Contains(e.ContentType, "javascript") || e.UpdatedAt.IsZero() || e.Size != 3 {
			t.Fatalf("%+v", e)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := u.count(); n < 3 || n > 4 || u.last().Get("If-None-Match") == "" {
			t.Fatal(n, u.last())
		}
		u.set(well, "two")
		time.Sleep(5 * time.Minute)
		expect(t, l, "app.js", "two")
		if text, err := read(t.Context(), l, "app.js", e.SHA256); text != "one" || err != nil {
			t.Fatal("the version before is kept", text, err)
		}
		u.set(well, "three")
		time.Sleep(5 * time.Minute)
		expect(t, l, "app.js", "three")
		missing(t, l, "app.js", "one")
		if n := seen.counts(); n[prefetch.Fresh] != 3 || n[prefetch.Failed] != 0 || n[prefetch.Same] == 0 {
			t.Fatal(n)
		}
		if got := blobs(t, c.Cache); len(got) != 2 {
			t.Fatal("more than two versions are on disk", got)
		}
		if err := l.Health()["app.js"]; err != nil {
			t.Fatal(err)
		}
	})
}

// told is what the ways to fail are called.
var told = map[int]string{
	refusing: "refused", hanging: "no progress", cutting: "cut", stalling: "no progress", dripping: "too long", erring: "503", short: "cut",
}

// What is held when an upstream begins to fail stays, through restarts, however it fails.
func TestARestartWithTheUpstreamDown(t *testing.T) {
	for _, mode := range []int{refusing, hanging, cutting, stalling, dripping, erring, short} { // what drips takes longer than 10 min
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{}
			u.set(well, big("one"))
			c := fromUpstream(t, u)
			l, stop := start(t, c)
			synctest.Wait()
			before := l.List()
			stop()
			u.set(mode, big("two"))
			l, err := prefetch.New(c)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, l, "app.js", big("one")) // before Start
			l.Start()
			defer l.Stop(t.Context())
			time.Sleep(time.Hour)
			synctest.Wait()
			expect(t, l, "app.js", big("one"))
			if !slices.Equal(before, l.List()) {
				t.Fatalf("%v, then %v", before, l.List())
			}
			if err := l.Health()["app.js"]; err == nil || !strings.Contains(err.Error(), told[mode]) {
				t.Fatal("a failure is not told as what it is", err)
			}
			u.set(well, big("two"))
			time.Sleep(20 * time.Minute)
			expect(t, l, "app.js", big("two"))
			if err := l.Health()["app.js"]; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestARestartAsksWithTheValidators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, seen := &upstream{}, &events{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		c.Changed = seen.changed
		_, stop := start(t, c)
		synctest.Wait()
		stop()
		_, stop = start(t, c)
		synctest.Wait()
		if n := seen.counts(); n[prefetch.Fresh] != 1 || n[prefetch.Same] != 1 {
			t.Fatal(n)
		}
		stop()
		// Labels of the settings are told of what was confirmed under them.
		c.Resources[0].Version, c.Resources[0].ContentType, c.Resources[0].Required = "7", "text/plain", false
		l, stop := start(t, c)
		synctest.Wait()
		if e := l.List()[0]; e.Version != "7" || e.ContentType != "text/plain" || e.Required {
			t.Fatalf("%+v", e)
		}
		stop()
		// Validators of another address are not shown to this one.
		c.Resources[0].URL = "http://other.example/app.js"
		l, _ = start(t, c)
		synctest.Wait()
		if u.last().Get("If-None-Match") != "" {
			t.Fatal(u.last())
		}
		expect(t, l, "app.js", "one")
	})
}

// Failures come again at random, ever more seldom, and never more seldom than the refresh.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(refusing, "")
		l, stop := start(t, fromUpstream(t, u))
		time.Sleep(24 * time.Hour)
		stop()
		most, sum := time.Second, time.Duration(0)
		pauses := u.pauses()
		for i, p := range pauses {
			if p < 100*time.Millisecond || p > most {
				t.Fatalf("pause %d is %v, at most %v is right", i, p, most)
			}
			most, sum = min(2*most, 5*time.Minute), sum+p
		}
		if mean := sum / time.Duration(len(pauses)); mean < 2*time.Minute || mean > 3*time.Minute {
			t.Fatal("the pauses are not spread", mean)
		}
		if len(l.List()) != 0 {
			t.Fatal("what could never be read is listed")
		}
	})
}

func TestRefreshesSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		c.Refresh = time.Hour
		c.Resources[0].Refresh = 10 * time.Second
		_, stop := start(t, c)
		time.Sleep(time.Hour)
		stop()
		different := map[time.Duration]bool{}
		for _, p := range u.pauses() {
			different[p] = true
			if p < 9*time.Second || p > 10*time.Second {
				t.Fatal(p)
			}
		}
		if len(different) < 100 {
			t.Fatal(different)
		}
	})
}

func TestStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(hanging, "one")
		l, err := prefetch.New(fromUpstream(t, u))
		if err != nil {
			t.Fatal(err)
		}
		l.Stop(t.Context()) // of what was not started
		missing(t, l, "app.js", "one")
		if u.count() != 0 || l.Health()["app.js"] == nil {
			t.Fatal("something was fetched before Start", u.count(), l.Health())
		}
		l.Start()
		l.Start()
		synctest.Wait()
		if u.count() != 1 {
			t.Fatal("a second Start did something")
		}
		began := time.Now()
		l.Stop(t.Context())
		l.Stop(t.Context())
		if time.Since(began) != 0 {
			t.Fatal("Stop waited for the upstream")
		}
		missing(t, l, "app.js", "one")
		if u.count() != 1 {
			t.Fatal("something was fetched after Stop")
		}
	})
}

// stubborn is an upstream that can't be interrupted.
type stubborn struct{ end chan struct{} }

func (s stubborn) RoundTrip(*http.Request) (*http.Response, error) {
	<-s.end
	return response(http.StatusOK, nil), nil
}

func TestStopDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stubborn{make(chan struct{})}
		l, _ := start(t, fromUpstream(t, s))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		l.Stop(ctx)
		if d := time.Since(began); d != 3*time.Second {
			t.Fatal(d)
		}
		close(s.end)
	})
}

func TestNothingToHold(t *testing.T) {
	l, _ := start(t, prefetch.Config{})
	if all := l.List(); all == nil || len(all) != 0 || len(l.Health()) != 0 {
		t.Fatal(all, l.Health())
	}
	missing(t, l, "app.js", "")
}

func TestValidate(t *testing.T) {
	good := func() prefetch.Config {
		return prefetch.Config{Directory: "/srv/app", Cache: "/var/cache", Resources: []prefetch.Resource{{Name: "a/b.js", URL: address}, {Name: "c", File: "/etc/c"}}}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(c *prefetch.Config){
		"no cache":          func(c *prefetch.Config) { c.Cache = "" },
		"cache is below":    func(c *prefetch.Config) { c.Cache = "/srv/app/.cache" },
		"cache is the same": func(c *prefetch.Config) { c.Cache = "/srv/x/../app" },
		"refresh":           func(c *prefetch.Config) { c.Refresh = time.Millisecond },
		"own refresh":       func(c *prefetch.Config) { c.Resources[0].Refresh = -time.Second },
		"size":              func(c *prefetch.Config) { c.MaxBytes = -1 },
		"patience":          func(c *prefetch.Config) { c.Patience = -1 },
		"both":              func(c *prefetch.Config) { c.Resources[0].File = "/etc/c" },
		"neither":           func(c *prefetch.Config) { c.Resources[0].URL = "" },
		"twice":             func(c *prefetch.Config) { c.Resources[1].Name = "a/b.js" },
		"no name":           func(c *prefetch.Config) { c.Resources[0].Name = "" },
		"dot":               func(c *prefetch.Config) { c.Resources[0].Name = "." },
		"dots":              func(c *prefetch.Config) { c.Resources[0].Name = "../a" },
		"absolute":          func(c *prefetch.Config) { c.Resources[0].Name = "/a" },
		"no text":           func(c *prefetch.Config) { c.Resources[0].Name = "\xff" },
		"control":           func(c *prefetch.Config) { c.Resources[0].Name = "a\nb" },
		"long":              func(c *prefetch.Config) { c.Resources[0].Name = strings.Repeat("a", 501) },
		"scheme":            func(c *prefetch.Config) { c.Resources[0].URL = "file://user:secret@h/etc/passwd?hidden" },
		"no host":           func(c *prefetch.Config) { c.Resources[0].URL = "https:///secret?hidden" },
		"fragment":          func(c *prefetch.Config) { c.Resources[0].URL = address + "#a" },
		"no url":            func(c *prefetch.Config) { c.Resources[0].URL = "http://user:secret@h:hidden/%zz" },
		"content type":      func(c *prefetch.Config) { c.Resources[0].ContentType = "text/" },
		"version":           func(c *prefetch.Config) { c.Resources[0].Version = "1\n2" },
	} {
		c := good()
		spoil(&c)
		err := c.Validate()
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
		if _, again := prefetch.New(c); again == nil {
			t.Errorf("%s: New takes it", name)
		}
	}
}

// Another node listed what this one does not have yet: it is fetched at once, once for all who ask.
func TestManyOpensOfWhatIsNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{delay: 200 * time.Millisecond}
		u.set(well, "one")
		l, _ := start(t, fromUpstream(t, u))
		time.Sleep(time.Minute)
		before := u.count()
		u.set(well, "two")
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if text, err := read(t.Context(), l, "app.js", holdfast.HashOf([]byte("two"))); text != "two" || err != nil {
					t.Error(text, err)
				}
			})
		}
		all.Wait()
		if n := u.count() - before; n != 1 {
			t.Fatal(n, "requests")
		}
		expect(t, l, "app.js", "two")
	})
}

// Digests that are nobody's cost an upstream one request a second.
func TestOpensOfWhatIsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		c.Refresh = time.Hour
		l, _ := start(t, c)
		time.Sleep(time.Second)
		before := u.count()
		for range 100 {
			for range 10 {
				missing(t, l, "app.js", "nowhere")
				missing(t, l, "other", "nowhere") // of no source: costs nothing
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := u.count() - before; n < 9 || n > 11 {
			t.Fatal(n, "requests in ten seconds")
		}
	})
}

// A request does not wait for ever for an upstream that hangs, nor longer than its client; the others' resources are served.
func TestAnOpenIsPatientForFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		c.Patience = time.Minute
		l, _ := start(t, c)
		synctest.Wait()
		u.set(hanging, "two")
		began := time.Now()
		missing(t, l, "app.js", "two")
		if d := time.Since(began); d != 5*time.Second {
			t.Fatal(d)
		}
		missing(t, l, "app.js", "two") // it was asked just now
		if d := time.Since(began); d != 5*time.Second {
			t.Fatal(d)
		}
		expect(t, l, "app.js", "one")
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := read(ctx, l, "app.js", holdfast.HashOf([]byte("two"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 7*time.Second {
			t.Fatal(d)
		}
	})
}

// byPath are several upstreams.
type byPath map[string]*upstream

func (b byPath) RoundTrip(req *http.Request) (*http.Response, error) {
	return b[req.URL.Path].RoundTrip(req)
}

// An upstream that is slow keeps requests for others' resources waiting for five seconds at most, and what it gives is
// taken in the end.
func TestASlowUpstreamIsNotInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := &upstream{}, &upstream{}
		slow.set(well, "slow")
		fast.set(well, "fast")
		c := prefetch.Config{
			Cache: t.TempDir(), Refresh: time.Hour, Transport: byPath{"/slow": slow, "/fast": fast},
			Resources: []prefetch.Resource{{Name: "slow", URL: "http://up.example/slow"}, {Name: "fast", URL: "http://up.example/fast"}},
		}
		l, _ := start(t, c)
		synctest.Wait()
		slow.set(dripping, "slow but sure")
		fast.set(well, "faster")
		began := time.Now()
		var both sync.WaitGroup
		both.Go(func() { missing(t, l, "slow", "slow but sure") })
		time.Sleep(time.Second)
		both.Go(func() {
			if text, err := read(t.Context(), l, "fast", holdfast.HashOf([]byte("faster"))); text != "faster" || err != nil {
				t.Error(text, err)
			}
		})
		both.Wait()
		if d := time.Since(began); d > 6*time.Second {
			t.Fatal(d)
		}
		time.Sleep(time.Minute)
		expect(t, l, "fast", "faster", "slow", "slow but sure")
		if err := l.Health()["slow"]; err != nil {
			t.Fatal(err)
		}
	})
}

func TestDamageIsNeverServed(t *testing.T) {
	one := big("one")
	digest := holdfast.HashOf([]byte(one))
	for what, spoil := range map[string]func(path string) error{
		"changed":  func(path string) error { return os.WriteFile(path, []byte(strings.ToUpper(one)), 0o600) },
		"shorter":  func(path string) error { return os.Truncate(path, 70_000) },
		"empty":    func(path string) error { return os.Truncate(path, 0) },
		"longer":   func(path string) error { return os.WriteFile(path, []byte(one+"."), 0o600) },
		"gone":     os.Remove,
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"all gone": func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"unseen":   func(path string) error { return flipUnseen(path) },
		"all, with": func(path string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(path)), os.Mkdir(filepath.Dir(path), 0o700))
		},
	} {
		for _, restart := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				u, seen := &upstream{}, &events{}
				u.set(well, one)
				c := fromUpstream(t, u)
				c.Changed = seen.changed
				l, stop := start(t, c)
				synctest.Wait()
				if restart {
					stop()
				}
				if err := spoil(filepath.Join(c.Cache, digest.String())); err != nil {
					t.Fatal(err)
				}
				if restart {
					l, _ = start(t, c)
					synctest.Wait()
				}
				text, err := read(t.Context(), l, "app.js", digest)
				if err != nil && what != "unseen" || err == nil && text != one {
					t.Fatal(what, restart, err, len(text))
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				expect(t, l, "app.js", one)
				// Once because of the request, and once more because of the damage, which is a 304.
				if u.headers[1].Get("If-None-Match") != "" || u.count() > 3 {
					t.Fatal(what, restart, "it was asked for, not fetched", u.count())
				}
			})
		}
	}
}

// flipUnseen changes an octet of the last piece so that the file looks as before.
func flipUnseen(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{'#'}, info.Size()-2)
	return errors.Join(err, f.Close(), os.Chtimes(path, info.ModTime(), info.ModTime()))
}

// An answer 304 to a request that was on its way when the held octets turned out to be damaged confirms nothing.
func TestNotModifiedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		c.Patience = time.Hour
		l, _ := start(t, c)
		synctest.Wait()
		u.mu.Lock()
		u.delay = 3 * time.Minute
		u.mu.Unlock()
		time.Sleep(5 * time.Minute) // now it is asked
		synctest.Wait()
		damage(t, c.Cache, "one")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := read(ctx, l, "app.js", holdfast.HashOf([]byte("one"))); err == nil {
			t.Fatal("damage is served")
		}
		expect(t, l)
		u.mu.Lock()
		u.delay = 0
		answered := u.asked[1].Add(3 * time.Minute)
		u.mu.Unlock()
		time.Sleep(time.Until(answered) + 500*time.Millisecond)
		synctest.Wait()
		if len(l.List()) != 0 {
			t.Fatal("what is damaged was confirmed")
		}
		time.Sleep(time.Second)
		expect(t, l, "app.js", "one")
	})
}

// The validators of a version that turned out to be damaged are not those of the version before, which is held now.
func TestDamageDoesNotConfirmTheVersionBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		l, _ := start(t, c)
		synctest.Wait()
		u.set(well, "two")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		damage(t, c.Cache, "two")
		expect(t, l, "app.js", "two")
		if _, err := read(t.Context(), l, "app.js", holdfast.HashOf([]byte("one"))); err != nil {
			t.Fatal(err)
		}
	})
}

// An upstream without validators gives everything each time; that is no new version.
func TestAnUpstreamWithoutValidators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, seen := &upstream{}, &events{}
		u.set(naked, "one")
		c := fromUpstream(t, u)
		c.Changed = seen.changed
		l, _ := start(t, c)
		synctest.Wait()
		before := l.List()
		time.Sleep(time.Hour)
		if n := seen.counts(); n[prefetch.Fresh] != 1 || n[prefetch.Same] < 11 || !slices.Equal(before, l.List()) {
			t.Fatal(n, l.List())
		}
		expect(t, l, "app.js", "one")
	})
}

// While the upstream is down a damaged version is as none, and the one before it is what is held.
func TestDamageWithTheUpstreamDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		l, _ := start(t, c)
		synctest.Wait()
		u.set(well, "two")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		u.set(refusing, "two")
		damage(t, c.Cache, "two")
		missing(t, l, "app.js", "two")
		expect(t, l, "app.js", "one")
		damage(t, c.Cache, "one")
		missing(t, l, "app.js", "one")
		expect(t, l)
		u.set(well, "two")
		time.Sleep(10 * time.Minute)
		expect(t, l, "app.js", "two")
	})
}

func TestAnIndexThatMakesNoSense(t *testing.T) {
	for _, text := range []string{"", "{", "null", `{"format":2,"names":{"app.js":{}}}`, `{"format":1,"names":{"app.js":{"versions":[{"sha256":"zz"}]}}}`, `{"format":1,"names":{"app.js":{"versions":[{"sha256":"../../../../etc/passwd"}]}}}`} {
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{}
			u.set(well, "one")
			c := fromUpstream(t, u)
			put(t, filepath.Join(c.Cache, "index.json"), text)
			l, _ := start(t, c)
			expect(t, l)
			synctest.Wait()
			expect(t, l, "app.js", "one")
		})
	}
}

func TestWhatLeavesTheSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		_, stop := start(t, c)
		synctest.Wait()
		stop()
		c.Resources[0].Name = "other.js"
		u.set(well, "other")
		l, stop := start(t, c)
		synctest.Wait()
		expect(t, l, "other.js", "other")
		if text, err := read(t.Context(), l, "app.js", holdfast.HashOf([]byte("one"))); text != "one" || err != nil {
			t.Fatal("who listed it before can't fetch it", err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		missing(t, l, "app.js", "one")
		if got := blobs(t, c.Cache); len(got) != 1 {
			t.Fatal(got)
		}
		stop()
		c.Resources[0].Name = "app.js"
		l, _ = start(t, c)
		synctest.Wait()
		expect(t, l, "app.js", "other")
	})
}

// What comes back to the settings within the hour is listed at once, whatever its upstream does.
func TestWhatComesBackToTheSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		_, stop := start(t, c)
		synctest.Wait()
		stop()
		u.set(refusing, "two")
		with := c.Resources
		c.Resources = nil
		l, stop := start(t, c)
		synctest.Wait()
		expect(t, l)
		stop()
		c.Resources = with
		l, _ = start(t, c)
		synctest.Wait()
		expect(t, l, "app.js", "one")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		expect(t, l, "app.js", "one")
	})
}

func TestStraysAreSwept(t *testing.T) {
	c := prefetch.Config{Directory: t.TempDir(), Cache: t.TempDir()}
	put(t, filepath.Join(c.Cache, "new-123"), "half")
	put(t, filepath.Join(c.Cache, holdfast.HashOf(nil).String()), "nobody's")
	put(t, filepath.Join(c.Cache, "precious.txt"), "not ours")
	old := time.Now().Add(-3 * time.Hour)
	for _, name := range blobs(t, c.Cache) {
		if err := os.Chtimes(filepath.Join(c.Cache, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(c.Cache, "new-456"), "of a process that overlaps")
	now := time.Now()
	if err := os.Chtimes(filepath.Join(c.Cache, "new-456"), now, now); err != nil {
		t.Fatal(err)
	}
	if _, err := prefetch.New(c); err != nil {
		t.Fatal(err)
	}
	if got := blobs(t, c.Cache); !slices.Equal(got, []string{"new-456", "precious.txt"}) {
		t.Fatal(got)
	}
}

// The cache folder can't be written: what is held is served, and when it can be written again all goes on.
func TestADiskThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		c.Cache = filepath.Join(c.Cache, "cache")
		l, _ := start(t, c)
		synctest.Wait()
		aside := c.Cache + "-aside"
		r, e, err := l.Open(t.Context(), "app.js", holdfast.HashOf([]byte("one")))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := errors.Join(os.Rename(c.Cache, aside), os.WriteFile(c.Cache, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		u.set(well, "two")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if err := l.Health()["app.js"]; err == nil || strings.Contains(err.Error(), c.Cache) || !strings.Contains(err.Error(), "cache can't be written") {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		http.ServeContent(answer, httptest.NewRequest(http.MethodGet, "/", nil), "app.js", e.UpdatedAt, r)
		if answer.Body.String() != "one" {
			t.Fatal("who reads can't go on", answer.Body)
		}
		if err := errors.Join(os.Remove(c.Cache), os.Rename(aside, c.Cache)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		expect(t, l, "app.js", "two")
	})
}

// The index can't be written: what is new is served all the same, and is told to be unwell; the index comes later.
func TestAnIndexThatCantBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		u.set(well, "one")
		c := fromUpstream(t, u)
		inTheWay := filepath.Join(c.Cache, "index.json")
		l, err := prefetch.New(c)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(inTheWay, "something"), "") // a folder is no file to be replaced
		l.Start()
		time.Sleep(10 * time.Minute)
		expect(t, l, "app.js", "one")
		if l.Health()["app.js"] == nil {
			t.Fatal("a restart would lose it, and nobody is told")
		}
		if err := os.RemoveAll(inTheWay); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if err := l.Health()["app.js"]; err != nil {
			t.Fatal(err)
		}
		l.Stop(t.Context())
		l, err = prefetch.New(c)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, l, "app.js", "one")
	})
}
