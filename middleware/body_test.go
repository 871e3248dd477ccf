package middleware

import (
	"bufio"
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/holdfast-sync/holdfast"
)

const testLimit = 64 << 10

func newTestBodies(t testing.TB, change func(*BodyLimits)) *Bodies {
	t.Helper()
	limits := BodyLimits{MaxBytes: testLimit, MaxTransactions: 10, MemoryWait: time.Millisecond}
	if change != nil {
		change(&limits)
	}
	b, err := NewBodies(limits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// idle says whether the whole budget has been given back.
func (b *Bodies) idle() bool {
	if !b.budget.bytes.TryAcquire(b.limits.MaxMemory) {
		return false
	}
	b.budget.bytes.Release(b.limits.MaxMemory)
	return true
}

func gzipped(parts ...string) string {
	var b bytes.Buffer
	for _, p := range parts {
		z := stdgzip.NewWriter(&b)
		_, _ = io.WriteString(z, p)
		_ = z.Close()
	}
	return b.String()
}

// zstandard is a frame that says how long its content is.
func zstandard(t testing.TB, text string, opts ...zstd.EOption) string {
	e, err := zstd.NewWriter(nil, append(opts, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	return string(e.EncodeAll([]byte(text), nil))
}

// zstandardStream is a frame that doesn't.
func zstandardStream(t testing.TB, text string, opts ...zstd.EOption) string {
	var b bytes.Buffer
	e, err := zstd.NewWriter(&b, append(opts, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(text, "\n") { // several writes, so that nothing is known of the size
		_, _ = io.WriteString(e, part+"\n")
		_ = e.Flush()
	}
	_ = e.Close()
	return b.String()
}

func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return string(b)
}

func TestBodies(t *testing.T) {
	full, over := strings.Repeat("x", testLimit), strings.Repeat("x", testLimit+1)
	random := noise(testLimit)
	lines := strings.Repeat("line\n", 1000)
	for _, c := range []struct {
		name, coding, body string
		status             int
		want               string
	}{
		{"nothing", "", "", 200, ""},
		{"plain", "", `{"a":1}`, 200, `{"a":1}`},
		{"plain, identity", "identity", `{"a":1}`, 200, `{"a":1}`},
		{"plain of the limit", "", full, 200, full},
		{"plain over the limit", "", over, 413, ""},
		{"gzip", "gzip", gzipped("hello"), 200, "hello"},
		{"gzip of nothing", "gzip", gzipped(""), 200, ""},
		{"gzip of the limit", "gzip", gzipped(full), 200, full},
		{"gzip that does not shrink", "gzip", gzipped(random), 200, random},
		{"gzip over the limit", "gzip", gzipped(over), 413, ""},
		{"gzip bomb", "gzip", gzipped(strings.Repeat("x", 100*testLimit)), 413, ""},
		{"gzip of several members", "gzip", gzipped("one", "", "two"), 200, "onetwo"},
		{"gzip of several members over the limit", "gzip", gzipped(full, "x"), 413, ""},
		{"gzip with garbage behind", "gzip", gzipped("one") + "garbage", 400, ""},
		{"gzip cut", "gzip", gzipped(random[:5000])[:3000], 400, ""},
		{"gzip with a wrong sum", "gzip", flip(gzipped("hello"), -6), 400, ""},
		{"gzip that is none", "gzip", "hello", 400, ""},
		{"gzip of no bytes", "gzip", "", 400, ""},
		{"zstd", "zstd", zstandard(t, "hello"), 200, "hello"},
		{"zstd of the limit", "zstd", zstandard(t, full), 200, full},
		{"zstd that does not shrink", "zstd", zstandard(t, random), 200, random},
		{"zstd over the limit", "zstd", zstandard(t, over), 413, ""},
		{"zstd bomb that says so", "zstd", zstandard(t, strings.Repeat("x", 200*testLimit)), 413, ""},
		{"zstd bomb", "zstd", zstandardStream(t, strings.Repeat("x", 200*testLimit)), 413, ""},
		{"zstd of unknown size", "zstd", zstandardStream(t, lines), 200, lines + "\n"},
		{"zstd with the largest window", "zstd", zstandardStream(t, lines, zstd.WithWindowSize(8<<20)), 200, lines + "\n"},
		{"zstd with too large a window", "zstd", zstandardStream(t, lines, zstd.WithWindowSize(16<<20)), 400, ""},
		{"zstd of several frames", "zstd", zstandard(t, "one") + zstandard(t, "two"), 200, "onetwo"},
		{"zstd of several frames over the limit", "zstd", zstandard(t, full) + zstandard(t, full), 413, ""},
		{"zstd with a frame to skip", "zstd", "\x50\x2a\x4d\x18\x04\x00\x00\x00skip" + zstandard(t, "one"), 200, "one"},
		{"zstd with garbage behind", "zstd", zstandard(t, "one") + "garbage", 400, ""},
		{"zstd cut", "zstd", zstandard(t, random)[:3000], 400, ""},
		{"zstd with a wrong sum", "zstd", flip(zstandard(t, "hello"), -1), 400, ""},
		{"zstd that is none", "zstd", "hello", 400, ""},
		{"zstd of no bytes", "zstd", "", 400, ""},
		{"zstd that claims too little", "zstd", "\x28\xb5\x2f\xfd\x20\x01\x49\x00\x00hello....", 400, ""},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %t", c.name, chunked), func(t *testing.T) {
				b := newTestBodies(t, nil)
				var got []byte
				h := b.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					got = BodyBytes(r)
					if all, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(all, got) || r.ContentLength != int64(len(got)) {
						t.Errorf("reading gives %d bytes, %v; Content-Length %d", len(all), err, r.ContentLength)
					}
					if c.coding != "" && r.Header.Get("Content-Encoding") != "" {
						t.Errorf("the coding is still named: %q", r.Header.Get("Content-Encoding"))
					}
				}))
				r := request("POST", "/", c.body)
				if c.coding != "" {
					r.Header.Set("Content-Encoding", c.coding)
				}
				if chunked && c.body != "" {
					r.ContentLength = -1
				}
				w := do(h, r)
				if w.Code != c.status || string(got) != c.want {
					t.Fatalf("status %d with %d bytes, want %d with %d: %.200s", w.Code, len(got), c.status, len(c.want), w.Body)
				}
				checkRefusal(t, w, c.status)
				if !b.idle() {
					t.Fatal("not all of the budget is given back")
				}
			})
		}
	}
}

