package faultkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/wiremock/go-wiremock"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// WireMockServer is a private WireMock 3.13.2, the stand-in of a REST consumer,
// behind a [Line] on which the network can fail. Its methods fail the test when
// they cannot do what they are for; call them from the test's own goroutine.
type WireMockServer struct {
	*Line
	tb      testing.TB
	java    string
	args    []string
	admin   string
	client  *http.Client
	program *testserver.Program
	stubs   [][]byte  // given again after Start
	past    []Request // journals of the lives before
}

// WireMock starts one on a free port of 127.0.0.1, which takes a second or two; it
// is killed when the test ends, and when the test process dies. A test that has
// many cases shares one and calls [WireMockServer.Reset] between them.
func WireMock(tb testing.TB) *WireMockServer {
	tb.Helper()
	inner := port(tb)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(inner))
	w := &WireMockServer{
		tb: tb, java: java(tb), admin: "http://" + address + "/__admin",
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
		args: []string{
			// A small heap and no second compiler: several of these run beside the tests.
			"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-jar", wireMockJar(tb),
			"--port", strconv.Itoa(inner), "--bind-address", "127.0.0.1", "--root-dir", tb.TempDir(),
			"--disable-banner", "--container-threads", "300",
			"--disable-gzip", // it would hold a dribble back until it is whole
		},
	}
	w.Line = newLine(tb, address)
	w.down()
	tb.Cleanup(func() {
		if w.program != nil {
			w.program.Kill()
		}
	})
	w.Start()
	return w
}

// URL is where the consumer is, without a slash at the end.
func (w *WireMockServer) URL() string { return "http://" + w.Address() }

// Client is go-wiremock's, past the line, for what this package has no words for.
// What is given to it is not given again after [WireMockServer.Start].
func (w *WireMockServer) Client() *wiremock.Client {
	return wiremock.NewClient("http://" + w.target)
}

// Stop is kill -9: connections are refused from now on, answers under way are
// lost. The journal and the stubs are kept.
func (w *WireMockServer) Stop() {
	w.tb.Helper()
	if w.program == nil {
		return
	}
	w.down() // nothing comes in after the journal was read
	w.past = w.all()
	w.program.Kill()
	w.program = nil
}

// Start starts it again at the same address, with the stubs it had. Scenarios
// begin anew.
func (w *WireMockServer) Start() {
	w.tb.Helper()
	if w.program != nil {
		w.tb.Fatal("WireMock runs already")
	}
	program, err := testserver.StartProgram(w.java, w.args...)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.program = program
	if err := program.Await(func() error { return w.call(http.MethodGet, "/mappings", nil, nil) }); err != nil {
		w.tb.Fatal(err)
	}
	for _, stub := range w.stubs {
		w.must(http.MethodPost, "/mappings", stub, nil)
	}
	if err := w.up(); err != nil {
		w.tb.Fatal(err)
	}
}

// Reset takes stubs, scenarios, journal and the line's faults away; a stopped
// server stays stopped.
func (w *WireMockServer) Reset() {
	w.tb.Helper()
	w.stubs, w.past = nil, nil
	w.Heal()
	if w.program != nil {
		w.must(http.MethodPost, "/reset", nil, nil)
	}
}

// Log is what the running server has written.
func (w *WireMockServer) Log() string {
	if w.program == nil {
		return ""
	}
	return w.program.Log()
}

func (w *WireMockServer) must(method, path string, body []byte, into any) {
	w.tb.Helper()
	if err := w.call(method, path, body, into); err != nil {
		w.tb.Fatal(err)
	}
}

// call asks the administration, past the line.
func (w *WireMockServer) call(method, path string, body []byte, into any) error {
	req, err := http.NewRequest(method, w.admin+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("WireMock answers %s %s with %d: %s", method, path, res.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
