package testserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// S3Server is a private versitygw (github.com/versity/versitygw) over a folder.
type S3Server struct {
	Port    int
	Bucket  string
	dir     string
	binary  string
	process *process
	options []string
}

// The credentials of every [S3Server].
const (
	S3Key    = "holdfast"
	S3Secret = "canary-s3-secret"
)

// S3 is a server of the test's own with an empty bucket; it is stopped when the test ends.
func S3(tb testing.TB) *S3Server {
	tb.Helper()
	return S3With(tb)
}

// S3With is one with options of versitygw.
func S3With(tb testing.TB, options ...string) *S3Server {
	tb.Helper()
	s := &S3Server{Port: freePort(tb), Bucket: "objects", binary: gateway(tb), dir: tb.TempDir(), options: options}
	if err := os.MkdirAll(filepath.Join(s.dir, "data", s.Bucket), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "sidecar"), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Resume()
		_ = s.process.stop(syscall.SIGKILL)
	})
	return s
}

// gateway is the pinned program that scripts/tools.sh installs.
func gateway(tb testing.TB) string {
	tb.Helper()
	_, here, _, _ := runtime.Caller(0)
	tools := filepath.Join(filepath.Dir(here), "..", "..", ".tools", "versitygw")
	if _, err := os.Stat(tools); err == nil {
		return tools
	}
	found, err := exec.LookPath("versitygw")
	if err != nil {
		tb.Fatal("versitygw is not installed: run make tools")
	}
	return found
}

// Start starts it, or starts it again over what it kept.
func (s *S3Server) Start() error {
	var err error
	args := append([]string{"--access", S3Key, "--secret", S3Secret, "--port", s.Addr(), "--region", "us-east-1"}, s.options...)
	args = append(args, "posix", "--sidecar", filepath.Join(s.dir, "sidecar"), filepath.Join(s.dir, "data"))
	s.process, err = start(nil, syscall.SIGKILL, s.binary, args...)
	if err != nil {
		return err
	}
	return s.process.await(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

// Kill is kill -9; what was put stays.
func (s *S3Server) Kill() { _ = s.process.stop(syscall.SIGKILL) }

// Pause makes it silent; its connections stay.
func (s *S3Server) Pause() { s.process.signal(syscall.SIGSTOP) }

// Resume undoes [S3Server.Pause].
func (s *S3Server) Resume() { s.process.signal(syscall.SIGCONT) }

// Addr is host:port.
func (s *S3Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// URL is the bucket as the setting of object stores names it.
func (s *S3Server) URL() string {
	return fmt.Sprintf("s3://%s:%s@%s/%s?tls=0&region=us-east-1", S3Key, S3Secret, s.Addr(), s.Bucket)
}

// Has says whether an object is there, by the look of the folder.
func (s *S3Server) Has(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, "data", s.Bucket, name))
	return err == nil
}

// Snapshot copies what the server has; it must be stopped.
func (s *S3Server) Snapshot(tb testing.TB) string {
	tb.Helper()
	to := filepath.Join(tb.TempDir(), "snapshot")
	if out, err := exec.Command("cp", "-a", s.dir, to).CombinedOutput(); err != nil {
		tb.Fatalf("%v %s", err, out)
	}
	return to
}

// Restore brings a snapshot back; the server must be stopped.
func (s *S3Server) Restore(tb testing.TB, snapshot string) {
	tb.Helper()
	for _, command := range [][]string{{"rm", "-rf", filepath.Join(s.dir, "data"), filepath.Join(s.dir, "sidecar")}, {"cp", "-a", snapshot + "/.", s.dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			tb.Fatalf("%v %s", err, out)
		}
	}
}

// Leftovers are parts and transient objects that are still there.
func (s *S3Server) Leftovers() (left []string) {
	root := filepath.Join(s.dir, "data", s.Bucket)
	_ = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err == nil && !entry.IsDir() && !strings.HasPrefix(name, "attachments/") && !strings.HasPrefix(name, "audit/") {
			left = append(left, name)
		}
		return nil
	})
	return left
}

// Empty takes everything away, behind the server's back.
func (s *S3Server) Empty() {
	root := filepath.Join(s.dir, "data", s.Bucket)
	entries, _ := os.ReadDir(root)
	for _, entry := range entries {
		_ = os.RemoveAll(filepath.Join(root, entry.Name()))
	}
}