func checkRefusal(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	switch status {
	case 400:
		wantProblem(t, w, 400, holdfast.CodeInvalidRequest)
	case 413:
		if d := wantProblem(t, w, 413, holdfast.CodeTooLarge); d.MaxBytes != testLimit || d.MaxTransactions != 10 {
			t.Fatalf("the limits told are %d and %d", d.MaxBytes, d.MaxTransactions)
		}
	default:
		return
	}
	if w.Header().Get("Connection") != "close" {
		t.Fatal("the connection goes on behind a body that was not read")
	}
}

func flip(s string, at int) string {
	b := []byte(s)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0x55
	return string(b)
}

func TestBodyOverTheLimitIsRefusedBeforeItIsRead(t *testing.T) {
	r := request("POST", "/", "x")
	r.Body = io.NopCloser(iotest.ErrReader(errors.New("must not be read")))
	r.ContentLength = testLimit + 1
	wantProblem(t, do(newTestBodies(t, nil).Handler(answers("ok")), r), 413, holdfast.CodeTooLarge)
}

func TestBodyThatClaimsMuchTakesLittle(t *testing.T) {
	b := newTestBodies(t, func(l *BodyLimits) { l.MaxBytes, l.MaxMemory = 4<<20, 16<<20 })
	claimed, sent := make(chan struct{}), make(chan struct{})
	r := request("POST", "/", "x")
	r.ContentLength = 4 << 20
	r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
		close(claimed)
		<-sent
		return 0, io.ErrUnexpectedEOF
	}))
	done := make(chan *httptest.ResponseRecorder)
	go func() { done <- do(b.Handler(answers("ok")), r) }()
	<-claimed
	if !b.budget.bytes.TryAcquire(b.limits.MaxMemory - 64<<10) {
		t.Error("a body that only claims to be large takes more than 64 KiB")
	} else {
		b.budget.bytes.Release(b.limits.MaxMemory - 64<<10)
	}
	close(sent)
	wantProblem(t, <-done, 400, holdfast.CodeInvalidRequest)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestBodiesOverTheBudgetAreRefused(t *testing.T) {
	b := newTestBodies(t, func(l *BodyLimits) { l.MaxMemory = 4 * testLimit })
	held, leave := make(chan struct{}), make(chan struct{})
	h := b.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		held <- struct{}{}
		<-leave
	}))
	body := strings.Repeat("x", testLimit-1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { do(h, request("POST", "/", body)) })
		<-held
	}
	for _, coding := range []string{"", "gzip", "zstd"} {
		r := request("POST", "/", map[string]string{"": body, "gzip": gzipped(body), "zstd": zstandard(t, body)}[coding])
		r.Header.Set("Content-Encoding", coding)
		w := do(b.Handler(answers("ok")), r)
		wantProblem(t, w, 503, holdfast.CodeOverloaded)
		if w.Header().Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
	close(leave)
	wg.Wait()
	if !b.idle() {
		t.Fatal("not all of the budget is given back")
	}
	if w := do(b.Handler(answers("ok")), request("POST", "/", body)); w.Code != 200 {
		t.Fatalf("when there is room again: status %d", w.Code)
	}
}

