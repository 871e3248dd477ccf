package e2e_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// receiver takes traces over OTLP/HTTP and keeps them, and the bytes they came in.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	raw   bytes.Buffer
	spans []*tracepb.Span
	wrong []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP answers as a collector does.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var export collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw.Write(body)
	if err != nil || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		r.wrong = append(r.wrong, fmt.Sprint(req.URL, req.Header, err))
	}
	for _, resource := range export.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// trace waits until the trace has a span of kind server and one with each of the names.
func (r *receiver) trace(t *testing.T, id string, names ...string) (server *tracepb.Span, others []*tracepb.Span) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() error {
		server, others = nil, nil
		var have []string
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, s := range r.spans {
			if hex.EncodeToString(s.GetTraceId()) != id {
				continue
			}
			if s.GetKind() == tracepb.Span_SPAN_KIND_SERVER {
				if server != nil {
					t.Fatal("two spans of kind server")
				}
				server = s
				continue
			}
			others, have = append(others, s), append(have, s.GetName())
		}
		for _, name := range names {
			if !slices.Contains(have, name) || server == nil {
				return fmt.Errorf("the spans of %s are %q, and %v", id, have, server)
			}
		}
		return nil
	})
	return server, others
}

func attributes(s *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, one := range s.GetAttributes() {
		all[one.GetKey()] = one.GetValue().GetStringValue()
		if all[one.GetKey()] == "" {
			all[one.GetKey()] = fmt.Sprint(one.GetValue().GetIntValue())
		}
	}
	return all
}

