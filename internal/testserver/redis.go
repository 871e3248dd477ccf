package testserver

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a private Redis that keeps nothing on disk.
type RedisServer struct {
	Port    int
	dir     string
	binary  string
	process *process
}

// Redis is a server of the test's own; it is stopped when the test ends.
func Redis(tb testing.TB) *RedisServer {
	tb.Helper()
	r := &RedisServer{Port: freePort(tb), binary: program(tb, "redis-server", "redis-server"), dir: tb.TempDir()}
	if err := r.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		r.Resume()
		_ = r.process.stop(syscall.SIGKILL)
	})
	return r
}

// Start starts it, or starts it again, empty.
func (r *RedisServer) Start() error {
	var err error
	r.process, err = start(nil, syscall.SIGKILL, r.binary, "--port", fmt.Sprint(r.Port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", r.dir, "--daemonize", "no")
	if err != nil {
		return err
	}
	return r.process.await(func() error {
		conn, err := net.DialTimeout("tcp", r.Addr(), time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		var b [7]byte
		if _, err := conn.Read(b[:]); err != nil || b[0] != '+' {
			return fmt.Errorf("no PONG: %w", os.ErrDeadlineExceeded)
		}
		return nil
	})
}

// Kill is kill -9: everything it held is gone.
func (r *RedisServer) Kill() { _ = r.process.stop(syscall.SIGKILL) }

// Pause makes it silent; its connections stay.
func (r *RedisServer) Pause() { r.process.signal(syscall.SIGSTOP) }

// Resume undoes [RedisServer.Pause].
func (r *RedisServer) Resume() { r.process.signal(syscall.SIGCONT) }

// Addr is host:port.
func (r *RedisServer) Addr() string { return fmt.Sprintf("127.0.0.1:%d", r.Port) }

// URL of database 0.
func (r *RedisServer) URL() string { return "redis://" + r.Addr() + "/0" }