func TestBudgetIsGivenBackByAPanic(t *testing.T) {
	log, _ := newLog()
	b := newTestBodies(t, nil)
	h := Recover(log)(b.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })))
	wantProblem(t, do(h, request("POST", "/", "body")), 500, holdfast.CodeInternal)
	if !b.idle() {
		t.Fatal("not all of the budget is given back")
	}
}

func TestBodyMayBeKept(t *testing.T) {
	b := newTestBodies(t, nil)
	var kept [][]byte
	h := b.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { kept = append(kept, BodyBytes(r)) }))
	for i := range 20 {
		r := request("POST", "/", gzipped(strings.Repeat(strconv.Itoa(i%10), 1000)), "Content-Encoding", "gzip")
		if i%2 == 0 {
			r = request("POST", "/", zstandard(t, strings.Repeat(strconv.Itoa(i%10), 1000)), "Content-Encoding", "zstd")
		}
		do(h, r)
	}
	for i, body := range kept {
		if string(body) != strings.Repeat(strconv.Itoa(i%10), 1000) {
			t.Fatalf("body %d was written over: %.20q", i, body)
		}
	}
}

// serve starts a real server and gives a connection to it.
func serve(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestSlowBodyIsGivenUp(t *testing.T) {
	b := newTestBodies(t, func(l *BodyLimits) { l.ReadTimeout = 50 * time.Millisecond })
	c := serve(t, Protocol(b.Handler(answers("ok"))))
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	rd := bufio.NewReader(c)
	resp, err := http.ReadResponse(rd, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := readProblem(t, resp.Body)
	if resp.StatusCode != 408 || d.Code != "request-timeout" || !resp.Close {
		t.Fatalf("status %d, %+v, close %t", resp.StatusCode, d, resp.Close)
	}
	if _, err := rd.ReadByte(); !errors.Is(err, io.EOF) {
		t.Fatalf("the connection is not closed: %v", err)
	}
	if !b.idle() {
		t.Fatal("not all of the budget is given back")
	}
}

func TestDeadlineOfTheBodyDoesNotEndTheRequest(t *testing.T) {
	b := newTestBodies(t, func(l *BodyLimits) { l.ReadTimeout = 50 * time.Millisecond })
	c := serve(t, b.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusTeapot)
		case <-time.After(150 * time.Millisecond): // three deadlines
		}
	})))
	rd := bufio.NewReader(c)
	for range 2 { // the connection goes on
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
		resp, err := http.ReadResponse(rd, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

func TestBodyThatBreaksOffIsNotTaken(t *testing.T) {
	called := make(chan struct{}, 1)
	b := newTestBodies(t, nil)
	c := serve(t, b.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} })))
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
	_ = c.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		if d := readProblem(t, resp.Body); resp.StatusCode != 400 || d.Code != "invalid-request" {
			t.Fatalf("status %d, %+v", resp.StatusCode, d)
		}
	}
	select {
	case <-called:
		t.Fatal("half a body was taken for a whole one")
	default:
	}
}

