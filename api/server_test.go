package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/openapi/openapitest"
)

// recording is the ports' other side: it notes what is asked and answers what it
// was told.
type recording struct {
	calls   []string
	receipt holdfast.Receipt
	stored  holdfast.StoredTransaction
	err     error
	admit   error
	batch   *holdfast.Batch
	queues  []holdfast.Queue
	named   holdfast.NamedQuery

	attachments []holdfast.NamedAttachment
	files       files
	desk        desk
	feed        feed
}

func (p *recording) AcceptBatch(ctx context.Context, b *holdfast.Batch) (holdfast.Receipt, error) {
	p.calls = append(p.calls, "accept "+holdfast.RequestContextFrom(ctx).Correlation)
	p.batch = b
	return p.receipt, p.err
}

func (p *recording) Batch(context.Context, holdfast.ID, holdfast.ID) (holdfast.Receipt, error) {
	p.calls = append(p.calls, "batch")
	return p.receipt, p.err
}

func (p *recording) Stream(context.Context, holdfast.ID) (holdfast.StreamState, error) {
	p.calls = append(p.calls, "stream")
	return holdfast.StreamState{Watermarks: p.receipt.Watermarks}, p.err
}

func (p *recording) Transaction(context.Context, holdfast.ID, int64) (holdfast.StoredTransaction, holdfast.Watermarks, error) {
	p.calls = append(p.calls, "transaction")
	return p.stored, p.receipt.Watermarks, p.err
}

func (p *recording) Attachments(_ context.Context, q holdfast.NamedQuery) ([]holdfast.NamedAttachment, holdfast.Watermarks, error) {
	p.calls = append(p.calls, "attachments")
	p.named = q
	return p.attachments, p.receipt.Watermarks, p.err
}

func (p *recording) ReportQueue(_ holdfast.ID, q holdfast.Queue) { p.queues = append(p.queues, q) }

func (p *recording) Admit(context.Context) error {
	p.calls = append(p.calls, "admit")
	return p.admit
}

func (*recording) Health() HealthReport {
	return HealthReport{State: "UP", Name: "holdfast", ID: "x@holdfast", Ring: "local", Database: "UP", Cache: "DOWN"}
}

func (p *recording) Ready(context.Context) error { return p.err }

func newTestServer(t *testing.T, p *recording) (*Server, http.Handler) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	limits := DefaultLimits()
	limits.MaxBytes, limits.MaxTransactions = 4096, 3
	uploads := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.calls = append(p.calls, "uploads "+r.Method)
		problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeOverloaded})
	})
	s, err := New(Config{Streams: p, Audit: noAudit{}, Desk: &p.desk, Attachments: &p.files, Uploads: uploads, Admission: p, Health: p, Logger: log, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Holdfast-Protocol", "1")
			next.ServeHTTP(w, r)
		})
	})
	r.NotFound(NotFound)
	r.MethodNotAllowed(MethodNotAllowed(r))
	s.Register(r)
	return s, r
}

const base = "/v1/streams/0192F3C0-4bf9-7f35-b34d-a3ce929d0e00"

// do sends a request and holds the answer against the document.
func do(t *testing.T, h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := openapitest.Answer(r, w.Code, w.Header(), w.Body.Bytes()); err != nil {
		t.Error(err)
	}
	return w
}

func oneTransaction(seq int) string {
	return fmt.Sprintf(`{"id":"0192f3c0-4bf9-7f35-b34d-%012d","seq":%d,"type":"t","occurredAt":"2026-11-20T10:15:00Z","payload":{}}`, seq, seq)
}

var accepted = holdfast.Receipt{
	Watermarks: holdfast.Watermarks{Epoch: 7, AcceptedThrough: 91, DurableThrough: 80}, New: true,
	Results: []holdfast.Result{
		{Seq: 1, ID: holdfast.ID{1}, Status: holdfast.StatusDuplicate},
		{Seq: 2, ID: holdfast.ID{2}, Status: holdfast.StatusQuarantined, Problem: []byte(`{"type":"/problems/schema-violation","title":"x","status":422,"code":"schema-violation","retryable":false}`)},
	},
}

