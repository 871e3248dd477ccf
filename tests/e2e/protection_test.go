package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// raw sends bytes on a socket and reads the answer.
func raw(t *testing.T, n *harness.Node, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", n.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text[:min(60, len(text))], err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

// What net/http refuses by itself is an answer of the gateway all the same.
func TestEveryAnswerIsTheGateways(t *testing.T) {
	n := harness.Start(t, harness.Options{})
	for name, row := range map[string]struct {
		text   string
		status int
	}{
		"control character in a value": {"GET /v1/limits HTTP/1.1\r\nHost: x\r\nX-Store-Id: a\x01b\r\n\r\n", 400},
		"no host":                      {"GET /v1/limits HTTP/1.1\r\n\r\n", 400},
		"two hosts":                    {"GET /v1/limits HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
		"bad header name":              {"GET /v1/limits HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n", 400},
		"HTTP 3.0":                     {"GET /v1/limits HTTP/3.0\r\nHost: x\r\n\r\n", 400},
		"unknown transfer coding":      {"POST /v1/limits HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\n\r\n", 400},
		"unknown expectation":          {"POST /v1/limits HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\nx", 400},
		"20 kB of headers":             {"GET /v1/limits HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", 431},
		"1 MB of headers":              {"GET /v1/limits HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", 431},
		"unknown route":                {"GET /x HTTP/1.0\r\n\r\n", 404},
		"OPTIONS *":                    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		"two content lengths":          {"POST /v1/limits HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400},
	} {
		res, body := raw(t, n, row.text)
		if res.StatusCode != row.status || res.Header.Get("Holdfast-Protocol") != "1" || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") || !strings.Contains(body, `"code"`) {
			t.Errorf("%s: %d %v %s", name, res.StatusCode, res.Header, body)
		}
	}
}

// A request that is wrong in two ways gets the answer of the earlier check.
func TestOrderOfChecks(t *testing.T) {
	n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_AUTH": "token"}, Config: "limits:\n  requestsPerMinute: 6\n  maxBytes: 4096\n"})
	token := createToken(t, n, "--scope", "device", "--device", "ipad-1", "--store", "0042")
	auditor := createToken(t, n, "--scope", "auditor")
	s := harness.NewStream(1)
	path, body := s.Path("/batches"), s.Body(1, 1)
	good := harness.JSON(harness.ID(1, 1), "Authorization", "Bearer "+token)
	text := []string{"Content-Type", "text/plain"}
	large := make([]byte, 5000)
	for i, row := range []struct {
		method, path string
		body         []byte
		header       []string
		status       int
	}{
		{"POST", "/v1/nothing", large, text, 404},
		{"PUT", path, large, text, 405},
		{"POST", path, large, text, 401},
		{"POST", path, large, append([]string{"Authorization", "Bearer " + auditor}, text...), 403},
		{"POST", "/v1/streams/nope/batches", large, append([]string{"Authorization", "Bearer " + token}, text...), 415},
		{"POST", "/v1/streams/nope/batches", large, good, 413},
		{"POST", path, []byte("{"), append(good, "X-Device-Id", "ipad-2"), 400},
	} {
		a := n.Must(row.method, row.path, row.body, row.header...)
		if a.Status != row.status {
			t.Errorf("row %d: %d %s, want %d", i, a.Status, a.Body, row.status)
		}
	}
	for range 6 {
		n.Must("GET", s.Path(""), nil, "Authorization", "Bearer "+token)
	}
	if a := n.Must("POST", path, []byte("{"), good...); a.Status != 400 {
		t.Errorf("400 goes before 429: %d", a.Status)
	}
	// The owner's check comes after the rate.
	check(t, n.Must("POST", path, body, append(good, "X-Device-Id", "ipad-2")...), want{429, "rate-limited", true, nil, false})
}

func createToken(t *testing.T, n *harness.Node, args ...string) string {
	t.Helper()
	out, errs, code := n.Command(append([]string{"token", "create", "--name", "test", "--output", "json"}, args...)...)
	found := regexp.MustCompile(`hf_[A-Za-z0-9_-]+`).FindString(out)
	if code != 0 || found == "" {
		t.Fatalf("token create: %d %s %s", code, out, errs)
	}
	return found
}

func TestTokens(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{Env: map[string]string{"HOLDFAST_AUTH": "token"}}, func(t *testing.T, c *harness.Cluster) {
		n, last, s := c.Nodes[0], c.Nodes[len(c.Nodes)-1], harness.NewStream(1)
		device := "Bearer " + createToken(t, n, "--scope", "device", "--device", "ipad-1", "--store", "0042")
		operator := "Bearer " + createToken(t, n, "--scope", "operator")
		auditor := "Bearer " + createToken(t, n, "--scope", "auditor")
		unauthenticated, forbidden := want{401, "unauthenticated", false, nil, false}, want{403, "forbidden", false, nil, false}
		for _, header := range [][]string{nil, {"Authorization", "Bearer x"}, {"Authorization", "Basic eDp5"}, {"Authorization", device + "x"}, {"Authorization", "Bearer "}} {
			a := n.Must("GET", s.Path(""), nil, header...)
			check(t, a, unauthenticated)
			if a.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		}
		if a := s.Send(n, harness.ID(1, 1), 1, 2, "Authorization", device); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		check(t, s.Send(last, harness.ID(1, 2), 3, 3, "Authorization", device, "X-Device-Id", "ipad-2"), forbidden)
		check(t, s.Send(last, harness.ID(1, 2), 3, 3, "Authorization", operator), forbidden)
		for path, codes := range map[string][2]int{"": {200, 200}, "/transactions/1": {200, 403}, "/batches/" + harness.ID(1, 1).String(): {200, 200}} {
			for i, who := range []string{operator, auditor} {
				if a := last.Must("GET", s.Path(path), nil, "Authorization", who, "X-Device-Id", "desk-pc"); a.Status != codes[i] {
					t.Errorf("%s: %d, want %d", path, a.Status, codes[i])
				}
			}
		}
		if strings.Contains(n.Log()+last.Log(), strings.TrimPrefix(device, "Bearer ")) {
			t.Error("a token is in the log")
		}
		out, _, _ := n.Command("token", "list", "--output", "json")
		id := regexp.MustCompile(`"id": ?"([a-z0-9]+)"`).FindStringSubmatch(out)
		if id == nil || strings.Contains(out, "hf_") {
			t.Fatalf("token list: %s", out)
		}
		if _, errs, code := n.Command("token", "revoke", id[1]); code != 0 {
			t.Fatal(errs)
		}
		harness.Eventually(t, 5*time.Second, func() error {
			if a := last.Must("GET", s.Path(""), nil, "Authorization", device); a.Status != 401 {
				return fmt.Errorf("a revoked token gets %d", a.Status)
			}
			return nil
		})
		for _, path := range []string{"/healthz", "/readyz", "/docs", "/openapi.yaml"} {
			if a := n.Must("GET", path, nil); a.Status != 200 {
				t.Errorf("%s: %d", path, a.Status)
			}
		}
	})
}

func TestTheRateIsCountedOverAllNodes(t *testing.T) {
	redis := testserver.Redis(t)
	pg := testserver.Postgres(t)
	url := pg.NewDatabase(t)
	var nodes []*harness.Node
	for range 2 {
		nodes = append(nodes, harness.Start(t, harness.Options{
			DatabaseURL: url, Env: map[string]string{"HOLDFAST_REDIS_URL": redis.URL()}, Config: "limits:\n  requestsPerMinute: 20\n",
		}))
	}
	s, limited := harness.NewStream(1), 0
	for i := range 60 {
		a := nodes[i%2].Must("GET", s.Path(""), nil, "X-Device-Id", "ipad-1")
		if a.Status == 429 {
			check(t, a, want{429, "rate-limited", true, nil, false})
			limited++
		}
	}
	if limited < 30 {
		t.Fatalf("%d of 60 requests were limited", limited)
	}
	if a := nodes[0].Must("GET", s.Path(""), nil, "X-Device-Id", "ipad-2"); a.Status != 200 {
		t.Fatalf("another device suffers: %d", a.Status)
	}
	redis.Kill()
	if a := nodes[0].Must("GET", s.Path(""), nil, "X-Device-Id", "ipad-3"); a.Status != 200 {
		t.Fatalf("without Redis: %d", a.Status)
	}
}

// SIGTERM: what runs is finished, what comes is told, the exit code is 0.
func TestDrain(t *testing.T) {
	harness.EachStore(t, 1, harness.Options{Config: "limits:\n  drainGrace: 1s\n  drainTimeout: 10s\n"}, func(t *testing.T, c *harness.Cluster) {
		n := c.Nodes[0]
		var wg sync.WaitGroup
		through := make([]int64, 8)
		draining := make(chan struct{}, 100)
		for w := range through {
			wg.Go(func() {
				s := harness.NewStream(w)
				for {
					next := through[w] + 1
					a, err := harness.Do("POST", n.URL+s.Path("/batches"), s.Body(next, next+2), harness.JSON(harness.ID(w+10, int(next)))...)
					if err != nil {
						return
					}
					switch {
					case a.Status == 201:
						through[w] = next + 2
					case a.Code() == "draining" && a.Number("Retry-After") >= 1:
						select {
						case draining <- struct{}{}:
						default:
						}
						return
					default:
						t.Errorf("%d %s", a.Status, a.Body)
						return
					}
				}
			})
		}
		harness.Eventually(t, 10*time.Second, func() error { return harness.Get(n.URL + "/healthz") })
		n.Signal(syscall.SIGTERM)
		<-draining
		if a, err := harness.Do("GET", n.URL+"/readyz", nil); err == nil && a.Status != 503 {
			t.Errorf("readyz: %d", a.Status)
		}
		wg.Wait()
		if code := n.Wait(20 * time.Second); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		n.Restart()
		for w := range through {
			harness.NewStream(w).Check(t, n, through[w])
		}
	})
}

// The line that serve prints works, and the second time it is a replay.
func TestTheCurlLineThatServePrints(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("curl is missing; make deps installs it")
	}
	n := harness.Start(t, harness.Options{Args: []string{"--output", "text"}})
	line := curlLine(t, n)
	for i, wants := range []string{"201", "Idempotency-Replayed: true"} {
		out, err := exec.Command("bash", "-c", line).CombinedOutput()
		if err != nil || !strings.Contains(string(out), wants) {
			t.Fatalf("run %d of %s: %v\n%s", i+1, line, err, out)
		}
	}
}

