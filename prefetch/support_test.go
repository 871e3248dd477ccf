package prefetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/prefetch"
)

// The ways in which an upstream may behave.
const (
	well     = iota
	refusing // no connection
	hanging  // until the caller gives up
	cutting  // gives half, then fails
	stalling // gives half, then nothing
	dripping // an octet every second
	erring   // 503
	short    // gives half, and says that was all
	naked    // gives all, without validators
)

// upstream is one without a network: what happens between it and the library happens in the bubble's time.
type upstream struct {
	mu      sync.Mutex
	body    []byte
	etag    string
	mode    int
	delay   time.Duration
	asked   []time.Time
	headers []http.Header
}

func (u *upstream) set(mode int, body string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mode, u.body, u.etag = mode, []byte(body), fmt.Sprintf("%q", holdfast.HashOf([]byte(body)).String()[:8])
}

func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.asked)
}

// times are the pauses between requests.
func (u *upstream) pauses() (all []time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := 1; i < len(u.asked); i++ {
		all = append(all, u.asked[i].Sub(u.asked[i-1]))
	}
	return all
}

func (u *upstream) last() http.Header {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.headers[len(u.headers)-1]
}

// RoundTrip answers as told.
func (u *upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	u.mu.Lock()
	u.asked, u.headers = append(u.asked, time.Now()), append(u.headers, req.Header)
	mode, body, etag, delay := u.mode, u.body, u.etag, u.delay
	u.mu.Unlock()
	time.Sleep(delay)
	ctx := req.Context()
	switch mode {
	case refusing:
		return nil, &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}
	case hanging:
		<-ctx.Done()
		return nil, ctx.Err()
	case erring:
		return response(http.StatusServiceUnavailable, nil), nil
	}
	if mode == naked {
		return response(http.StatusOK, body), nil
	}
	if req.Header.Get("If-None-Match") == etag {
		return response(http.StatusNotModified, nil), nil
	}
	resp := response(http.StatusOK, body)
	resp.Header.Set("ETag", etag)
	switch half := bytes.NewReader(body[:len(body)/2]); mode {
	case cutting:
		resp.Body = io.NopCloser(io.MultiReader(half, failing{io.ErrUnexpectedEOF}))
	case short:
		resp.Body = io.NopCloser(half)
	case stalling:
		resp.Body = io.NopCloser(io.MultiReader(half, waiting{ctx}))
	case dripping:
		resp.Body = io.NopCloser(drip{ctx, bytes.NewReader(body)})
	}
	return resp, nil
}

func response(status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) { <-w.ctx.Done(); return 0, w.ctx.Err() }

type drip struct {
	ctx context.Context
	r   io.Reader
}

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return d.r.Read(p[:1])
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

// events counts what Changed is told.
type events struct {
	mu   sync.Mutex
	seen map[prefetch.Outcome]int
	each chan prefetch.Outcome // nil: nobody waits
}

func (e *events) changed(_ string, o prefetch.Outcome) {
	e.mu.Lock()
	if e.seen == nil {
		e.seen = map[prefetch.Outcome]int{}
	}
	e.seen[o]++
	e.mu.Unlock()
	if e.each != nil {
		e.each <- o
	}
}

func (e *events) counts() map[prefetch.Outcome]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.seen)
}

// start starts a library that the test stops at its end; stop stops it before.
func start(t testing.TB, c prefetch.Config) (l *prefetch.Library, stop func()) {
	t.Helper()
	l, err := prefetch.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	stop = sync.OnceFunc(func() { l.Stop(context.Background()) })
	t.Cleanup(stop)
	return l, stop
}

// read opens a resource and reads all of it.
func read(ctx context.Context, l *prefetch.Library, name string, digest holdfast.Hash) (string, error) {
	r, e, err := l.Open(ctx, name, digest)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && (e.SHA256 != digest || e.Name != name || e.Size != int64(len(b))) {
		return "", fmt.Errorf("%+v is not what was asked for", e)
	}
	return string(b), err
}

// listed is what is listed, read to the end: name → octets.
func listed(t testing.TB, l *prefetch.Library) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, e := range l.List() {
		text, err := read(t.Context(), l, e.Name, e.SHA256)
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		if holdfast.HashOf([]byte(text)) != e.SHA256 {
			t.Fatalf("%s has other octets than listed", e.Name)
		}
		all[e.Name] = text
	}
	return all
}

// expect compares what is listed with pairs of name and octets.
func expect(t testing.TB, l *prefetch.Library, pairs ...string) {
	t.Helper()
	want := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	if got := listed(t, l); !maps.Equal(got, want) {
		t.Fatalf("listed are %.500s…, not %.500s…; health %v", fmt.Sprintf("%.30q", got), fmt.Sprintf("%.30q", want), l.Health())
	}
}

func missing(t testing.TB, l *prefetch.Library, name, octets string) {
	t.Helper()
	if _, err := read(t.Context(), l, name, holdfast.HashOf([]byte(octets))); !errors.Is(err, prefetch.ErrNotFound) {
		t.Fatalf("%s: %v", name, err)
	}
}

// put writes a file whose change is long ago; each one's is another.
func put(t testing.TB, path, octets string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	beside := path + ".beside~"
	if err := os.WriteFile(beside, []byte(octets), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Chtimes(beside, old, old), os.Rename(beside, path)); err != nil {
		t.Fatal(err)
	}
}

// blobs are the names of the files in the cache that hold octets.
func blobs(t testing.TB, cache string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "index.json" {
			all = append(all, e.Name())
		}
	}
	return all
}

// damage changes an octet of a file in the cache, in the middle.
func damage(t testing.TB, cache, octets string) {
	t.Helper()
	path := filepath.Join(cache, holdfast.HashOf([]byte(octets)).String())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// big is longer than what is verified at a time.
func big(seed string) string { return strings.Repeat(seed+"0123456789", 20_000) }

func remove(path string) { _ = os.Remove(path) }
