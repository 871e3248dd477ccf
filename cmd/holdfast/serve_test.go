package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/redact"
)

// text is a log or an output that a test reads while it is written.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// running is a gateway in this process.
type running struct {
	base     string
	signals  chan os.Signal
	ended    chan error // closed behind the one result
	out, log *text
}

// startGateway runs serve until the test ends; it waits for the address only.
func startGateway(t *testing.T, environ ...string) *running {
	t.Helper()
	t.Chdir(t.TempDir())
	environ = append([]string{"HOLDFAST_LISTEN=127.0.0.1:0", "HOLDFAST_LIMITS_DRAIN_GRACE=0s"}, environ...)
	s, err := settings.Load(settings.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	g := &running{signals: make(chan os.Signal, 2), ended: make(chan error, 1), out: &text{}, log: &text{}}
	logger, err := newLogger(g.log, s.Log.Level, s.Log.Format, false, redact.Default)
	if err != nil {
		t.Fatal(err)
	}
	con := &console{out: g.out, err: g.log, environ: environ, now: time.Now}
	cmd := &ServeCmd{Output: "text", ReadyFile: "ready"}
	go func() { g.ended <- cmd.serve(con, s, logger, g.signals); close(g.ended) }()
	t.Cleanup(func() {
		for range 2 { // the second ends it at once
			select {
			case g.signals <- os.Interrupt:
			default:
			}
		}
		select {
		case err := <-g.ended:
			t.Logf("ended: %v", err)
		case <-time.After(20 * time.Second):
			t.Error("the gateway does not end")
		}
	})
	address := regexp.MustCompile(`"address":"([^"]+)"`)
	waitFor(t, g, "the address", func() bool { return address.MatchString(g.log.String()) })
	g.base = "http://" + address.FindStringSubmatch(g.log.String())[1]
	return g
}

func waitFor(t *testing.T, g *running, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s\n%s", what, g.log)
		}
		select {
		case err := <-g.ended:
			t.Fatalf("ended before %s: %v\n%s", what, err, g.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (g *running) waitReady(t *testing.T) {
	t.Helper()
	waitFor(t, g, "ready", func() bool { code, _ := g.try(http.MethodGet, "/readyz", "", nil); return code == http.StatusOK })
}

// try answers status 0 when there is no answer.
func (g *running) try(method, path, body string, header http.Header) (int, answer) {
	req, err := http.NewRequestWithContext(context.Background(), method, g.base+path, strings.NewReader(body))
	if err != nil {
		return 0, answer{}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, answer{}
	}
	defer res.Body.Close()
	content, _ := io.ReadAll(res.Body)
	return res.StatusCode, answer{res.Header, content}
}

type answer struct {
	header http.Header
	body   []byte
}

func (a answer) code(t *testing.T) string {
	t.Helper()
	var p struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return p.Code
}

// batch is a request with one transaction of a new stream.
func batch() (path, body string, header http.Header) {
	now := time.Now()
	path = "/v1/streams/" + holdfast.NewID(now).String() + "/batches"
	body = fmt.Sprintf(`{"transactions":[{"id":"%s","seq":1,"type":"pick.completed","occurredAt":"2026-11-20T10:15:00Z","payload":{"n":1}}]}`, holdfast.NewID(now))
	return path, body, http.Header{"Content-Type": {"application/json"}, "Correlation-Id": {holdfast.NewID(now).String()}}
}

// stop asks it to end and answers how it did.
func (g *running) stop(t *testing.T) error {
	t.Helper()
	g.signals <- syscall.SIGTERM
	select {
	case err := <-g.ended:
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("does not end\n%s", g.log)
		return nil
	}
}

// The line that a person is shown works, and its second run stores nothing.
func TestServeAndItsCurlLine(t *testing.T) {
	g := startGateway(t)
	waitFor(t, g, "the ready file", func() bool { _, err := os.Stat("ready"); return err == nil })
	g.waitReady(t)
	address, err := os.ReadFile("ready")
	if err != nil || "http://"+strings.TrimSpace(string(address)) != g.base {
		t.Errorf("the ready file says %s, %v", address, err)
	}
	curl := regexp.MustCompile(`(?m)^curl -i (\S+) -H '([^']+)' -H '([^']+)' -d '([^']+)'$`).FindStringSubmatch(g.out.String())
	if curl == nil {
		t.Fatal(g.out)
	}
	header := http.Header{}
	for _, line := range curl[2:4] {
		name, value, _ := strings.Cut(line, ": ")
		header.Set(name, value)
	}
	path := strings.TrimPrefix(curl[1], g.base)
	first, got := g.try(http.MethodPost, path, curl[4], header)
	if first != http.StatusCreated || got.header.Get("Idempotency-Replayed") != "" || got.header.Get("Holdfast-Protocol") != "1" {
		t.Errorf("first run: %d %v %s", first, got.header, got.body)
	}
	second, got := g.try(http.MethodPost, path, curl[4], header)
	if second != http.StatusCreated || got.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("second run: %d %v %s", second, got.header, got.body)
	}
	if err := g.stop(t); err != nil {
		t.Errorf("not drained: %v\n%s", err, g.log)
	}
}

// What was accepted is there after a restart on the same folder.
func TestServeKeepsWhatItHasAccepted(t *testing.T) {
	dir := "HOLDFAST_DATA_DIR=" + filepath.Join(t.TempDir(), "data")
	path, body, header := batch()
	for run := range 2 {
		g := startGateway(t, dir)
		g.waitReady(t)
		code, got := g.try(http.MethodPost, path, body, header)
		if code != http.StatusCreated || (got.header.Get("Idempotency-Replayed") == "true") != (run == 1) {
			t.Errorf("run %d: %d %v %s", run, code, got.header, got.body)
		}
		if err := g.stop(t); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServeOnADatabaseThatComesLater(t *testing.T) {
	server := testserver.NewPostgres(t)
	url := server.NewDatabase(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, "HOLDFAST_DATABASE_URL="+url)
	if code, _ := g.try(http.MethodGet, "/healthz", "", nil); code != http.StatusOK {
		t.Errorf("healthz %d", code)
	}
	if code, _ := g.try(http.MethodGet, "/readyz", "", nil); code != http.StatusServiceUnavailable {
		t.Errorf("readyz %d", code)
	}
	path, body, header := batch()
	code, got := g.try(http.MethodPost, path, body, header)
	if code != http.StatusServiceUnavailable || got.code(t) != "backend-unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", code, got.body)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	g.waitReady(t)
	if code, got := g.try(http.MethodPost, path, body, header); code != http.StatusCreated {
		t.Errorf("%d %s", code, got.body)
	}
	if err := g.stop(t); err != nil {
		t.Error(err)
	}
}

// Any request may go to any node.
func TestServeSideBySide(t *testing.T) {
	url := "HOLDFAST_DATABASE_URL=" + testserver.Postgres(t).NewDatabase(t)
	nodes := []*running{startGateway(t, url), startGateway(t, url)}
	path, body, header := batch()
	for i, g := range nodes {
		g.waitReady(t)
		code, got := g.try(http.MethodPost, path, body, header)
		if code != http.StatusCreated || (got.header.Get("Idempotency-Replayed") == "true") != (i == 1) {
			t.Errorf("node %d: %d %v %s", i, code, got.header, got.body)
		}
	}
}

func TestServeThatIsToldToStopBeforeItsDatabaseCame(t *testing.T) {
	g := startGateway(t, "HOLDFAST_DATABASE_URL=postgres://u:topsecret@127.0.0.1:1/d")
	if err := g.stop(t); err != nil {
		t.Error(err)
	}
	if strings.Contains(g.log.String(), "topsecret") {
		t.Error("the log tells the password")
	}
}

func TestServeDrains(t *testing.T) {
	g := startGateway(t, "HOLDFAST_LIMITS_DRAIN_GRACE=1m")
	g.waitReady(t)
	g.signals <- syscall.SIGTERM
	waitFor(t, g, "not ready", func() bool {
		code, _ := g.try(http.MethodGet, "/readyz", "", nil)
		return code == http.StatusServiceUnavailable
	})
	path, body, header := batch()
	code, got := g.try(http.MethodPost, path, body, header)
	if code != http.StatusServiceUnavailable || got.code(t) != "draining" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", code, got.body)
	}
	if code, _ := g.try(http.MethodGet, "/healthz", "", nil); code != http.StatusOK {
		t.Errorf("healthz %d", code)
	}
	g.signals <- syscall.SIGTERM
	err := <-g.ended
	if exitCode(err) != exitFailed {
		t.Errorf("a second signal: %v", err)
	}
}

// halfRequest is a request whose body never ends.
func halfRequest(t *testing.T, g *running) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	path, _, header := batch()
	// The server asks for the body: it has begun with the request.
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nCorrelation-Id: %s\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", path, header.Get("Correlation-Id"))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q %v", line, err)
	}
	return conn
}