// One request is one span of the server's with what it was for, below the
// caller's, above those of the store; and nothing else of it is told.
func TestTraces(t *testing.T) {
	r := newReceiver(t)
	env := map[string]string{"HOLDFAST_TRACING_ENDPOINT": r.URL, "HOLDFAST_AUTH": "token", "HOLDFAST_REDIS_URL": testserver.Redis(t).URL()}
	run := 0
	harness.EachStore(t, 1, harness.Options{Env: env}, func(t *testing.T, c *harness.Cluster) {
		run++
		n, s := c.Nodes[0], harness.NewStream(1)
		token := createToken(t, n, "--scope", "device", "--device", "ipad-1", "--store", "0042")
		id, parent := fmt.Sprintf("%032x", 0xabc0+run), "00f067aa0ba902b7"
		body := fmt.Sprintf(`{"transactions":[{"id":"%s","seq":1,"type":"canary.type","occurredAt":"2026-11-20T10:15:00Z","payload":{"canary":"canary"}}]}`, harness.ID(7, 1))
		header := harness.JSON(harness.ID(1, 1),
			"Authorization", "Bearer "+token, "traceparent", "00-"+id+"-"+parent+"-01", "tracestate", "canary=canary", "baggage", "canary=canary",
			"X-User-Id", "anna", "X-Session-Id", "s-1", "X-App-Version", "7.1", "User-Agent", "canary", "Cookie", "canary", "X-Canary", "canary", "Forwarded", "for=canary")
		if a := n.Must("POST", s.Path("/batches?canary=canary"), []byte(body), header...); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		server, others := r.trace(t, id, "store.append", "store.view", "store.token")
		if server.GetName() != "POST /v1/streams/{streamId}/batches" || hex.EncodeToString(server.GetParentSpanId()) != parent || server.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_UNSET {
			t.Errorf("%v", server)
		}
		want := map[string]string{
			"http.request.method": "POST", "http.route": "/v1/streams/{streamId}/batches", "http.response.status_code": "201",
			"holdfast.correlation_id": harness.ID(1, 1).String(), "holdfast.store_id": "0042", "holdfast.device_id": "ipad-1",
			"holdfast.user_id": "anna", "holdfast.session_id": "s-1", "holdfast.app_version": "7.1",
		}
		if got := attributes(server); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		for _, span := range others {
			if strings.HasPrefix(span.GetName(), "store.") && !bytes.Equal(span.GetParentSpanId(), server.GetSpanId()) {
				t.Errorf("%s is not below the request", span.GetName())
			}
		}
		refused := fmt.Sprintf("%032x", 0xdef0+run)
		if a := n.Must("GET", s.Path("/transactions/1"), nil, "Authorization", "Bearer "+token, "X-Device-Id", "canary", "traceparent", "00-"+refused+"-"+parent+"-01"); a.Status != 403 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if server, _ = r.trace(t, refused, "store.view"); attributes(server)["holdfast.problem"] != "forbidden" {
			t.Errorf("%v", server)
		}
		// The second path of a query in the pool: its span is below the store's.
		if c.PG != nil {
			read := fmt.Sprintf("%032x", 0x1230+run)
			n.Must("GET", s.Path(""), nil, "Authorization", "Bearer "+token, "traceparent", "00-"+read+"-"+parent+"-01")
			_, others := r.trace(t, read, "store.queue")
			if !slices.ContainsFunc(others, func(s *tracepb.Span) bool { return attributes(s)["db.system.name"] == "postgresql" }) {
				t.Errorf("no span of PostgreSQL in %v", others)
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, text := range []string{"canary", token, strings.TrimPrefix(token, "hf_")} {
			if bytes.Contains(r.raw.Bytes(), []byte(text)) {
				t.Errorf("%q is in a trace", text)
			}
		}
		for _, span := range r.spans {
			if len(span.GetParentSpanId()) == 0 && span.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
				t.Errorf("a trace that no request began: %v", span)
			}
			if route := attributes(span)["http.route"]; route == "/readyz" || route == "/metrics" {
				t.Errorf("a probe in a trace: %v", span)
			}
		}
		if len(r.wrong) > 0 {
			t.Error(r.wrong)
		}
	})
}

// A caller who has decided against it is in no trace, whatever the ratio.
func TestTracesRespectTheCallersDecision(t *testing.T) {
	r := newReceiver(t)
	n, s := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_TRACING_ENDPOINT": r.URL + "/v1/traces", "HOLDFAST_TRACING_SAMPLE_RATIO": "0"}}), harness.NewStream(1)
	not, yes := fmt.Sprintf("%032x", 1), fmt.Sprintf("%032x", 2)
	for seq, trace := range []string{"00-" + not + "-00f067aa0ba902b7-00", "", "00-" + yes + "-00f067aa0ba902b7-01"} {
		if a := s.Send(n, harness.ID(1, seq+1), int64(seq+1), int64(seq+1), "traceparent", trace); a.Status != 201 {
			t.Fatal(a.Status)
		}
	}
	r.trace(t, yes, "store.append")
	for _, span := range r.spans {
		if hex.EncodeToString(span.GetTraceId()) != yes {
			t.Errorf("%v", span)
		}
	}
}

// A collector that is away, hangs or talks nonsense costs its traces and nothing else.
func TestTracesDisturbNothing(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, strings.Repeat("canary", 1000))
	}))
	defer nonsense.Close()
	for name, endpoint := range map[string]string{"away": "http://" + freeAddress(t), "hangs": hanging.URL, "nonsense": nonsense.URL} {
		t.Run(name, func(t *testing.T) {
			n, s := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_TRACING_ENDPOINT": endpoint, "HOLDFAST_LIMITS_DRAIN_GRACE": "0s"}}), harness.NewStream(1)
			began := time.Now()
			for seq := int64(1); seq <= 1100; seq++ { // of two spans and more each: more than may wait
				if a := s.Send(n, harness.ID(1, int(seq)), seq, seq); a.Status != 201 {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
			t.Logf("1100 requests in %s", time.Since(began))
			if name != "hangs" {
				harness.Eventually(t, 20*time.Second, func() error {
					if !strings.Contains(n.Log(), "traces can't be sent and are dropped") {
						return fmt.Errorf("nothing in the log")
					}
					return nil
				})
			}
			if got := strings.Count(n.Log(), "traces can't be sent"); got > 1 {
				t.Errorf("%d lines in the log", got)
			}
			began = time.Now()
			n.Signal(syscall.SIGTERM)
			if code := n.Wait(20 * time.Second); code != 0 || time.Since(began) > 5*time.Second {
				t.Errorf("ended with %d after %s", code, time.Since(began))
			}
		})
	}
}
