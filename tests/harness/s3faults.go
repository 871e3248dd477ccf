package harness

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// S3Fault is a way in which an object store fails.
type S3Fault string

// The faults. After is counted in bytes of a body.
const (
	S3Well        S3Fault = ""
	S3Refuses     S3Fault = "refuses"      // connections are reset at once
	S3Hangs       S3Fault = "hangs"        // nothing is answered
	S3Error       S3Fault = "500"          // InternalError
	S3SlowDown    S3Fault = "slow-down"    // 503 SlowDown
	S3CutsPuts    S3Fault = "cuts-puts"    // the connection breaks after so many bytes of a request
	S3CutsGets    S3Fault = "cuts-gets"    // the connection breaks after so many bytes of an answer
	S3LosesAnswer S3Fault = "loses-answer" // what is asked is done, and the answer is lost
	S3Dies        S3Fault = "dies"         // the server is killed when so many bytes of a request have reached it
)

// S3Site is a real S3 server of its own behind a proxy that speaks HTTP and fails on demand.
type S3Site struct {
	Server *testserver.S3Server
	proxy  *httptest.Server
	fault  atomic.Value // S3Fault
	after  atomic.Int64
	hit    atomic.Int64
	mu     sync.Mutex
	well   chan struct{} // closed when the fault changes
}

// NewS3Site starts both; they end with the test.
func NewS3Site(tb testing.TB) *S3Site {
	tb.Helper()
	s := &S3Site{Server: testserver.S3(tb), well: make(chan struct{})}
	s.fault.Store(S3Well)
	target := &url.URL{Scheme: "http", Host: s.Server.Addr()}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is part of the signature
		},
		ModifyResponse: s.answer, FlushInterval: -1,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     nil,
	}
	s.proxy = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(forward, w, r) }))
	s.proxy.Config.ErrorLog = discard()
	forward.ErrorLog = discard()
	s.proxy.Start()
	tb.Cleanup(func() {
		s.Set(S3Well, 0)
		s.proxy.CloseClientConnections()
		s.proxy.Close()
	})
	return s
}

// URL is the bucket as the setting of object stores names it.
func (s *S3Site) URL() string {
	return strings.Replace(s.Server.URL(), s.Server.Addr(), s.proxy.Listener.Addr().String(), 1)
}

// Set changes how it fails; after belongs to the faults that cut.
func (s *S3Site) Set(fault S3Fault, after int64) {
	s.after.Store(after)
	s.fault.Store(fault)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.well)
	s.well = make(chan struct{})
}

// Hit is how many requests a fault has met.
func (s *S3Site) Hit() int64 { return s.hit.Load() }

func (s *S3Site) serve(forward http.Handler, w http.ResponseWriter, r *http.Request) {
	fault, _ := s.fault.Load().(S3Fault)
	switch fault {
	case S3Refuses, S3Hangs, S3Error, S3SlowDown:
		s.hit.Add(1)
	}
	s.mu.Lock()
	changed := s.well
	s.mu.Unlock()
	switch fault {
	case S3Refuses:
		reset(w)
	case S3Hangs:
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		reset(w)
	case S3Error:
		refuse(w, http.StatusInternalServerError, "InternalError")
	case S3SlowDown:
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	case S3CutsPuts, S3Dies:
		if after := s.after.Load(); r.ContentLength > after { // shorter ones come whole
			r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, after), broken{s}))
		}
		forward.ServeHTTP(w, r)
	default:
		forward.ServeHTTP(w, r)
	}
}

var errCut = errors.New("cut by the test")

// broken is what follows where a body is cut.
type broken struct{ s *S3Site }

func (b broken) Read([]byte) (int, error) {
	b.s.hit.Add(1)
	if b.s.fault.Load() == S3Dies {
		b.s.Server.Kill()
	}
	return 0, errCut
}

// answer breaks answers of bodies.
func (s *S3Site) answer(res *http.Response) error {
	switch s.fault.Load() {
	case S3LosesAnswer:
		if res.Request.Method != http.MethodGet && res.Request.Method != http.MethodHead {
			_, _ = io.Copy(io.Discard, res.Body)
			s.hit.Add(1)
			return errCut
		}
	case S3CutsGets:
		if res.Request.Method == http.MethodGet && res.ContentLength > s.after.Load() {
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(res.Body, s.after.Load()), broken{s}), res.Body}
		}
	}
	return nil
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>of the test</Message></Error>`)
}

// reset ends the connection as a dead machine's firewall would.
func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
