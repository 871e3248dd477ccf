package faultkit_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// plain is a client that follows nothing and keeps nothing.
var plain = &http.Client{
	Timeout:       5 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
	first  time.Duration // until the first octet of the body
}

// post sends one request with an idempotency key.
func post(client *http.Client, url, key, body string) (a answer, err error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return a, err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	began := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return answer{took: time.Since(began)}, err
	}
	defer res.Body.Close()
	one := make([]byte, 1)
	n, err := io.ReadFull(res.Body, one)
	a.first = time.Since(began)
	rest, more := io.ReadAll(res.Body)
	a.status, a.header, a.body, a.took = res.StatusCode, res.Header, string(one[:n])+string(rest), time.Since(began)
	if err == nil || errors.Is(err, io.EOF) {
		err = more
	}
	return a, err
}

func must(t *testing.T, url, key string) answer {
	t.Helper()
	a, err := post(plain, url, key, `{"seq":1}`)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func reference(key string) string {
	return `{"referenceNumber":"` + faultkit.ReferenceNumber(key) + `"}`
}

// dial logs in as a client does that knows the server's key from the file.
func dial(t *testing.T, s *faultkit.SFTPServer) (*sftp.Client, error) {
	t.Helper()
	conn, client, err := connect(t, s)
	if conn != nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return client, err
}

func connect(t *testing.T, s *faultkit.SFTPServer) (*ssh.Client, *sftp.Client, error) {
	t.Helper()
	pem, err := os.ReadFile(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	known, err := knownhosts.New(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ssh.Dial("tcp", s.Address(), &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: known, Timeout: 10 * time.Second,
	})
	if err != nil {
		return nil, nil, err
	}
	client, err := sftp.NewClient(conn)
	return conn, client, err
}

func login(t *testing.T, s *faultkit.SFTPServer) *sftp.Client {
	t.Helper()
	client, err := dial(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// upload writes under a temporary name and renames, as a careful client does.
func upload(client *sftp.Client, name string, octets []byte) error {
	f, err := client.Create(name + ".part")
	if err != nil {
		return err
	}
	if _, err := f.Write(octets); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return client.PosixRename(name+".part", name)
}

// deliver is a session with one upload in it.
func deliver(t *testing.T, s *faultkit.SFTPServer, name string, octets []byte) error {
	t.Helper()
	conn, client, err := connect(t, s)
	if conn != nil {
		defer conn.Close()
	}
	if err != nil {
		return err
	}
	return upload(client, name, octets)
}

// eventually asks until there is no error.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
