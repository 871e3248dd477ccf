package s3_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/objectstore/objectstoretest"
	"github.com/holdfast-sync/holdfast/objectstore/s3"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func at(tb testing.TB, url string) *s3.Store {
	tb.Helper()
	locations, err := objectstore.ParseLocations("east=" + url)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := s3.New(locations[0])
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	objectstoretest.Run(t, func(tb testing.TB) objectstore.Store { return at(tb, testserver.S3(tb).URL()) })
}

func TestAPrefixKeepsTenantsApart(t *testing.T) {
	server := testserver.S3(t)
	one, two := at(t, strings.Replace(server.URL(), "/objects?", "/objects/one?", 1)), at(t, strings.Replace(server.URL(), "/objects?", "/objects/two?", 1))
	for _, s := range []*s3.Store{one, two} {
		if err := objectstoretest.Put(t.Context(), s, "a", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for info, err := range one.List(t.Context(), "", "") {
		if err != nil || info.Name != "a" {
			t.Error(info, err)
		}
	}
}

func TestPutsOnce(t *testing.T) {
	if err := at(t, testserver.S3(t).URL()).PutsOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A service with a certificate of one's own, and the bucket in front of the host.
func TestTLSAndStyles(t *testing.T) {
	dir := t.TempDir()
	ca, key := testserver.Certificate(t, dir, "127.0.0.1", "localhost", "*.localhost")
	server := testserver.S3With(t, "--cert", ca, "--key", key, "--virtual-domain", "localhost")
	s3.DialOnly(t, server.Addr())
	url := func(host, query string) string {
		return strings.NewReplacer("127.0.0.1", host, "?tls=0&", "?"+query).Replace(server.URL())
	}
	for name, address := range map[string]string{
		"path": url("127.0.0.1", "style=path&ca="+ca+"&"), "virtual": url("localhost", "style=virtual&ca="+ca+"&"), "by itself": url("127.0.0.1", "ca="+ca+"&"),
	} {
		s := at(t, address)
		if err := objectstoretest.Put(t.Context(), s, "of/"+strings.ReplaceAll(name, " ", "-"), make([]byte, 100_000)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Put(t.Context(), "lie", 3, objectstore.Digest{}, strings.NewReader("lie")); !errors.Is(err, objectstore.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Stat(t.Context(), "lie"); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("%s: a lie is visible: %v", name, err)
		}
	}
	err := at(t, url("127.0.0.1", "")).Ping(t.Context())
	if !errors.Is(err, objectstore.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
	for _, bad := range []string{dir + "/none.pem", key} {
		locations, err := objectstore.ParseLocations("east=" + url("h", "ca="+bad+"&"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s3.New(locations[0]); err == nil || strings.Contains(err.Error(), testserver.S3Secret) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// What is wrong with a service is told without its credentials, and it comes back.
func TestFaults(t *testing.T) {
	server := testserver.S3(t)
	s := at(t, server.URL())
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, objectstore.ErrUnavailable) || strings.Contains(err.Error(), testserver.S3Secret) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := objectstoretest.Put(t.Context(), s, "before", []byte("x")); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	check("dead", objectstoretest.Put(t.Context(), s, "while", []byte("x")))
	check("dead", s.Ping(t.Context()))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := objectstoretest.Put(t.Context(), s, "while", []byte("x")); err != nil {
		t.Fatal("back again:", err)
	}
	check("no bucket", at(t, strings.Replace(server.URL(), "/objects?", "/others?", 1)).Ping(t.Context()))
	check("wrong secret", at(t, strings.Replace(server.URL(), ":canary", ":wrong", 1)).Ping(t.Context()))
}

// A service may say 200 and tell in the body that it has failed: no object, no success, and what was to be adopted stays.
func TestFailedBehind200(t *testing.T) {
	const failed = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>`
	server := testserver.S3(t)
	target, _ := url.Parse("http://" + server.Addr())
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}

	var broken atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && (r.Header.Get("X-Amz-Copy-Source") != "" || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")) {
			_, _ = io.WriteString(w, failed)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	s := at(t, strings.Replace(server.URL(), server.Addr(), proxy.Listener.Addr().String(), 1))
	ctx := t.Context()
	if err := objectstoretest.Put(ctx, s, objectstore.Transient+"a", []byte("octets")); err != nil {
		t.Fatal(err)
	}
	octets := []byte("part")
	id, err := s.Begin(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.PutPart(ctx, "b", id, 1, int64(len(octets)), sha256.Sum256(octets), bytes.NewReader(octets))
	if err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	if err := s.Adopt(ctx, objectstore.Transient+"a", "a"); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Error("adopt:", err)
	}
	if err := s.Complete(ctx, "b", id, []objectstore.Part{part}); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Error("complete:", err)
	}
	broken.Store(false)
	if err := s.Adopt(ctx, objectstore.Transient+"a", "a"); err != nil {
		t.Error("adopt, again:", err)
	}
	if err := s.Complete(ctx, "b", id, []objectstore.Part{part}); err != nil {
		t.Error("complete, again:", err)
	}
	for name, size := range map[string]int64{"a": 6, "b": 4} {
		if info, err := s.Stat(ctx, name); err != nil || info.Size != size {
			t.Error(name, info, err)
		}
	}
}
