package prefetch_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/prefetch"
)

// fromFolder is a library's settings with an empty folder.
func fromFolder(t testing.TB) (c prefetch.Config, dir string) {
	dir = t.TempDir()
	return prefetch.Config{Directory: dir, Cache: t.TempDir()}, dir
}

// look waits for the next look at local files.
func look() {
	time.Sleep(2 * time.Second)
	synctest.Wait()
}

func TestAFolderIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		seen := &events{}
		c.Changed = seen.changed
		put(t, filepath.Join(dir, "index.html"), "<html>")
		put(t, filepath.Join(dir, "js", "deep", "app.js"), "one")
		put(t, filepath.Join(dir, "empty"), "")
		l, _ := start(t, c)
		synctest.Wait()
		expect(t, l, "index.html", "<html>", "js/deep/app.js", "one", "empty", "")
		if e := l.List()[1]; e.Name != "index.html" || e.Required || !strings.HasPrefix(e.ContentType, "text/html") {
			t.Fatalf("%+v", e)
		}
		put(t, filepath.Join(dir, "js", "deep", "app.js"), "two")
		put(t, filepath.Join(dir, "new"), "new")
		if err := os.Remove(filepath.Join(dir, "empty")); err != nil {
			t.Fatal(err)
		}
		look()
		expect(t, l, "index.html", "<html>", "js/deep/app.js", "two", "new", "new")
		for name, octets := range map[string]string{"empty": "", "js/deep/app.js": "one"} {
			if got, err := read(t.Context(), l, name, holdfast.HashOf([]byte(octets))); got != octets || err != nil {
				t.Fatal("who listed it before can't fetch it", name, err)
			}
		}
		time.Sleep(time.Hour + 2*time.Second)
		synctest.Wait()
		missing(t, l, "empty", "")
		put(t, filepath.Join(dir, "empty"), "")
		look()
		expect(t, l, "index.html", "<html>", "js/deep/app.js", "two", "new", "new", "empty", "")
		if n := seen.counts(); n[prefetch.Fresh] != 6 || n[prefetch.Gone] != 1 || n[prefetch.Failed] != 0 || n[prefetch.Same] != 0 {
			t.Fatal(n)
		}
		if h := l.Health(); len(h) != 1 || h["."] != nil {
			t.Fatal(h)
		}
	})
}

func TestAFileThatGoesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		path := filepath.Join(dir, "a")
		put(t, path, "one")
		l, _ := start(t, c)
		synctest.Wait()
		if err := os.Rename(path, filepath.Join(c.Cache, "aside")); err != nil {
			t.Fatal(err)
		}
		look()
		expect(t, l)
		if err := os.Rename(filepath.Join(c.Cache, "aside"), path); err != nil { // it looks as before
			t.Fatal(err)
		}
		look()
		expect(t, l, "a", "one")
		time.Sleep(2 * time.Hour)
		expect(t, l, "a", "one")
	})
}

func TestWhatIsNoResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		put(t, filepath.Join(dir, ".hidden"), "h")
		put(t, filepath.Join(dir, ".git", "config"), "h")
		put(t, filepath.Join(dir, "seen"), "s")
		outside := filepath.Join(t.TempDir(), "outside")
		put(t, outside, "secret")
		for link, target := range map[string]string{
			"within": "seen", "hiding": ".git/config", "outside": outside, "up": "../../../../../etc/passwd", "dangling": "nothing", "folder": ".git", "loop": "loop",
		} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "new\nline"), "n")
		l, _ := start(t, c)
		synctest.Wait()
		expect(t, l, "seen", "s", "within", "s", "hiding", "h")
		h := l.Health()
		if h["outside"] == nil || h["up"] == nil || h["."] == nil {
			t.Fatal("what can't be read is not told of", h)
		}
		for name, err := range h {
			if err != nil && strings.Contains(err.Error(), dir) {
				t.Error(name, err)
			}
		}
		for _, name := range []string{"new\nline", "up", "outside"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		look()
		if h := l.Health(); h["outside"] != nil || h["up"] != nil || h["."] != nil {
			t.Fatal(h)
		}
	})
}

