package sftp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/sftp"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// secret is in every password and passphrase; no result and no error may hold it.
const secret = "s3cret"

// attached is a file that belongs to a transaction, and what Open does with it.
type attached struct {
	name   string
	octets []byte
	open   func() (io.ReadCloser, error) // nil: the octets
}

func (a attached) digest() string {
	sum := sha256.Sum256(a.octets)
	return hex.EncodeToString(sum[:])
}

// callOf is the first attempt to deliver transaction n.
func callOf(t testing.TB, n byte, payload string, files ...attached) *delivery.Call {
	t.Helper()
	var d store.ClaimedDelivery
	d.Stream, d.Transaction = holdfast.ID{15: 1}, holdfast.ID{14: 1, 15: n}
	d.Seq, d.Epoch, d.Consumer, d.Attempts, d.Position, d.Generation = 7, 1, "drop", 1, 40+int64(n), 1
	var list []string
	for _, f := range files {
		list = append(list, fmt.Sprintf(`{"sha256":"%s","size":%d,"name":%q}`, f.digest(), len(f.octets), f.name))
	}
	d.Raw = []byte(`{"type":"pick.completed","payload":` + payload + `,"attachments":[` + strings.Join(list, ",") + `]}`)
	c, err := delivery.NewCall(d, func(_ context.Context, digest holdfast.Hash) (io.ReadCloser, error) {
		for _, f := range files {
			if f.digest() == digest.String() {
				if f.open != nil {
					return f.open()
				}
				return io.NopCloser(bytes.NewReader(f.octets)), nil
			}
		}
		return nil, errors.New("nobody knows it")
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// again is the next attempt.
func again(c *delivery.Call) *delivery.Call {
	other := *c
	other.Attempts++
	other.Generation++
	return &other
}

func configOf(s *faultkit.SFTPServer) sftp.Config {
	return sftp.Config{Address: s.Address(), User: s.User, KeyFile: s.KeyFile, KnownHostsFile: s.KnownHosts}
}

func newSender(t testing.TB, c sftp.Config) *sftp.Sender {
	t.Helper()
	s, err := sftp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// send is an attempt that may take 10 s.
func send(t testing.TB, s *sftp.Sender, c *delivery.Call) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return sendIn(ctx, t, s, c)
}

// sendIn says in short what an attempt came to: the verdict, ! when the consumer is at fault, and the code.
func sendIn(ctx context.Context, t testing.TB, s *sftp.Sender, c *delivery.Call) string {
	t.Helper()
	r := s.Send(ctx, c)
	if strings.Contains(r.Detail, secret) || strings.ContainsAny(r.Detail, "\r\n") || (r.Verdict == delivery.Confirmed) != (r.Code == "") || r.Reference != "" {
		t.Errorf("%+v", r)
	}
	down := ""
	if r.Down {
		down = "!"
	}
	return strings.TrimSpace(fmt.Sprintf("%s%s %s", r.Verdict, down, r.Code))
}

func nameOf(c *delivery.Call) string { return c.Transaction.String() + ".json" }

// bodyOf is what arrives if nothing else is asked for.
func bodyOf(c *delivery.Call) []byte { return append(bytes.Clone(c.Envelope), '\n') }

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func put(t testing.TB, s *faultkit.SFTPServer, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holds wants these files, to the octet, and nothing temporary.
func holds(t testing.TB, s *faultkit.SFTPServer, want map[string][]byte) {
	t.Helper()
	if err := faultkit.CheckFiles(s.Files(), want); err != nil {
		t.Error(err)
	}
	if left := s.Leftovers(); len(left) > 0 {
		t.Error("left over:", left)
	}
}

// eventually waits until it is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never was so:", what)
		}
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rewrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