func TestABatchThroughTheHandler(t *testing.T) {
	p := &recording{receipt: accepted}
	_, h := newTestServer(t, p)
	w := do(t, h, "POST", base+"/batches", `{"epoch":3,"transactions":[`+oneTransaction(1)+`]}`,
		"Content-Type", "application/json", "Correlation-Id", strings.ToUpper(someID), "Holdfast-Queue", "depth=1, oldest=2", "Prefer", "durability=replicated")
	want := `{"epoch":7,"acceptedThrough":91,"durableThrough":80,"digest":"` + strings.Repeat("0", 64) + `","results":[{"seq":1,"id":"01000000-0000-0000-0000-000000000000","status":"duplicate"},` +
		`{"seq":2,"id":"02000000-0000-0000-0000-000000000000","status":"quarantined","problem":` + string(accepted.Results[1].Problem) + `}]}`
	if w.Code != 201 || w.Body.String() != want {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, value := range map[string]string{
		"Location": strings.ToLower(base) + "/batches/" + someID, "Holdfast-Epoch": "7", "Holdfast-Accepted-Through": "91", "Holdfast-Durable-Through": "80",
		"Preference-Applied": "durability=replicated", "Idempotency-Replayed": "", "Content-Type": "application/json", "Content-Length": fmt.Sprint(len(want)),
	} {
		if w.Header().Get(name) != value {
			t.Errorf("%s: %q, want %q", name, w.Header().Get(name), value)
		}
	}
	if !slices.Equal(p.calls, []string{"admit", "accept " + someID}) || p.batch.Epoch != 3 || len(p.queues) != 1 || p.batch.Stream.String() != strings.ToLower(base[12:]) {
		t.Errorf("%v %+v %v", p.calls, p.batch, p.queues)
	}
	p.receipt.New, p.receipt.Replayed = false, true
	if w := do(t, h, "POST", base+"/batches", `{"transactions":[`+oneTransaction(1)+`]}`, "Content-Type", "application/json", "Idempotency-Key", someID); w.Code != 200 || w.Header().Get("Idempotency-Replayed") != "true" || w.Header().Get("Preference-Applied") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// 400 and 413 come before rate and load, and those before the rules.
func TestOrder(t *testing.T) {
	limited := &holdfast.Error{Code: holdfast.CodeRateLimited, Detail: "slow down"}
	forbidden := &holdfast.Error{Code: holdfast.CodeForbidden, Detail: "not yours"}
	p := &recording{admit: limited, err: forbidden}
	_, h := newTestServer(t, p)
	good := `{"transactions":[` + oneTransaction(1) + `]}`
	many := `{"transactions":[` + strings.Join([]string{oneTransaction(1), oneTransaction(2), oneTransaction(3), oneTransaction(4)}, ",") + `]}`
	post := func(body string, header ...string) int {
		return do(t, h, "POST", base+"/batches", body, append([]string{"Content-Type", "application/json"}, header...)...).Code
	}
	for i, row := range []struct{ got, want int }{
		{post(many), 413},
		{post(strings.Repeat(" ", 4097)), 413},
		{post("{", "Correlation-Id", someID), 400},
		{post(good), 400},
		{post(good, "Correlation-Id", someID), 429},
		{do(t, h, "GET", base, "").Code, 429},
		{do(t, h, "GET", "/v1/streams/x", "").Code, 400},
		{do(t, h, "GET", base+"/transactions/0", "").Code, 400},
		{do(t, h, "GET", base+"/transactions/+1", "").Code, 400},
		{do(t, h, "GET", base+"/transactions/99999999999999999999", "").Code, 400},
		{do(t, h, "GET", base+"/batches/x", "").Code, 400},
	} {
		if row.got != row.want {
			t.Errorf("row %d: %d, want %d", i, row.got, row.want)
		}
	}
	p.admit = nil
	for _, path := range []string{base, base + "/batches/" + someID, base + "/transactions/1"} {
		if w := do(t, h, "GET", path, "", "Holdfast-Queue", "depth=1, oldest=2"); w.Code != 403 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if post(good, "Correlation-Id", someID) != 403 || len(p.queues) != 0 {
		t.Errorf("a queue was reported for somebody else's stream: %v", p.queues)
	}
}

// What is wrong with headers, parameters and body is told in one answer.
func TestOneAnswerTellsAllThatIsWrong(t *testing.T) {
	p := &recording{}
	s, _ := newTestServer(t, p)
	r := httptest.NewRequest("POST", base+"/batches", strings.NewReader(`{"transactions":[{}]}`))
	r = r.WithContext(holdfast.WithRequestContext(r.Context(), holdfast.RequestContext{Invalid: []holdfast.FieldError{{Header: "X-Store-Id", Detail: "too long"}}}))
	_, err := s.readBatch(r, "nope")
	var e *holdfast.Error
	if !errors.As(err, &e) || e.Code != holdfast.CodeInvalidRequest {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", e.Fields)
	for _, want := range []string{"streamId", "Correlation-Id", "X-Store-Id", "/transactions/0/id", "/transactions/0/payload"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not told: %s", want, text)
		}
	}
}

func TestATransactionsOctetsAreLeftAlone(t *testing.T) {
	raw := `{ "id":"0192f3c0-4bf9-7f35-b34d-a3ce929d0e00", "seq":1,"type":"<b>&","occurredAt":"2026-11-20T10:15:00Z","payload":{"n":1e400, "s":"\u0000` + "\u2028" + `"}}`
	p := &recording{receipt: accepted, stored: holdfast.StoredTransaction{Seq: 1, Raw: []byte(raw), Epoch: 1, Problem: accepted.Results[1].Problem}}
	_, h := newTestServer(t, p)
	w := do(t, h, "GET", base+"/transactions/1", "")
	if w.Code != 200 || !strings.HasSuffix(w.Body.String(), `,"transaction":`+raw+`}`) || !strings.Contains(w.Body.String(), `"status":"quarantined"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w = do(t, h, "GET", base+"/transactions/1", "", "Accept", "text/html, application/vnd.holdfast.transaction+json;q=0.5")
	if w.Code != 200 || w.Body.String() != raw || w.Header().Get("Content-Type") != octetsType {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestRoutesAndMethods(t *testing.T) {
	_, h := newTestServer(t, &recording{receipt: accepted})
	for path, allow := range map[string]string{base: "GET, HEAD", base + "/batches": "POST", "/docs": "GET, HEAD", "/v1/limits": "GET, HEAD"} {
		for _, method := range []string{"DELETE", "OPTIONS", "PATCH"} {
			if w := do(t, h, method, path, ""); w.Code != 405 || w.Header().Get("Allow") != allow {
				t.Errorf("%s %s: %d %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/streams", base + "/", "/docs/", "/problems/made-up"} {
		if w := do(t, h, "GET", path, ""); w.Code != 404 && w.Code != 400 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/docs", "/openapi.yaml", "/v1/health", "/healthz", "/readyz", "/v1/limits", "/problems/fenced", base} {
		if w := do(t, h, "HEAD", path, ""); w.Code != 200 {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
		if w := do(t, h, "GET", path, ""); w.Code != 200 || w.Body.Len() == 0 {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
}

// The routes are the document's, no more and no less, and each has its rule.
func TestRoutesAndDocumentAgree(t *testing.T) {
	s, h := newTestServer(t, &recording{})
	var routes []string
	err := chi.Walk(h.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routes = append(routes, method+" "+route)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
			if method == http.MethodGet {
				documented = append(documented, "HEAD "+path) // works wherever GET does
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(documented)
	if !slices.Equal(routes, documented) {
		t.Fatalf("routes %v\ndocument %v", routes, documented)
	}
	for _, one := range documented {
		method, path, _ := strings.Cut(one, " ")
		public, scopes := s.Access(method, path)
		if public == (len(scopes) > 0) {
			t.Errorf("%s: public %v, scopes %v", one, public, scopes)
		}
	}
	if public, scopes := s.Access("GET", "/made-up"); public || len(scopes) > 0 {
		t.Error("what is not in the document is nobody's")
	}
	if public, scopes := s.Access("POST", "/v1/streams/{streamId}/batches"); public || !slices.Equal(scopes, []holdfast.Scope{holdfast.ScopeDevice}) {
		t.Errorf("%v", scopes)
	}
}

func TestThePagesNeedNothingFromElsewhere(t *testing.T) {
	_, h := newTestServer(t, &recording{})
	for _, path := range []string{"/docs", "/problems/stream-forked"} {
		w := do(t, h, "GET", path, "")
		for _, bad := range []string{"<script", "http://", "https://", " src=", "@import", "url("} {
			if strings.Contains(w.Body.String(), bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: %s", path, csp)
		}
	}
	page := do(t, h, "GET", "/docs", "").Body.String()
	for _, want := range []string{"Send a batch", "/v1/streams/{streamId}/batches", "sequence-gap", "Correlation-Id", "expectedSeq", "maxTransactions"} {
		if !strings.Contains(page, want) {
			t.Errorf("the reference does not mention %s", want)
		}
	}
}

// noAudit answers nothing; the audit log has tests of its own.
type noAudit struct{ Audit }