// As Kubernetes mounts a ConfigMap, and changes it: by one link.
func TestAConfigMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		put(t, filepath.Join(dir, "..2026_01", "form.json"), "one")
		put(t, filepath.Join(dir, "..2026_02", "form.json"), "two")
		err := errors.Join(os.Symlink("..2026_01", filepath.Join(dir, "..data")), os.Symlink("..data/form.json", filepath.Join(dir, "form.json")))
		if err != nil {
			t.Fatal(err)
		}
		l, _ := start(t, c)
		synctest.Wait()
		expect(t, l, "form.json", "one")
		err = errors.Join(os.Symlink("..2026_02", filepath.Join(dir, "..new")), os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
		if err != nil {
			t.Fatal(err)
		}
		look()
		expect(t, l, "form.json", "two")
	})
}

// A folder that is not there, as one that is not mounted, takes nothing away; an empty one does.
func TestAFolderThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		c.Directory = filepath.Join(dir, "mounted")
		put(t, filepath.Join(c.Directory, "a"), "zero")
		l, stop := start(t, c)
		synctest.Wait()
		put(t, filepath.Join(c.Directory, "a"), "one")
		look()
		if err := os.Rename(c.Directory, filepath.Join(dir, "aside")); err != nil {
			t.Fatal(err)
		}
		look()
		expect(t, l, "a", "one")
		if l.Health()["."] == nil {
			t.Fatal("nothing is told")
		}
		stop()
		l, _ = start(t, c)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		expect(t, l, "a", "one")
		if err := os.Rename(filepath.Join(dir, "aside"), c.Directory); err != nil {
			t.Fatal(err)
		}
		look()
		expect(t, l, "a", "one")
		if h := l.Health(); h["."] != nil {
			t.Fatal(h)
		}
		if err := os.Remove(filepath.Join(c.Directory, "a")); err != nil {
			t.Fatal(err)
		}
		look()
		expect(t, l)
	})
}

func TestAFolderWithTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		c.MaxBytes = 10
		put(t, filepath.Join(dir, "fits"), "0123456789")
		put(t, filepath.Join(dir, "large"), "0123456789.")
		l, _ := start(t, c)
		synctest.Wait()
		expect(t, l, "fits", "0123456789")
		if l.Health()["large"] == nil || l.Health()["fits"] != nil {
			t.Fatal(l.Health())
		}
		put(t, filepath.Join(dir, "fits"), "0123456789.")
		look()
		expect(t, l, "fits", "0123456789") // what was held stays
		put(t, filepath.Join(dir, "large"), "small")
		look()
		expect(t, l, "fits", "0123456789", "large", "small")
		for i := range 10_001 {
			if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		look()
		expect(t, l, "fits", "0123456789", "large", "small")
		if l.Health()["."] == nil {
			t.Fatal(l.Health())
		}
	})
}

// What the settings name goes before the folder, also when it comes to the settings or leaves them later.
func TestTheSettingsGoBeforeTheFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		u := &upstream{}
		u.set(refusing, "theirs")
		c.Transport = u
		put(t, filepath.Join(dir, "app.js"), "ours")
		put(t, filepath.Join(dir, "b"), "b")
		l, stop := start(t, c)
		synctest.Wait()
		expect(t, l, "app.js", "ours", "b", "b")
		stop()
		c.Resources = []prefetch.Resource{{Name: "app.js", URL: address}}
		l, stop = start(t, c)
		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, l, "app.js", "ours", "b", "b") // until the upstream gives something
		u.set(well, "theirs")
		time.Sleep(10 * time.Minute)
		expect(t, l, "app.js", "theirs", "b", "b")
		stop()
		c.Resources = nil
		l, _ = start(t, c)
		synctest.Wait()
		expect(t, l, "app.js", "ours", "b", "b")
	})
}

func TestAFileOfTheSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "somewhere")
		c := prefetch.Config{Cache: t.TempDir(), Resources: []prefetch.Resource{{Name: "forms/a.json", File: path, Required: true, Version: "7"}}}
		l, _ := start(t, c)
		synctest.Wait()
		expect(t, l)
		if err := l.Health()["forms/a.json"]; err == nil || strings.Contains(err.Error(), path) {
			t.Fatal(err)
		}
		put(t, path, "one")
		look()
		expect(t, l, "forms/a.json", "one")
		if e := l.List()[0]; !e.Required || e.Version != "7" || e.ContentType != "application/json" {
			t.Fatalf("%+v", e)
		}
		if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
			t.Fatal(err)
		}
		look() // a pipe that nobody writes to makes nobody wait
		expect(t, l, "forms/a.json", "one")
		if l.Health()["forms/a.json"] == nil {
			t.Fatal("nothing is told")
		}
	})
}

