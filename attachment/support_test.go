package attachment_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/attachment"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/objectstore/files"
	"github.com/holdfast-sync/holdfast/objectstore/sites"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/sqlite"
)

// world is the service on a database and folders of its own.
type world struct {
	*attachment.Service
	db    *faultyDB
	sites *sites.Sites
	at    map[string]*site
	mu    sync.Mutex
	now   time.Time
	seen  map[string]int // by Count.What
}

// site is a folder that can be made to behave like a service far away.
type site struct {
	*files.Store
	dir     string
	minPart int64
	down    atomic.Bool
	// trouble is asked before something is done, when its error is the answer, and after, when the answer is lost.
	trouble atomic.Pointer[func(what string) error]
}

func (s *site) MinPart() int64 { return s.minPart }

func (s *site) around(what string, do func() error) error {
	if s.down.Load() {
		return objectstore.ErrUnavailable
	}
	trouble := func(string) error { return nil }
	if given := s.trouble.Load(); given != nil {
		trouble = *given
	}
	if err := trouble(what); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return trouble(what)
}

func (s *site) Put(ctx context.Context, name string, size int64, digest objectstore.Digest, octets io.Reader) error {
	return s.around("put", func() error { return s.Store.Put(ctx, name, size, digest, octets) })
}

func (s *site) PutPart(ctx context.Context, name, id string, number int, size int64, digest objectstore.Digest, octets io.Reader) (part objectstore.Part, err error) {
	err = s.around("part", func() (err error) {
		part, err = s.Store.PutPart(ctx, name, id, number, size, digest, octets)
		return err
	})
	return part, err
}

func (s *site) Begin(ctx context.Context, name string) (id string, err error) {
	err = s.around("begin", func() (err error) {
		id, err = s.Store.Begin(ctx, name)
		return err
	})
	return id, err
}

func (s *site) Complete(ctx context.Context, name, id string, parts []objectstore.Part) error {
	return s.around("complete", func() error { return s.Store.Complete(ctx, name, id, parts) })
}

func (s *site) Get(ctx context.Context, name string, offset, length int64) (r io.ReadCloser, info objectstore.Info, err error) {
	err = s.around("get", func() (err error) {
		r, info, err = s.Store.Get(ctx, name, offset, length)
		return err
	})
	return r, info, err
}

func (s *site) Stat(ctx context.Context, name string) (info objectstore.Info, err error) {
	err = s.around("stat", func() (err error) {
		info, err = s.Store.Stat(ctx, name)
		return err
	})
	return info, err
}

func (s *site) Adopt(ctx context.Context, from, to string) error {
	return s.around("adopt", func() error { return s.Store.Adopt(ctx, from, to) })
}

func (s *site) Ping(ctx context.Context) error {
	return s.around("ping", func() error { return s.Store.Ping(ctx) })
}

// path of an attachment's object.
func (s *site) path(digest holdfast.Hash) string {
	return filepath.Join(s.dir, filepath.FromSlash(attachment.ObjectName(digest)))
}

// faultyDB is a real database whose writes may fail.
type faultyDB struct {
	*sqlite.Store
	fail atomic.Value // func(what string) error
}

func (d *faultyDB) trouble(what string) error {
	if fail, ok := d.fail.Load().(func(string) error); ok && fail != nil {
		return fail(what)
	}
	return nil
}

func (d *faultyDB) SaveUpload(ctx context.Context, u holdfast.Upload) error {
	if err := d.trouble("save"); err != nil {
		return err
	}
	return d.Store.SaveUpload(ctx, u)
}

func (d *faultyDB) FinishUpload(ctx context.Context, u holdfast.Upload, a holdfast.Attachment, e holdfast.AuditEvent) error {
	if err := d.trouble("finish"); err != nil {
		return err
	}
	return d.Store.FinishUpload(ctx, u, a, e)
}

func (d *faultyDB) KeepAttachment(ctx context.Context, a holdfast.Attachment, e holdfast.AuditEvent) (bool, error) {
	if err := d.trouble("keep"); err != nil {
		return false, err
	}
	return d.Store.KeepAttachment(ctx, a, e)
}

