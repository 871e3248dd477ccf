package metrics_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/metrics"
)

func newMetrics(t *testing.T, state metrics.State) *metrics.Metrics {
	t.Helper()
	m, err := metrics.New(metrics.Config{
		Build: metrics.Build{Version: "1.2.3", Commit: "abc", Go: "go1"}, Backend: "sqlite",
		Codes: []holdfast.Code{holdfast.CodeInvalidRequest, holdfast.CodeInternal}, State: func() metrics.State { return state },
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// busy is a node of which everything can be told.
var busy = metrics.State{
	Ready: true, Components: map[string]bool{"database": true, "cache": false}, HeadsDropped: 3,
	Store: &metrics.StoreLoad{
		InUse: 1, Idle: 2, MaxConnections: 6, Acquired: 9, Waited: 4, WaitedFor: 1500 * time.Millisecond,
		Queues: []metrics.QueueLoad{{Name: "write", Waiting: 5, Limit: 10}},
	},
}

func wantLines(t *testing.T, m *metrics.Metrics, lines ...string) {
	t.Helper()
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if !strings.Contains("\n"+string(text), "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	problems, err := testutil.GatherAndLint(newMetrics(t, busy).Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "holdfast_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestState(t *testing.T) {
	wantLines(t, newMetrics(t, busy),
		"holdfast_ready 1", "holdfast_draining 0", `holdfast_component_up{component="database"} 1`, `holdfast_component_up{component="cache"} 0`,
		"holdfast_fastpath_dropped_total 3", `holdfast_store_queue_waiting{backend="sqlite",queue="write"} 5`,
		`holdfast_store_connections{backend="sqlite",state="in_use"} 1`, `holdfast_store_connection_wait_seconds_total{backend="sqlite"} 1.5`,
		`holdfast_build_info{commit="abc",go_version="go1",version="1.2.3"} 1`,
	)
}

// A database that has not been opened yet has no load, and the rest is told all the same.
func TestStateWithoutADatabase(t *testing.T) {
	m := newMetrics(t, metrics.State{Draining: true})
	wantLines(t, m, "holdfast_ready 0", "holdfast_draining 1", "holdfast_fastpath_dropped_total 0")
	if text, _ := m.Text(); strings.Contains(string(text), "queue_waiting{") {
		t.Error("a queue of no database")
	}
}

func TestRequests(t *testing.T) {
	m := newMetrics(t, busy)
	m.RequestBegan()
	wantLines(t, m, "holdfast_http_requests_in_flight 1")
	m.RequestAnswered(metrics.Request{Method: "POST", Route: "/a/{b}", Status: 400, Problem: holdfast.CodeInvalidRequest, BytesIn: 7, BytesOut: 9, Took: 2 * time.Millisecond})
	m.RequestBegan()
	m.RequestAnswered(metrics.Request{Method: "GET"}) // given up: no route, no status
	m.AuthFailed(holdfast.CodeUnauthenticated)
	m.RateLimited()
	wantLines(t, m, "holdfast_http_requests_in_flight 0",
		`holdfast_http_requests_total{method="POST",route="/a/{b}",status="400"} 1`, `holdfast_http_requests_total{method="GET",route="none",status="none"} 1`,
		`holdfast_http_request_bytes_total{method="POST",route="/a/{b}"} 7`, `holdfast_http_response_bytes_total{method="POST",route="/a/{b}"} 9`,
		`holdfast_http_request_duration_seconds_bucket{method="POST",route="/a/{b}",status_class="4xx",le="0.0025"} 1`,
		`holdfast_problems_total{code="invalid-request"} 1`, `holdfast_auth_failures_total{code="unauthenticated"} 1`, "holdfast_rate_limited_total 1",
	)
}

// Whatever is made up, the number of series stays what the program made it.
func TestMadeUpValuesBecomeOneSeries(t *testing.T) {
	m := newMetrics(t, busy)
	count := func() int {
		text, err := m.Text()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), "holdfast_")
	}
	m.RequestAnswered(metrics.Request{Method: "GET", Status: 1})
	before := count()
	for i := range 100 {
		m.RequestAnswered(metrics.Request{Method: "GET", Status: 600 + i, Problem: holdfast.Code(fmt.Sprint("made-up-", i))})
		m.AuthFailed(holdfast.Code(fmt.Sprint("made-up-", i)))
	}
	if after := count(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

func TestBatches(t *testing.T) {
	m := newMetrics(t, busy)
	results := []holdfast.Result{{Status: holdfast.StatusDuplicate}, {Status: holdfast.StatusAccepted}, {Status: holdfast.StatusQuarantined}}
	m.BatchTaken(&holdfast.Receipt{Results: results, New: true})
	m.BatchTaken(&holdfast.Receipt{Results: results[:1]})
	m.BatchTaken(&holdfast.Receipt{Results: results, New: true, Replayed: true})
	m.HeadAsked("lie")
	wantLines(t, m,
		`holdfast_batches_total{kind="new"} 1`, `holdfast_batches_total{kind="duplicate"} 1`, `holdfast_batches_total{kind="replay"} 1`,
		`holdfast_transactions_total{result="accepted"} 1`, `holdfast_transactions_total{result="duplicate"} 2`, `holdfast_transactions_total{result="quarantined"} 1`,
		"holdfast_batch_transactions_sum 4", `holdfast_fastpath_heads_total{result="lie"} 1`,
	)
}

func TestStore(t *testing.T) {
	m := newMetrics(t, busy)
	m.StoreDone("append", "conflict", time.Second)
	m.StoreDone("view", "", time.Second)
	m.GroupWritten(3, 30, time.Millisecond, true)
	m.GroupWritten(1, 1, time.Millisecond, false)
	wantLines(t, m,
		`holdfast_store_errors_total{backend="sqlite",error="conflict",operation="append"} 1`, `holdfast_store_errors_total{backend="sqlite",error="conflict",operation="view"} 0`,
		`holdfast_store_operation_duration_seconds_count{backend="sqlite",operation="view"} 1`,
		`holdfast_store_group_batches_sum{backend="sqlite"} 4`, `holdfast_store_group_transactions_sum{backend="sqlite"} 31`,
		`holdfast_store_group_duration_seconds_count{backend="sqlite",result="error"} 1`,
	)
}

func TestConfigIsChecked(t *testing.T) {
	const want = "metrics: a backend, the codes and a state are needed"
	if _, err := metrics.New(metrics.Config{}); err == nil || err.Error() != want {
		t.Error(err)
	}
	if errors.Is(metrics.Config{Backend: "sqlite"}.Validate(), nil) {
		t.Error("taken")
	}
}

// BenchmarkRequest is what counting one request and its batch costs.
func BenchmarkRequest(b *testing.B) {
	m, err := metrics.New(metrics.Config{Backend: "sqlite", Codes: []holdfast.Code{holdfast.CodeInternal}, State: func() metrics.State { return metrics.State{} }})
	if err != nil {
		b.Fatal(err)
	}
	receipt := &holdfast.Receipt{Results: make([]holdfast.Result, 1), New: true}
	b.ReportAllocs()
	for b.Loop() {
		m.RequestBegan()
		m.HeadAsked("hit")
		m.StoreDone("append", "", time.Millisecond)
		m.BatchTaken(receipt)
		m.RequestAnswered(metrics.Request{Method: "POST", Route: "/v1/streams/{streamId}/batches", Status: 201, Took: time.Millisecond})
	}
}