func TestServeDoesNotWaitForEver(t *testing.T) {
	g := startGateway(t, "HOLDFAST_LIMITS_DRAIN_TIMEOUT=100ms")
	g.waitReady(t)
	halfRequest(t, g)
	err := g.stop(t)
	if exitCode(err) != exitFailed || err.Error() != "not everything was finished within 100ms" {
		t.Errorf("%v", err)
	}
}

func TestServeEndsAtOnceOnASecondSignal(t *testing.T) {
	g := startGateway(t, "HOLDFAST_LIMITS_DRAIN_TIMEOUT=1h")
	g.waitReady(t)
	halfRequest(t, g)
	g.signals <- os.Interrupt
	g.signals <- os.Interrupt
	if err := <-g.ended; exitCode(err) != exitFailed || !strings.Contains(err.Error(), "second signal") {
		t.Errorf("%v", err)
	}
}

// health is GET /v1/health.
func (g *running) health(t *testing.T) (app struct {
	State, Name, ID, Ring string
	DB, Cache             *struct{ Status string }
	Objects, Consumers    map[string]any
},
) {
	t.Helper()
	var document struct{ App json.RawMessage }
	code, got := g.try(http.MethodGet, "/v1/health", "", nil)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, got.body)
	}
	if err := errors.Join(json.Unmarshal(got.body, &document), json.Unmarshal(document.App, &app)); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return app
}