// newWorld has the sites that are named, with parts of at least 5 MiB; minPart 1 makes them folders as they are.
func newWorld(t *testing.T, c attachment.Config, minPart int64, names ...string) *world {
	t.Helper()
	w := &world{at: map[string]*site{}, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), seen: map[string]int{}}
	var all []sites.Site
	for _, name := range names {
		dir := t.TempDir()
		folder, err := files.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		w.at[name] = &site{Store: folder, dir: dir, minPart: minPart}
		all = append(all, sites.Site{Name: name, Store: w.at[name]})
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	var err error
	if w.sites, err = sites.New(sites.Config{Sites: all, Patience: time.Second, Rest: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	w.sites.Start()
	dir := t.TempDir()
	m, err := sqlite.NewMigrator(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Up(t.Context(), func(store.Migration) {}), m.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	w.db = &faultyDB{Store: db}
	spool, err := attachment.OpenSpool(filepath.Join(t.TempDir(), "spool"), 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	c.Store, c.Sites, c.Spool, c.Logger, c.Now = w.db, w.sites, spool, quiet, w.clock
	c.Counted = func(n attachment.Count) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen[n.What]++
	}
	if w.Service, err = attachment.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.sites.Stop(context.Background())
		_ = db.Close()
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) counted(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[what]
}

// octets are n of them, different for each seed.
func octets(seed byte, n int) []byte {
	b := bytes.Repeat([]byte{seed, 1, 2, 3, 5, 8, 13, 21, 34}, n/9+1)[:n]
	for i := 0; i < n; i += 4096 {
		b[i] = byte(i >> 12)
	}
	return b
}

// put puts a file whole.
func (w *world) put(t *testing.T, b []byte) bool {
	t.Helper()
	first, err := w.Put(t.Context(), holdfast.HashOf(b), int64(len(b)), "image/jpeg", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// begin begins an upload.
func (w *world) begin(t *testing.T, b []byte, named bool) holdfast.ID {
	t.Helper()
	u := holdfast.Upload{Size: int64(len(b)), ContentType: "image/jpeg"}
	if named {
		u.Announced = holdfast.HashOf(b)
	}
	u, err := w.Create(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// piece sends octets from where the upload stands, at most n, and returns the error.
func (w *world) piece(t *testing.T, id holdfast.ID, b []byte, n int) error {
	t.Helper()
	u, err := w.Upload(t.Context(), id)
	if err != nil {
		return err
	}
	rest := b[u.Offset:]
	_, _, err = w.Append(t.Context(), id, u.Offset, bytes.NewReader(rest[:min(n, len(rest))]))
	return err
}

// finish sends the rest in pieces of n until the file is there, through whatever happens.
func (w *world) finish(t *testing.T, id holdfast.ID, b []byte, n int) {
	t.Helper()
	for range 200 {
		u, err := w.Upload(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if u.Finished != (holdfast.Hash{}) {
			return
		}
		if w.piece(t, id, b, n) != nil {
			time.Sleep(10 * time.Millisecond) // a site rests for 20
		}
	}
	t.Fatal("the upload does not end")
}

// holds reads a file back.
func (w *world) holds(t *testing.T, b []byte) {
	t.Helper()
	c, err := w.Open(t.Context(), holdfast.HashOf(b), true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, b) {
		t.Fatalf("%d octets of %d: %v", len(got), len(b), err)
	}
}

// clean fails the test unless the sites are as the records say, and nothing is left over.
func (w *world) clean(t *testing.T) {
	t.Helper()
	report, err := w.Check(t.Context(), attachment.CheckOptions{Deep: true, Found: func(f attachment.Finding) { t.Logf("%+v", f) }})
	if err != nil || !report.Clean() {
		t.Fatalf("%+v %v", report, err)
	}
}

// left lists what stands in a site that is no attachment.
func (s *site) left(t *testing.T) (names []string) {
	t.Helper()
	for a, err := range s.Assemblies(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, a.Name)
	}
	for info, err := range s.List(t.Context(), objectstore.Transient, "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

func overwrite(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
