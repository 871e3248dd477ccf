package e2e_test

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

// Whoever runs the gateway may read its numbers; a device may not.
func TestMetricsAskForAScope(t *testing.T) {
	n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_AUTH": "token"}})
	bearer := func(args ...string) string { return "Bearer " + createToken(t, n, args...) }
	device := bearer("--scope", "device", "--device", "canary-device")
	operator := bearer("--scope", "operator")
	check(t, n.Must("GET", "/metrics", nil), want{401, "unauthenticated", false, nil, false})
	check(t, n.Must("GET", "/metrics", nil, "Authorization", "Bearer canary-token"), want{401, "unauthenticated", false, nil, false})
	check(t, n.Must("GET", "/metrics", nil, "Authorization", device), want{403, "forbidden", false, nil, false})
	check(t, n.Must("POST", "/metrics", nil, "Authorization", operator), want{405, "method-not-allowed", false, nil, false})
	for _, who := range []string{operator, bearer("--scope", "auditor")} {
		a := n.Must("GET", "/metrics", nil, "Authorization", who)
		if a.Status != 200 || a.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
			t.Fatalf("%d %v", a.Status, a.Header)
		}
		for _, line := range []string{`holdfast_auth_failures_total{code="unauthenticated"} 2`, `holdfast_problems_total{code="forbidden"} 1`} {
			if !strings.Contains(string(a.Body), line) {
				t.Errorf("no %s", line)
			}
		}
	}
	if a := n.Must("HEAD", "/metrics", nil, "Authorization", operator); a.Status != 200 || len(a.Body) != 0 {
		t.Errorf("HEAD %d, %d bytes", a.Status, len(a.Body))
	}
}

// The numbers count what happened, and name nobody.
func TestMetricsCountAndNameNobody(t *testing.T) {
	config := "schemas: {types: [{type: canary-type, file: s.json}]}\n"
	files := map[string]string{"s.json": `{"required":["n"]}`}
	harness.EachStore(t, 1, harness.Options{Config: config, Files: files}, func(t *testing.T, c *harness.Cluster) {
		n, s := c.Nodes[0], harness.NewStream(1)
		who := []string{
			"X-Device-Id", "canary-device", "X-Store-Id", "canary-store", "X-User-Id", "canary-user", "X-Session-Id", "canary-session",
			"X-App-Version", "canary-version", "User-Agent", "canary-agent",
		}
		for _, status := range []int{s.Send(n, harness.ID(1, 1), 1, 3, who...).Status, s.Send(n, harness.ID(1, 1), 1, 3, who...).Status, s.Send(n, harness.ID(1, 2), 2, 4, who...).Status} {
			if status != 201 {
				t.Fatal(status)
			}
		}
		if a := s.Send(n, harness.ID(1, 3), 9, 9, who...); a.Status != 409 {
			t.Fatal(a.Status)
		}
		bad := fmt.Sprintf(`{"transactions":[{"id":"%s","seq":5,"type":"canary-type","occurredAt":"2026-11-20T10:15:00Z","payload":{"x":"canary-payload"}}]}`, harness.ID(7, 5))
		if a := n.Must("POST", s.Path("/batches"), []byte(bad), harness.JSON(harness.ID(1, 5), who...)...); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		n.Must("GET", "/v1/canary-path?canary-query=1", nil, who...)
		n.Must("CANARY", s.Path(""), nil, who...)
		text := string(n.Must("GET", "/metrics", nil).Body)
		route := `method="POST",route="/v1/streams/{streamId}/batches"`
		backend := `backend="sqlite"`
		if c.PG != nil {
			backend = `backend="postgres"`
		}
		for _, line := range []string{
			`holdfast_store_group_transactions_sum{` + backend + `} 5`, `holdfast_store_group_duration_seconds_count{` + backend + `,result="error"} 0`,
			`holdfast_store_queue_waiting{` + backend + `,queue="write"} 0`, `holdfast_store_errors_total{` + backend + `,error="unavailable",operation="append"} 0`,
			`holdfast_store_operation_duration_seconds_count{` + backend + `,operation="held"} 2`,
			`holdfast_transactions_total{result="accepted"} 4`, `holdfast_transactions_total{result="duplicate"} 2`, `holdfast_transactions_total{result="quarantined"} 1`,
			`holdfast_batches_total{kind="new"} 3`, `holdfast_batches_total{kind="replay"} 1`, `holdfast_problems_total{code="sequence-gap"} 1`,
			`holdfast_http_requests_total{` + route + `,status="201"} 4`, `holdfast_http_request_duration_seconds_count{` + route + `,status_class="4xx"} 1`,
			`holdfast_http_requests_total{method="GET",route="none",status="404"} 1`, `holdfast_http_requests_in_flight 1`,
			`holdfast_ready 1`, `holdfast_draining 0`, `holdfast_component_up{component="database"} 1`, `holdfast_fastpath_heads_total{result="hit"} 1`,
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("no %s", line)
			}
		}
		if at := strings.Index(strings.ToLower(text), "canary"); at >= 0 {
			t.Errorf("it tells …%.80s", text[at:])
		}
		if strings.Contains(text, s.ID.String()) || t.Failed() {
			t.Errorf("a stream, or what is above:\n%s", text)
		}
	})
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The second listener serves the metrics, to whoever has its token, and nothing else.
func TestMetricsListener(t *testing.T) {
	const token = "0123456789-canary"
	address := freeAddress(t)
	n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_AUTH": "token", "HOLDFAST_METRICS_LISTEN": address, "HOLDFAST_METRICS_TOKEN": token}})
	for _, row := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/metrics", []string{"Authorization", "Bearer " + token}, 200},
		{"HEAD", "/metrics", []string{"Authorization", "bearer " + token}, 200},
		{"GET", "/metrics", nil, 401},
		{"GET", "/metrics", []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"GET", "/metrics", []string{"Authorization", "Basic " + token}, 401},
		{"POST", "/metrics", []string{"Authorization", "Bearer " + token}, 405},

		{"GET", "/other", nil, 404},
	} {
		a, err := harness.Do(row.method, "http://"+address+row.path, nil, row.header...)
		if err != nil || a.Status != row.status || a.Header.Get("Holdfast-Protocol") != "1" {
			t.Errorf("%s %s %v: %d %v, want %d", row.method, row.path, row.header, a.Status, err, row.status)
		}
	}
	// The token of the second listener opens nothing on the first.
	check(t, n.Must("GET", "/metrics", nil, "Authorization", "Bearer "+token), want{401, "unauthenticated", false, nil, false})
	if strings.Contains(n.Log(), "canary") {
		t.Error("the token is in the log")
	}
}

