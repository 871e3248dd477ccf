package middleware

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// rawServer is a server as the wiring makes it, for raw sockets.
type rawServer struct {
	t    *testing.T
	addr string
	stop func()
}

func newRawServer(t *testing.T, cfg ListenerConfig, h http.Handler) *rawServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: Protocol(h), ConnState: ConnState, MaxHeaderBytes: 8 << 10, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(WrapListener(ln, cfg)) }()
	stop := sync.OnceFunc(func() {
		_ = server.Close()
		<-done //nolint:errcheck // only its end matters
	})
	t.Cleanup(stop)
	return &rawServer{t, ln.Addr().String(), stop}
}

func (s *rawServer) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// wantRefusal reads an answer to the end of the connection.
func (s *rawServer) wantRefusal(c net.Conn, status int, code string) {
	s.t.Helper()
	rd := bufio.NewReader(c)
	resp, err := http.ReadResponse(rd, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	d := readProblem(s.t, resp.Body)
	if resp.StatusCode != status || d.Code != code || d.Status != status {
		s.t.Fatalf("status %d, %+v, want %d %s", resp.StatusCode, d, status, code)
	}
	if resp.Header.Get("Holdfast-Protocol") != "1" || !resp.Close || resp.Header.Get("Content-Type") != "application/problem+json" {
		s.t.Fatalf("headers %v, close %t", resp.Header, resp.Close)
	}
	if _, err := rd.ReadByte(); err == nil {
		s.t.Fatal("something comes behind the answer")
	}
}

func TestRefusalsOfTheStackAreProblems(t *testing.T) {
	s := newRawServer(t, ListenerConfig{}, answers("ok"))
	for _, c := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"bad request line", "NONSENSE\r\n\r\n", 400, "invalid-request"},
		{"not HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400, "invalid-request"},
		{"bad version", "GET / HTTP/x\r\nHost: x\r\n\r\n", 400, "invalid-request"},
		{"version of another time", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 400, "invalid-request"},
		{"bad method", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid-request"},
		{"bad target", "GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid-request"},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, "invalid-request"},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "invalid-request"},
		{"bad Host", "GET / HTTP/1.1\r\nHost: a b\x00\r\n\r\n", 400, "invalid-request"},
		{"control character in a value", "GET / HTTP/1.1\r\nHost: x\r\nX-Device-Id: a\x00b\r\n\r\n", 400, "invalid-request"},
		{"escape in a value", "GET / HTTP/1.1\r\nHost: x\r\nX-Device-Id: a\x1bb\r\n\r\n", 400, "invalid-request"},
		{"blank in a name", "GET / HTTP/1.1\r\nHost: x\r\nX Device: a\r\n\r\n", 400, "invalid-request"},
		{"no colon", "GET / HTTP/1.1\r\nHost: x\r\nX-Device\r\n\r\n", 400, "invalid-request"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "invalid-request"},
		{"bad length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "invalid-request"},
		{"unknown transfer coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400, "invalid-request"},
		{"unknown expectation", "POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n", 400, "invalid-request"},
		{"unknown expectation in HTTP/1.0", "POST / HTTP/1.0\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n", 400, "invalid-request"},
		{"huge header", "GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431, "headers-too-large"},
		{"huge request line", "GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, "headers-too-large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &rawServer{t, s.addr, nil}
			conn := s.dial()
			_, _ = io.WriteString(conn, c.request)
			s.wantRefusal(conn, c.status, c.code)
		})
		t.Run(c.name+" as the second request", func(t *testing.T) {
			s := &rawServer{t, s.addr, nil}
			conn := s.dial()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			rd := bufio.NewReader(conn)
			resp, err := http.ReadResponse(rd, nil)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%v, %v", resp, err)
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != "ok" {
				t.Fatalf("body %q", body)
			}
			_, _ = io.WriteString(conn, c.request)
			s.wantRefusal(&bufferedConn{conn, rd}, c.status, c.code)
		})
	}
}

type bufferedConn struct {
	net.Conn
	rd *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.rd.Read(p) }

// likeARefusal is what net/http writes for a bad request, to its last byte.
const likeARefusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"

func TestAnswersOfAHandlerAreNeverTouched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(likeARefusal), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newRawServer(t, ListenerConfig{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/whole":
			_, _ = io.WriteString(w, likeARefusal)
		case "/alone": // the body is a Write of its own on the connection
			w.Header().Set("Content-Length", fmt.Sprint(len(likeARefusal)))
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, likeARefusal)
			_ = http.NewResponseController(w).Flush()
		case "/file":
			w.Header().Set("Content-Type", "text/plain")
			http.ServeFile(w, r, file)
		case "/bare": // as near to the form as a handler gets
			w.Header()["Date"] = nil
			clear(w.Header())
			w.Header()["Date"] = nil
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, "400 Bad Request")
		case "/refused":
			_, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusExpectationFailed)
		}
	}))
	for _, path := range []string{"/whole", "/alone", "/file", "/whole"} {
		conn := s.dial()
		rd := bufio.NewReader(conn)
		for i := range 3 { // new, and idle again
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			resp, err := http.ReadResponse(rd, nil)
			if err != nil {
				t.Fatalf("%s, %d: %v", path, i, err)
			}
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != likeARefusal {
				t.Fatalf("%s, %d: status %d, %q", path, i, resp.StatusCode, body)
			}
		}
	}
	conn := s.dial()
	_, _ = io.WriteString(conn, "GET /bare HTTP/1.1\r\nHost: x\r\n\r\n")
	if all, _ := io.ReadAll(conn); !bytes.Contains(all, []byte("400 Bad Request")) || bytes.Contains(all, []byte("problem")) {
		t.Fatalf("bare: %q", all)
	}
	conn = s.dial()
	_, _ = io.WriteString(conn, "POST /refused HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
	all, _ := io.ReadAll(conn)
	if !bytes.HasPrefix(all, []byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 417 ")) || bytes.Contains(all, []byte("problem")) {
		t.Fatalf("a handler's own 417: %q", all)
	}
}