func TestServeTellsItsHealth(t *testing.T) {
	g := startGateway(t, "HOLDFAST_RING=east-1")
	g.waitReady(t)
	app := g.health(t)
	if app.State != "UP" || app.Name != "holdfast" || app.Ring != "east-1" || app.DB == nil || app.DB.Status != "UP" || app.Cache != nil {
		t.Errorf("%+v", app)
	}
	if !regexp.MustCompile(`^[0-9a-f]{6}@holdfast$`).MatchString(app.ID) || app.Objects == nil || app.Consumers == nil {
		t.Errorf("%+v", app)
	}
}

// Redis may be gone; the node is degraded, serves, and answers the same.
func TestServeWithoutItsRedis(t *testing.T) {
	redis := testserver.Redis(t)
	g := startGateway(t, "HOLDFAST_REDIS_URL="+redis.URL(), "HOLDFAST_LIMITS_REQUESTS_PER_MINUTE=1000")
	g.waitReady(t)
	waitFor(t, g, "cache up", func() bool { c := g.health(t).Cache; return c != nil && c.Status == "UP" })
	redis.Kill()
	path, body, header := batch()
	if code, got := g.try(http.MethodPost, path, body, header); code != http.StatusCreated {
		t.Errorf("%d %s", code, got.body)
	}
	waitFor(t, g, "cache down", func() bool { a := g.health(t); return a.State == "DEGRADED" && a.Cache.Status == "DOWN" })
	if code, _ := g.try(http.MethodGet, "/readyz", "", nil); code != http.StatusOK {
		t.Errorf("readyz %d", code)
	}
	if err := g.stop(t); err != nil {
		t.Error(err)
	}
}

func TestServeWithTokens(t *testing.T) {
	data := "HOLDFAST_DATA_DIR=" + filepath.Join(t.TempDir(), "data")
	g := startGateway(t, "HOLDFAST_AUTH=token", data)
	g.waitReady(t)
	path, body, header := batch()
	if code, got := g.try(http.MethodPost, path, body, header); code != http.StatusUnauthorized || got.code(t) != "unauthenticated" {
		t.Errorf("%d %s", code, got.body)
	}
	var out, notes strings.Builder
	con := &console{out: &out, err: &notes, environ: []string{"HOLDFAST_AUTH=token", data}, now: time.Now}
	if code := run([]string{"token", "create", "--name", "x", "--device", "d"}, con); code != exitDone {
		t.Fatal(notes.String())
	}
	header.Set("Authorization", "Bearer "+strings.TrimSpace(out.String()))
	if code, got := g.try(http.MethodPost, path, body, header); code != http.StatusCreated {
		t.Errorf("%d %s", code, got.body)
	}
	if strings.Contains(g.log.String(), strings.TrimSpace(out.String())) {
		t.Error("the log tells the token")
	}
}

func TestServeTellsItsLimits(t *testing.T) {
	g := startGateway(t, "HOLDFAST_LIMITS_MAX_BYTES=64KiB", "HOLDFAST_LIMITS_MAX_TRANSACTIONS=7")
	code, got := g.try(http.MethodGet, "/v1/limits", "", nil)
	var limits struct{ MaxBytes, MaxTransactions int64 }
	if err := json.Unmarshal(got.body, &limits); err != nil || code != http.StatusOK || limits.MaxBytes != 64<<10 || limits.MaxTransactions != 7 {
		t.Errorf("%d %s %v", code, got.body, err)
	}
}

func TestServeOnAnAddressThatIsTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, err = listen(loadSettings(t, "HOLDFAST_LISTEN="+ln.Addr().String()))
	if want := "HOLDFAST_LISTEN: " + ln.Addr().String() + " can't be listened on (address already in use); something listens there already; stop it or choose another"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestServeOnAFolderInUse(t *testing.T) {
	data := "HOLDFAST_DATA_DIR=" + filepath.Join(t.TempDir(), "data")
	startGateway(t, data).waitReady(t)
	t.Chdir(t.TempDir())
	var out text
	con := &console{out: &out, err: &out, environ: []string{data}, now: time.Now}
	code := run([]string{"serve", "--listen", "127.0.0.1:0"}, con)
	if code != exitFailed || !strings.Contains(out.String(), "is in use by another gateway") || strings.Contains(out.String(), "goroutine") {
		t.Errorf("%d %s", code, out.String())
	}
}
