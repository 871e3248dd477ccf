package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	client "github.com/holdfast-sync/holdfast/client/go"
	"github.com/holdfast-sync/holdfast/client/go/journal"
)

const (
	sendStreamA = "0192f3c0-0000-7000-8000-00000000000a"
	sendStreamB = "0192f3c0-0000-7000-8000-00000000000b"
)

func sendLine(stream string, seq int) string {
	return fmt.Sprintf(`{"stream":%q,"store":"0042","device":"d-%s","transaction":{"id":"0192f3c0-0000-7000-80%s-%012x","seq":%d,"type":"t","occurredAt":"2026-11-20T10:15:00Z","payload":{"n":%d}}}`,
		stream, stream[34:], stream[34:], seq, seq, seq)
}

// sendFile writes n transactions of each of two streams, mixed.
func sendFile(t *testing.T, n int) string {
	t.Helper()
	var text strings.Builder
	for seq := 1; seq <= n; seq++ {
		fmt.Fprintln(&text, sendLine(sendStreamA, seq))
		fmt.Fprintln(&text, sendLine(sendStreamB, seq))
	}
	path := filepath.Join(t.TempDir(), "day.jsonl")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// toyGateway keeps streams in memory. before may answer in its place.
type toyGateway struct {
	mu     sync.Mutex
	held   map[string][]json.RawMessage
	before func(w http.ResponseWriter, r *http.Request, n int) bool
	count  int
	lose   int // transactions that each stream loses before the next GET, once
}

func newToyGateway(t *testing.T) (*toyGateway, string) {
	t.Helper()
	g := &toyGateway{held: map[string][]json.RawMessage{}}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	return g, srv.URL
}

func (g *toyGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count++
	w.Header().Set("Holdfast-Protocol", "1")
	if g.before != nil && g.before(w, r, g.count) {
		return
	}
	stream := strings.Split(r.URL.Path, "/")[3]
	results := []map[string]any{}
	if r.Method == http.MethodGet {
		g.held[stream] = g.held[stream][:max(0, len(g.held[stream])-g.lose)]
		g.lose = 0
	} else {
		var b struct{ Transactions []json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, raw := range b.Transactions {
			var t struct {
				ID  string
				Seq int
			}
			_ = json.Unmarshal(raw, &t)
			status := "duplicate"
			if t.Seq == len(g.held[stream])+1 {
				status = "accepted"
				g.held[stream] = append(g.held[stream], raw)
			}
			results = append(results, map[string]any{"seq": t.Seq, "id": t.ID, "status": status})
		}
		w.WriteHeader(http.StatusCreated)
	}
	var d holdfast.Digest
	for _, raw := range g.held[stream] {
		d = d.Next(holdfast.HashOf(raw))
	}
	n := len(g.held[stream])
	_ = json.NewEncoder(w).Encode(map[string]any{
		"epoch": 1, "acceptedThrough": n, "durableThrough": n, "digest": d.String(), "results": results,
	})
}

func toyProblem(w http.ResponseWriter, status int, code string) bool {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"code":%q,"status":%d,"detail":"because","seq":1,"acceptedThrough":1}`, code, status)
	return true
}

// sent runs the command and answers what it wrote and its exit code.
func sent(ctx context.Context, c SendCmd) (out, complaint string, code int) {
	var stdout, stderr bytes.Buffer
	con := &console{out: &stdout, err: &stderr, now: time.Now}
	if c.Batch == 0 {
		c.Batch = 7
	}
	c.Parallel, c.Attempt = 4, 10*time.Second
	code = con.complain(c.Run(ctx, con))
	return stdout.String(), stderr.String(), code
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in:\n%s", p, text)
		}
	}
}

func TestSendHoldsEverythingAndProvesIt(t *testing.T) {
	g, url := newToyGateway(t)
	file := sendFile(t, 50)
	out, complaint, code := sent(t.Context(), SendCmd{File: file, URL: []string{url}})
	if code != exitDone || complaint != "" {
		t.Fatalf("exit %d: %s", code, complaint)
	}
	mustContain(t, out, "streams       2\n", "transactions  100\n", "batches       16\n", "accepted      100\n", "duplicates    0 (held already)\n", allHeld+"\n")
	if len(g.held[sendStreamA]) != 50 || len(g.held[sendStreamB]) != 50 {
		t.Errorf("held: %d and %d", len(g.held[sendStreamA]), len(g.held[sendStreamB]))
	}

	out, _, code = sent(t.Context(), SendCmd{File: file, URL: []string{url}, outputFlag: outputFlag{Output: "json"}})
	var s sendSummary
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != exitDone {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if !s.OK || s.Message != allHeld || s.Accepted != 0 || s.Duplicates != 100 || s.Held != 100 || len(s.Streams) != 2 {
		t.Errorf("the second run says %+v", s)
	}
	var d holdfast.Digest
	for _, raw := range g.held[sendStreamA] {
		d = d.Next(holdfast.HashOf(raw))
	}
	if one := s.Streams[0]; one.Digest != d.String() || !one.Verified || one.Device != "d-0a" || one.AcceptedThrough != 50 {
		t.Errorf("the stream is told as %+v", one)
	}
}

func TestSendReadsStandardInput(t *testing.T) {
	_, url := newToyGateway(t)
	out, _, code := sent(t.Context(), SendCmd{File: "-", URL: []string{url}, Gzip: false, stdin: strings.NewReader(sendLine(sendStreamA, 1))})
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, out)
	}
	mustContain(t, out, "accepted      1\n", allHeld)
}

func TestSendGoesOnThroughFaults(t *testing.T) {
	g, url := newToyGateway(t)
	g.before = func(w http.ResponseWriter, r *http.Request, n int) bool {
		switch n % 5 {
		case 1:
			return toyProblem(w, 503, "overloaded")
		case 2:
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
			return true
		}
		return false
	}
	out, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 10), URL: []string{url}})
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, complaint)
	}
	mustContain(t, out, "accepted      20\n", allHeld)
}

func TestSendSendsAgainWhatAFailoverLost(t *testing.T) {
	g, url := newToyGateway(t)
	g.lose = 3
	out, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 10), URL: []string{url}})
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, complaint)
	}
	mustContain(t, out, "rewinds       1\n", allHeld)
	if len(g.held[sendStreamA])+len(g.held[sendStreamB]) != 20 {
		t.Error("not everything is held")
	}
}

func TestSendRefusesABadFileAndSendsNothing(t *testing.T) {
	g, url := newToyGateway(t)
	path := filepath.Join(t.TempDir(), "bad.jsonl")
	if err := os.WriteFile(path, []byte(sendLine(sendStreamA, 1)+"\n"+sendLine(sendStreamA, 3)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		path:                        "bad.jsonl: line 2: seq is 3, and stream " + sendStreamA + " goes on with 2",
		filepath.Join(path, "gone"): "not a directory",
		filepath.Dir(path):          "is not a regular file; to send what another program writes",
	} {
		out, complaint, code := sent(t.Context(), SendCmd{File: file, URL: []string{url}})
		if code != exitUsage || out != "" {
			t.Errorf("%s: exit %d: %s", file, code, out)
		}
		mustContain(t, complaint, want, "nothing was sent")
	}
	if g.count != 0 {
		t.Error("something was sent")
	}
}

func TestSendTellsWhichLineIsRefused(t *testing.T) {
	g, url := newToyGateway(t)
	g.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		return bytes.Contains(body, []byte(`"payload":{"n":9}`)) && strings.Contains(r.URL.Path, sendStreamB) && toyProblem(w, 400, "invalid-request")
	}
	out, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 12), URL: []string{url}})
	if code != exitFailed {
		t.Fatalf("exit %d", code)
	}
	mustContain(t, complaint, "20 of 24 transactions are held; 1 of 2 streams stopped: line 18: ", "transaction 9 is refused: 400 invalid-request: because")
	mustContain(t, out, "stopped       line 18: ", "accepted      20\n")
	if strings.Contains(out, allHeld) {
		t.Error("claims that all are held")
	}
}

func TestSendEndsOnRefusedCredentialsForksAndDivergence(t *testing.T) {
	rows := map[string]struct {
		answer func(w http.ResponseWriter) bool
		code   int
		want   string
	}{
		"401":  {func(w http.ResponseWriter) bool { return toyProblem(w, 401, "unauthenticated") }, exitFailed, "the gateway answers 401 unauthenticated: because"},
		"403":  {func(w http.ResponseWriter) bool { return toyProblem(w, 403, "forbidden") }, exitFailed, "the gateway answers 403 forbidden: because"},
		"fork": {func(w http.ResponseWriter) bool { return toyProblem(w, 409, "stream-forked") }, exitDiverged, "is forked"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			g, url := newToyGateway(t)
			g.before = func(w http.ResponseWriter, _ *http.Request, _ int) bool { return row.answer(w) }
			_, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 3), URL: []string{url}})
			if code != row.code {
				t.Errorf("exit %d", code)
			}
			mustContain(t, complaint, row.want)
		})
	}
	t.Run("divergence", func(t *testing.T) {
		g, url := newToyGateway(t)
		g.held[sendStreamB] = []json.RawMessage{[]byte(`{"seq":1}`)}
		_, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 3), URL: []string{url}})
		if code != exitDiverged {
			t.Errorf("exit %d", code)
		}
		mustContain(t, complaint, "3 of 6 transactions are held", "has diverged at 3: our digest is ")
	})
}

func TestSendInterruptedSaysWhatIsHeldAndGoesOnNextTime(t *testing.T) {
	g, url := newToyGateway(t)
	file := sendFile(t, 20)
	ctx, interrupt := context.WithCancel(t.Context())
	g.before = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n < 4 {
			return false
		}
		interrupt()
		return toyProblem(w, 503, "draining")
	}
	_, complaint, code := sent(ctx, SendCmd{File: file, URL: []string{url}})
	if code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
	mustContain(t, complaint, "interrupted: ", " of 40 transactions are held; run the same command again to go on")
	g.mu.Lock() // a request that was given up may still be answered
	g.before = nil
	g.mu.Unlock()
	out, complaint, code := sent(t.Context(), SendCmd{File: file, URL: []string{url}})
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, complaint)
	}
	mustContain(t, out, allHeld)

	_, complaint, code = sent(ctx, SendCmd{File: file, URL: []string{url}})
	if code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
	mustContain(t, complaint, "interrupted while checking the file; nothing was sent")
}

func TestSendGivesUpWhenTimeIsUp(t *testing.T) {
	g, url := newToyGateway(t)
	g.before = func(w http.ResponseWriter, _ *http.Request, _ int) bool { return toyProblem(w, 503, "overloaded") }
	_, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 1), URL: []string{url}, Timeout: 300 * time.Millisecond})
	if code != exitUnavailable {
		t.Errorf("exit %d", code)
	}
	mustContain(t, complaint, "time is up (--timeout): 0 of 2 transactions are held")
}

func TestSendTakesTheTokenFromAFile(t *testing.T) {
	g, url := newToyGateway(t)
	g.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		return r.Header.Get("Authorization") != "Bearer hf_secret" && toyProblem(w, 401, "unauthenticated")
	}
	token := filepath.Join(t.TempDir(), "token")
	for content, want := range map[string]int{"hf_secret\n": exitDone, "": exitUsage, "a b": exitUsage, "hf_other": exitFailed} {
		if err := os.WriteFile(token, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		out, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 1), URL: []string{url}, TokenFile: token})
		if code != want {
			t.Errorf("%q: exit %d: %s", content, code, complaint)
		}
		if strings.Contains(out+complaint, "hf_") {
			t.Errorf("the token is shown: %s%s", out, complaint)
		}
	}
	if _, complaint, code := sent(t.Context(), SendCmd{File: sendFile(t, 1), URL: []string{url}, TokenFile: token + "x"}); code != exitUsage {
		t.Errorf("exit %d: %s", code, complaint)
	}
}

func TestSendOnTheCommandLine(t *testing.T) {
	_, url := newToyGateway(t)
	file := sendFile(t, 2)
	for want, args := range map[int][]string{
		exitDone:  {"send", file, "--url", url, "--batch", "3", "--parallel", "1", "--gzip=false"},
		exitUsage: {"send", file, "--batch", "0"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &console{out: &stdout, err: &stderr, now: time.Now}); code != want {
			t.Errorf("%v: exit %d: %s", args, code, stderr.String())
		}
	}
	var help bytes.Buffer
	if code := run([]string{"send", "--help"}, &console{out: &help, err: io.Discard, now: time.Now}); code != exitDone {
		t.Errorf("exit %d", code)
	}
	mustContain(t, help.String(), "holdfast send examples/store-day/day.jsonl", "Exit codes:", "130  interrupted")
}

func TestSendProgressBar(t *testing.T) {
	sum := client.Progress{AcceptedThrough: 1500, Retries: 2}
	totals := barTotals{transactions: 3000, streams: 9, finished: 4, elapsed: 2 * time.Second, trouble: "connection refused"}
	want := "[##########..........]  50 %  1500/3000  750/s  streams 4/9  retries 2  connection refused"
	if got := bar(sum, totals, 200); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := bar(sum, totals, 40); got != want[:39] {
		t.Errorf("got %q", got)
	}
	if got := bar(client.Progress{}, barTotals{}, 80); !strings.HasPrefix(got, "[####################] 100 %") {
		t.Errorf("got %q", got)
	}
}

func TestSendOnATerminalDrawsAndElsewhereSaysOnlyThatItWaits(t *testing.T) {
	var out bytes.Buffer
	j, err := journal.Read(strings.NewReader(sendLine(sendStreamA, 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := newSending(j, 1, nil)
	p := &progress{out: &out, terminal: true, width: 80}
	p.reading(50, 100)
	p.refresh(r, time.Now())
	mustContain(t, out.String(), "\r\x1b[Kchecking the file: 50 %", "\r\x1b[K[....................]   0 %  0/1")

	out.Reset()
	p = &progress{out: &out}
	now := time.Now()
	p.refresh(r, now)
	p.hear(client.Event{Kind: client.EventRetry, Cause: io.ErrUnexpectedEOF})
	p.refresh(r, now)
	if out.Len() > 0 {
		t.Errorf("says %q at once", out.String())
	}
	p.refresh(r, now.Add(5*time.Second))
	p.refresh(r, now.Add(6*time.Second))
	if got := out.String(); got != "holdfast: still trying after 5s: unexpected EOF\n" {
		t.Errorf("says %q", got)
	}
	p.hear(client.Event{Kind: client.EventTaken})
	p.refresh(r, now.Add(time.Hour))
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("says %q", out.String())
	}
}