func TestRefusedBodyIsNotAskedFor(t *testing.T) {
	c := serve(t, newTestBodies(t, nil).Handler(answers("ok")))
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", testLimit+1)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 413 {
		t.Fatalf("%v, %v", resp, err)
	}
}

func TestClientThatLeavesWaitsForNoMemory(t *testing.T) {
	b := newTestBodies(t, func(l *BodyLimits) { l.MemoryWait = time.Hour })
	if !b.budget.bytes.TryAcquire(b.limits.MaxMemory) {
		t.Fatal("no budget")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := do(b.Handler(answers("ok")), request("POST", "/", "body").WithContext(ctx))
	wantProblem(t, w, 503, holdfast.CodeOverloaded)
}

func TestBodyLimitsThatCannotBe(t *testing.T) {
	for name, l := range map[string]BodyLimits{
		"negative size": {MaxBytes: -1}, "negative number": {MaxTransactions: -1}, "negative wait": {MemoryWait: -1},
		"negative time": {ReadTimeout: -1}, "too little memory": {MaxBytes: 100, MaxMemory: 399},
	} {
		if _, err := NewBodies(l); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := (BodyLimits{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestBodyBytesOfAnotherRequest(t *testing.T) {
	if got := BodyBytes(request("POST", "/", "x")); got != nil {
		t.Fatalf("got %q", got)
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"a":1}`), "")
	f.Add([]byte(gzipped("one", "two")), "gzip")
	f.Add([]byte(zstandard(f, "hello")), "zstd")
	f.Add([]byte(zstandardStream(f, "hello\nthere")), "zstd")
	f.Add([]byte("\x28\xb5\x2f\xfd\xa4\x00\x00\x00\x40"), "zstd")
	b := newTestBodies(f, func(l *BodyLimits) { l.MaxBytes = 1 << 12 })
	f.Fuzz(func(t *testing.T, body []byte, coding string) {
		r := request("POST", "/", string(body))
		r.Header.Set("Content-Encoding", coding)
		w := do(bodyAlone(b), r)
		switch w.Code {
		case 200, 400, 413:
		default:
			t.Fatalf("status %d for %q as %q", w.Code, body, coding)
		}
		if !b.idle() {
			t.Fatal("not all of the budget is given back")
		}
	})
}

// bodyAlone is the body's handler alone.
func bodyAlone(b *Bodies) http.Handler {
	return b.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(BodyBytes(r)) > 1<<12 {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
}

func BenchmarkBody(b *testing.B) {
	text := strings.Repeat(`{"id":"0192f3c0-0000-7000-8000-000000000001","seq":42},`, 20)
	for coding, body := range map[string]string{"identity": text, "gzip": gzipped(text), "zstd": zstandard(b, text)} {
		b.Run(coding, func(b *testing.B) {
			h := newTestBodies(b, nil).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			w := httptest.NewRecorder()
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				h.ServeHTTP(w, request("POST", "/", body, "Content-Encoding", coding))
			}
		})
	}
}