func TestOnlyTheExactFormIsReplaced(t *testing.T) {
	a := newRawAnswers()
	if a.instead([]byte(likeARefusal)) == nil {
		t.Fatal("the exact form is not replaced")
	}
	for name, text := range map[string]string{
		"more behind":       likeARefusal + ".",
		"less":              likeARefusal[:len(likeARefusal)-1],
		"before":            " " + likeARefusal,
		"another header":    strings.Replace(likeARefusal, "\r\nConnection", "\r\nDate: x\r\nConnection", 1),
		"another status":    strings.ReplaceAll(likeARefusal, "400", "200"),
		"another version":   strings.Replace(likeARefusal, "HTTP/1.1", "HTTP/1.0", 1),
		"another type":      strings.Replace(likeARefusal, "plain", "html", 1),
		"longer than any":   strings.ReplaceAll(likeARefusal, "Bad Request", strings.Repeat("Bad", 200)),
		"nothing":           "",
		"status line only":  "HTTP/1.1 400 Bad Request\r\n\r\n",
		"marked 417":        "HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nHoldfast-Protocol: 1\r\n\r\n",
		"other form of 417": "HTTP/1.1 417 Expectation Failed\r\nDate: x\r\n\r\n",
	} {
		if got := a.instead([]byte(text)); got != nil {
			t.Errorf("%s is replaced by %q", name, got)
		}
	}
}

func FuzzRawAnswer(f *testing.F) {
	f.Add([]byte(likeARefusal))
	f.Add([]byte("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nDate: x\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nUnsupported transfer encoding"))
	a := newRawAnswers()
	f.Fuzz(func(t *testing.T, p []byte) {
		if got := a.instead(p); got != nil && (bytes.Contains(p, protocolLine) || !bytes.Contains(got, protocolLine)) {
			t.Fatalf("%q is replaced by %q", p, got)
		}
	})
}

func TestLargeAnswersGoThroughWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	content := noise(3 << 20)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newRawServer(t, ListenerConfig{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/file" {
			w.Header().Set("Content-Type", "application/octet-stream")
			http.ServeFile(w, r, file)
			return
		}
		_, _ = io.WriteString(w, content)
	}))
	for _, path := range []string{"/file", "/written"} {
		resp, err := http.Get("http://" + s.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != content {
			t.Fatalf("%s: %d bytes, %v", path, len(body), err)
		}
	}
}

func TestConnectionsOverTheLimitAreToldSo(t *testing.T) {
	s := newRawServer(t, ListenerConfig{MaxConnections: 2}, answers("ok"))
	get := func(c net.Conn) (*http.Response, error) {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		return http.ReadResponse(bufio.NewReader(c), nil)
	}
	first, second := s.dial(), s.dial()
	for _, c := range []net.Conn{first, second} {
		if resp, err := get(c); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
	}
	for range 5 {
		third := s.dial()
		_, _ = io.WriteString(third, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		s.wantRefusal(third, 503, "overloaded")
	}
	_ = first.Close()
	eventually(t, "there is a place again", func() bool {
		c := s.dial()
		defer func() { _ = c.Close() }()
		resp, err := get(c)
		return err == nil && resp.StatusCode == 200
	})
	if resp, err := get(second); err != nil || resp.StatusCode != 200 {
		t.Fatalf("who had a place lost it: %v, %v", resp, err)
	}
}

func TestManyConnectionsOverTheLimitDoNotPileUp(t *testing.T) {
	s := newRawServer(t, ListenerConfig{MaxConnections: 1}, answers("ok"))
	held := s.dial()
	_, _ = io.WriteString(held, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(held), nil); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", s.addr)
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, err = io.Copy(io.Discard, c)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("a connection over the limit was left hanging")
			}
		})
	}
	wg.Wait()
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	s := newRawServer(t, ListenerConfig{}, answers("ok"))
	c := s.dial()
	_, _ = io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 3)+"NONSENSE\r\n\r\n")
	rd := bufio.NewReader(c)
	for range 3 {
		resp, err := http.ReadResponse(rd, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	s.wantRefusal(&bufferedConn{c, rd}, 400, "invalid-request")
}

func TestRefusedClientStillSendingGetsItsAnswer(t *testing.T) {
	s := newRawServer(t, ListenerConfig{}, answers("ok"))
	for range 20 {
		c := s.dial()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Bad: \x00\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000))
		}()
		s.wantRefusal(c, 400, "invalid-request")
		<-sent
	}
}

func TestServerThatStopsWhileItRefuses(t *testing.T) {
	s := newRawServer(t, ListenerConfig{}, answers("ok"))
	var wg sync.WaitGroup
	for range 20 {
		c := s.dial()
		wg.Go(func() {
			_, _ = io.WriteString(c, "NONSENSE\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		})
	}
	s.stop()
	wg.Wait()
}