// A restart writes nothing of what the cache holds already.
func TestARestartCopiesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		put(t, filepath.Join(dir, "a"), "one")
		_, stop := start(t, c)
		synctest.Wait()
		stop()
		blob := filepath.Join(c.Cache, holdfast.HashOf([]byte("one")).String())
		before, err := os.Stat(blob)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := start(t, c)
		synctest.Wait()
		after, err := os.Stat(blob)
		if err != nil || !os.SameFile(before, after) {
			t.Fatal("it was written again", err)
		}
		expect(t, l, "a", "one")
	})
}

func TestDamagedCopiesOfFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		put(t, filepath.Join(dir, "a"), "same octets")
		put(t, filepath.Join(dir, "b"), "same octets")
		l, _ := start(t, c)
		synctest.Wait()
		damage(t, c.Cache, "same octets")
		expect(t, l, "a", "same octets", "b", "same octets") // the folder is looked at, at once
	})
}

// Two names with the same octets share a file, and neither takes it from the other.
func TestSharedOctets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := fromFolder(t)
		put(t, filepath.Join(dir, "a"), "same")
		put(t, filepath.Join(dir, "b"), "same")
		seen := &events{}
		c.Changed = seen.changed
		l, _ := start(t, c)
		synctest.Wait()
		if got := blobs(t, c.Cache); len(got) != 1 {
			t.Fatal(got)
		}
		for _, next := range []string{"one", "two", "three"} {
			put(t, filepath.Join(dir, "a"), next)
			look()
			expect(t, l, "a", next, "b", "same")
		}
		put(t, filepath.Join(dir, "a"), "two") // back to the version before
		look()
		expect(t, l, "a", "two", "b", "same")
		if got := blobs(t, c.Cache); len(got) != 3 || seen.counts()[prefetch.Damaged] != 0 {
			t.Fatal(got, seen.counts())
		}
	})
}

// A file that was changed just now may be half: it is not taken, and nobody is troubled with that.
func TestAFileThatIsJustBeingPutThere(t *testing.T) {
	c, dir := fromFolder(t)
	seen := &events{each: make(chan prefetch.Outcome, 1000)}
	c.Changed = seen.changed
	path := filepath.Join(dir, "a")
	put(t, path, "half of it")
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
	l, _ := start(t, c)
	if o := <-seen.each; o != prefetch.Fresh { // it is not changed any more
		t.Fatal(o)
	}
	if d := time.Since(now); d < time.Second {
		t.Fatal("it was taken after", d)
	}
	expect(t, l, "a", "half of it")
}

// Files that are changed all the time, while they are read: whatever is listed is of one of the contents, under its own
// digest. With a time of change that is to come, a beginning of one may be taken; half a second one behind it is not.
func TestFilesThatChangeWhileTheyAreRead(t *testing.T) {
	c, dir := fromFolder(t)
	path := filepath.Join(dir, "a")
	var all []string
	for i := range 8 {
		all = append(all, strings.Repeat(string(rune('a'+i)), 300_000+i))
	}
	put(t, path, all[0])
	for i := range 100 {
		var rewritten sync.WaitGroup
		rewritten.Go(func() { rewrite(path, all[i%8], i) })
		l, stop := start(t, c) // looks at the same time
		missing(t, l, "a", "to look once more")
		for _, e := range l.List() {
			text, err := read(t.Context(), l, e.Name, e.SHA256)
			if err != nil || strings.Trim(text, text[:min(1, len(text))]) != "" {
				t.Fatal("a mixture is served", len(text), err)
			}
		}
		stop()
		rewritten.Wait()
	}
	l, _ := start(t, c)
	missing(t, l, "a", "to look once more")
	expect(t, l, "a", all[99%8])
}

// rewrite changes a file in place. The time of its change is one to come, so that only what happens while it is read
// can tell that it changes.
func rewrite(path, octets string, i int) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		return
	}
	_, _ = f.WriteString(octets[:len(octets)/2])
	_, _ = f.WriteString(octets[len(octets)/2:])
	_ = f.Close()
	later := time.Now().Add(time.Hour + time.Duration(i)*time.Second)
	_ = os.Chtimes(path, later, later)
}
