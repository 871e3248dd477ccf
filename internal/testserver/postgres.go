package testserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PG is a private PostgreSQL server.
type PG struct {
	Port    int
	dir     string // its own folder, with data and socket
	as      *syscall.Credential
	binary  string
	extra   []string
	process *process
	names   atomic.Int64
}

var shared struct {
	sync.Mutex
	pg *PG
}

// Postgres is the server that the tests of one process share. [Main] stops it.
func Postgres(tb testing.TB) *PG {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.pg == nil {
		shared.pg = newPG(tb)
	}
	return shared.pg
}

// NewPostgres is a server of the test's own, for faults. Settings are lines
// like "max_connections=20". It is removed when the test ends.
func NewPostgres(tb testing.TB, settings ...string) *PG {
	tb.Helper()
	p := newPG(tb, settings...)
	tb.Cleanup(p.remove)
	return p
}

// Main runs a package's tests and then stops the shared server; call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	Close()
	os.Exit(code)
}

// Close stops the shared server, for programs that have no TestMain.
func Close() {
	shared.Lock()
	defer shared.Unlock()
	if shared.pg != nil {
		shared.pg.remove()
		shared.pg = nil
	}
}

func newPG(tb testing.TB, settings ...string) *PG {
	tb.Helper()
	initdb := program(tb, "initdb", "postgresql")
	dir, err := os.MkdirTemp("", "holdfast-pg-")
	if err != nil {
		tb.Fatal(err)
	}
	p := &PG{dir: dir, Port: freePort(tb), as: unprivileged(tb), binary: program(tb, "postgres", "postgresql"), extra: settings}
	if p.as != nil {
		if err := os.Chown(dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
	cmd := exec.Command(initdb, "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	if err := p.Start(); err != nil {
		p.remove()
		tb.Fatal(err)
	}
	return p
}

func (p *PG) data() string { return filepath.Join(p.dir, "data") }

// Dir is the server's folder; its user may write there.
func (p *PG) Dir() string { return p.dir }

// Start starts a server that was stopped or killed, with what it held.
func (p *PG) Start() error {
	args := []string{"-D", p.data(), "-p", fmt.Sprint(p.Port), "-k", p.dir, "-h", "127.0.0.1"}
	// Durable as in production, so that a kill is a real one.
	for _, s := range append([]string{
		"fsync=on", "synchronous_commit=on", "max_connections=200", "shared_buffers=256MB", "wal_level=replica",
		"max_wal_size=4GB", "log_min_messages=warning", "logging_collector=off",
	}, p.extra...) {
		args = append(args, "-c", s)
	}
	var err error
	if p.process, err = start(p.as, syscall.SIGQUIT, p.binary, args...); err != nil {
		return err
	}
	return p.process.await(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5e9)
		defer cancel()
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// Stop is a fast shutdown: connections are ended, what was committed is there.
func (p *PG) Stop() error { return p.process.stop(syscall.SIGINT) }

// Kill is kill -9 of the server with all of its children, like a power cut to it.
func (p *PG) Kill() {
	for _, pid := range p.family() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.process.exited
}

// Pause stops every process of the server in its tracks; it is silent, but its
// connections stay.
func (p *PG) Pause() {
	for _, pid := range p.family() {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
}

// Resume undoes [PG.Pause].
func (p *PG) Resume() {
	for _, pid := range p.family() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// family is the postmaster and its children, the postmaster first.
func (p *PG) family() []int {
	pid := p.process.cmd.Process.Pid
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range tasks {
		b, _ := os.ReadFile(path)
		var child int
		for rest := string(b); ; {
			n, err := fmt.Sscan(rest, &child)
			if n != 1 || err != nil {
				break
			}
			all = append(all, child)
			rest = rest[len(fmt.Sprint(child)):]
			for len(rest) > 0 && rest[0] == ' ' {
				rest = rest[1:]
			}
		}
	}
	return all
}

// PID is that of the postmaster.
func (p *PG) PID() int { return p.process.cmd.Process.Pid }

// Log is what the server has written to its log.
func (p *PG) Log() string { return p.process.log.String() }

// URL of a database, as the superuser.
func (p *PG) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.Port, database)
}

// NewDatabase makes an empty database and returns its URL.
func (p *PG) NewDatabase(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), p.names.Add(1))
	p.Exec(tb, "postgres", "CREATE DATABASE "+name)
	return p.URL(name)
}

// Exec runs statements in a database as the superuser.
func (p *PG) Exec(tb testing.TB, database, statements string) {
	tb.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, p.URL(database))
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		tb.Fatalf("%s: %v", statements, err)
	}
}

func (p *PG) remove() {
	if p.process != nil {
		p.Resume()
		_ = p.process.stop(syscall.SIGQUIT)
	}
	_ = os.RemoveAll(p.dir)
}