func TestMetricsSettingsThatCannotBe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for env, line := range map[string]string{
		"HOLDFAST_METRICS_LISTEN=0.0.0.0:9090":             `HOLDFAST_METRICS_LISTEN: "0.0.0.0:9090" can be reached from outside; set HOLDFAST_METRICS_TOKEN, or listen on 127.0.0.1`,
		"HOLDFAST_METRICS_LISTEN=" + taken.Addr().String(): `HOLDFAST_METRICS_LISTEN: ` + taken.Addr().String() + ` can't be listened on`,
		"HOLDFAST_METRICS_TOKEN=0123456789abcdef":          `HOLDFAST_METRICS_TOKEN: is given, but metrics.listen is not`,
		"HOLDFAST_METRICS_GRAPHITE_ADDRESS=graphite":       `HOLDFAST_METRICS_GRAPHITE_ADDRESS: must be one host:port, for example graphite:2003, not "graphite"`,
		"HOLDFAST_TRACING_ENDPOINT=localhost:4318":         `HOLDFAST_TRACING_ENDPOINT: must be an http:// or https:// URL`,
		"HOLDFAST_TRACING_ENDPOINT=http://u:canary@h:4318": `HOLDFAST_TRACING_ENDPOINT: must be an http:// or https:// URL`,
		"HOLDFAST_TRACING_SAMPLE_RATIO=2":                  `HOLDFAST_TRACING_SAMPLE_RATIO: must be a number from 0 to 1, for example 0.1`,
	} {
		dir := t.TempDir()
		_, stderr, code := harness.Command(t, dir, []string{"HOLDFAST_LISTEN=127.0.0.1:0", env}, "serve")
		if code != 2 || !regexp.MustCompile(`(?m)^(holdfast: )?`+regexp.QuoteMeta(line)).MatchString(stderr) || strings.Contains(stderr, "canary") {
			t.Errorf("%s: exit %d\n%s", env, code, stderr)
		}
	}
}