func curlLine(t *testing.T, n *harness.Node) string {
	t.Helper()
	found := ""
	harness.Eventually(t, 5*time.Second, func() error { // it comes a moment after /readyz says so
		text := strings.ReplaceAll(n.Log(), "\\\n", " ")
		for line := range strings.Lines(text) {
			if at := strings.Index(line, "curl "); at >= 0 && strings.HasSuffix(line, "\n") {
				found = strings.TrimSpace(line[at:])
				return nil
			}
		}
		return fmt.Errorf("serve printed no curl line:\n%s", n.Log())
	})
	return found
}

// The example day arrives whole although the gateway is killed again and again.
func TestSendSurvivesTheGatewaysDeath(t *testing.T) {
	day, err := filepath.Abs("../../examples/store-day/day.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(day); err != nil {
		t.Fatal(err)
	}
	harness.EachStore(t, 1, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		n := c.Nodes[0]
		done := make(chan string)
		go func() {
			out, errs, code := harness.Command(t, t.TempDir(), nil, "send", day, "--url", n.URL, "--batch", "5", "--output", "json", "--timeout", "100s")
			done <- fmt.Sprintf("code %d\n%s%s", code, out, errs)
		}()
		for kills := 0; ; {
			select {
			case result := <-done:
				if !strings.HasPrefix(result, "code 0\n") {
					t.Fatal(result)
				}
				if kills < 3 {
					t.Fatalf("the gateway was killed %d times only", kills)
				}
				out, errs, code := harness.Command(t, t.TempDir(), nil, "send", day, "--url", n.URL, "--batch", "5")
				if code != 0 || !strings.Contains(out, "digests match") {
					t.Fatalf("the second run: %d %s %s", code, out, errs)
				}
				return
			case <-time.After(150 * time.Millisecond): // the moment of the next kill
				if kills < 6 {
					n.Restart()
					kills++
				}
			}
		}
	})
}
