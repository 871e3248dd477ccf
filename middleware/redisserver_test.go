package middleware

import (
	"context"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// server is a Redis of this test's own, which can be killed, stopped and started again.
type redisServer struct {
	t    *testing.T
	addr string
	dir  string
	cmd  *exec.Cmd
}

func newRedisServer(t *testing.T) *redisServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{t: t, addr: ln.Addr().String(), dir: t.TempDir()}
	_ = ln.Close()
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start returns when it answers.
func (s *redisServer) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.CommandContext(context.Background(), "redis-server", "--port", port, "--bind", "127.0.0.1",
		"--dir", s.dir, "--save", "", "--appendonly", "no", "--loglevel", "warning")
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("Redis is needed for this test (apt-get install redis-server): %v", err)
	}
	c := s.client()
	defer func() { _ = c.Close() }()
	eventually(s.t, "Redis answers", func() bool { return c.Ping(context.Background()).Err() == nil })
}

func (s *redisServer) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// hang makes it keep its connections and answer nothing.
func (s *redisServer) hang() { s.signal(syscall.SIGSTOP) }

func (s *redisServer) goOn() { s.signal(syscall.SIGCONT) }

func (s *redisServer) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// client is one that has nothing to do with what is tested.
func (s *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})
}
