package harness

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

var binary struct {
	sync.Once
	path string
	err  error
}

// Binary builds the program once per test process and returns its path.
func Binary(tb testing.TB) string {
	tb.Helper()
	binary.Do(func() {
		dir, err := os.MkdirTemp("", "holdfast-bin-")
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(dir, "holdfast")
		out, err := exec.Command("go", "build", "-o", binary.path, "github.com/holdfast-sync/holdfast/cmd/holdfast").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if binary.err != nil {
		tb.Fatal(binary.err)
	}
	return binary.path
}

// Main runs the tests of a package and removes what they shared.
func Main(m *testing.M) {
	code := m.Run()
	testserver.Close()
	if binary.path != "" {
		_ = os.RemoveAll(filepath.Dir(binary.path))
	}
	os.Exit(code)
}

// Options of a node.
type Options struct {
	DatabaseURL string            // empty: SQLite
	Dir         string            // data directory; empty: one of its own
	Env         map[string]string // further settings
	Config      string            // text of holdfast.yaml
	Files       map[string]string // further files beside it
	Args        []string          // further arguments of serve
	// Unready does not wait for /readyz.
	Unready bool
}

// Node is a running gateway.
type Node struct {
	tb      testing.TB
	options Options
	Address string
	URL     string
	log     *log
	cmd     *exec.Cmd
	exited  chan struct{}
}

type log struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Start starts a node and waits until it is ready. It dies with the test; its
// log is shown if the test fails.
func Start(tb testing.TB, o Options) *Node {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = tb.TempDir()
	}
	for name, text := range o.Files {
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	if o.Config != "" {
		if err := os.WriteFile(filepath.Join(o.Dir, "holdfast.yaml"), []byte(o.Config), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	n := &Node{tb: tb, options: o, Address: l.Addr().String(), log: &log{}}
	n.URL = "http://" + n.Address
	_ = l.Close()
	n.run()
	tb.Cleanup(func() {
		n.Kill()
		if tb.Failed() {
			tb.Logf("log of the node at %s (its end):\n%s", n.Address, n.tail())
		}
	})
	return n
}

func (n *Node) tail() string {
	text := n.Log()
	return text[max(0, len(text)-6000):]
}

// Log is what the node has written so far.
func (n *Node) Log() string {
	n.log.mu.Lock()
	defer n.log.mu.Unlock()
	return n.log.b.String()
}

var starts = func() chan func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread() // children die with the thread that started them
		for f := range c {
			f()
		}
	}()
	return c
}()

func (n *Node) run() {
	n.tb.Helper()
	n.cmd = exec.Command(Binary(n.tb), append([]string{"serve"}, n.options.Args...)...)
	n.cmd.Dir = n.options.Dir
	n.cmd.Env = append(environ(), "HOLDFAST_LISTEN="+n.Address, "HOLDFAST_DATA_DIR="+filepath.Join(n.options.Dir, "data"), "HOLDFAST_DATABASE_URL="+n.options.DatabaseURL)
	for name, value := range n.options.Env {
		n.cmd.Env = append(n.cmd.Env, name+"="+value)
	}
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starts <- func() { started <- n.cmd.Start() }
	if err := <-started; err != nil {
		n.tb.Fatal(err)
	}
	exited := make(chan struct{})
	n.exited = exited
	cmd := n.cmd
	go func() { _ = cmd.Wait(); close(exited) }()
	if !n.options.Unready {
		n.AwaitReady()
	}
}

// environ is ours without settings that a person may have.
func environ() []string {
	var out []string
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "HOLDFAST_") {
			out = append(out, one)
		}
	}
	return out
}

// AwaitReady waits until /readyz says yes.
func (n *Node) AwaitReady() {
	n.tb.Helper()
	Eventually(n.tb, 30*time.Second, func() error {
		select {
		case <-n.exited:
			n.tb.Fatalf("the node ended:\n%s", n.tail())
		default:
		}
		return Get(n.URL + "/readyz")
	})
}

// Get is nil when the address answers 200.
func Get(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", url, res.StatusCode)
	}
	return nil
}

// Eventually asks until there is no error, or fails the test when the time is up.
func Eventually(tb testing.TB, patience time.Duration, ask func() error) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("still after %s: %v", patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Signal sends a signal; Kill, Pause and Resume are the usual ones.
func (n *Node) Signal(s syscall.Signal) { _ = n.cmd.Process.Signal(s) }

// Kill is kill -9; it returns when the process is gone.
func (n *Node) Kill() {
	n.Signal(syscall.SIGKILL)
	<-n.exited
}

// Wait waits for the process to end and returns its exit code.
func (n *Node) Wait(patience time.Duration) int {
	n.tb.Helper()
	select {
	case <-n.exited:
		return n.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		n.tb.Fatalf("the node still runs after %s", patience)
		return -1
	}
}

// Configure writes another configuration file; SIGHUP or the next start reads it.
func (n *Node) Configure(text string) {
	n.tb.Helper()
	if err := os.WriteFile(filepath.Join(n.options.Dir, "holdfast.yaml"), []byte(text), 0o600); err != nil {
		n.tb.Fatal(err)
	}
}

// PID of the process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Restart starts the node again, at the same address and on the same data.
func (n *Node) Restart() {
	n.tb.Helper()
	n.Kill()
	n.run()
}

// Command runs the binary with arguments and settings of the node; it returns
// standard output, standard error and the exit code.
func (n *Node) Command(args ...string) (stdout, stderr string, code int) {
	n.tb.Helper()
	env := []string{"HOLDFAST_DATA_DIR=" + filepath.Join(n.options.Dir, "data"), "HOLDFAST_DATABASE_URL=" + n.options.DatabaseURL}
	for name, value := range n.options.Env {
		env = append(env, name+"="+value)
	}
	return Command(n.tb, n.options.Dir, env, args...)
}

// Command runs the binary in a folder, at most two minutes.
func Command(tb testing.TB, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(tb), args...)
	cmd.Dir, cmd.Env = dir, append(environ(), env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Cluster is one or more nodes on one database.
type Cluster struct {
	Nodes []*Node
	PG    *testserver.PG // nil for SQLite
	// DatabaseURL is empty for SQLite.
	DatabaseURL string
}

// EachStore runs a test on a node with SQLite and on nodes with PostgreSQL.
func EachStore(t *testing.T, nodes int, o Options, test func(t *testing.T, c *Cluster)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, &Cluster{Nodes: []*Node{Start(t, o)}}) })
	t.Run("postgres", func(t *testing.T) {
		pg := testserver.Postgres(t)
		c := &Cluster{PG: pg, DatabaseURL: pg.NewDatabase(t)}
		for range nodes {
			o := o
			o.DatabaseURL = c.DatabaseURL
			c.Nodes = append(c.Nodes, Start(t, o))
		}
		test(t, c)
	})
}

// PeakMemory is the largest resident set of a process so far, in bytes.
func PeakMemory(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kb int64
			_, _ = fmt.Sscan(rest, &kb)
			return kb << 10
		}
	}
	return 0
}
