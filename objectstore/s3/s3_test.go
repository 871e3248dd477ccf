package s3_test

import (
	"errors"
	"strings"
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
