package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// rows are the status and retryable of each code, as the protocol has them.
var rows = map[holdfast.Code]struct {
	status    int
	retryable bool
}{
	"invalid-request": {400, false}, "unauthenticated": {401, false}, "forbidden": {403, false}, "not-found": {404, false},
	"method-not-allowed": {405, false}, "request-timeout": {408, false}, "request-in-progress": {409, true}, "sequence-gap": {409, true},
	"stream-forked": {409, false}, "too-large": {413, false}, "unsupported-media-type": {415, false}, "correlation-id-reused": {422, false},
	"schema-violation": {422, false}, "rate-limited": {429, true}, "headers-too-large": {431, false}, "internal": {500, false},
	"overloaded": {503, true}, "draining": {503, true}, "fenced": {503, true}, "backend-unavailable": {503, true}, "outcome-unknown": {503, true},
	"digest-mismatch": {422, false}, "offset-mismatch": {409, false}, "too-many-uploads": {429, true}, "upload-interrupted": {503, true},
	"unsupported-version": {412, false}, "range-not-satisfiable": {416, false}, "cursor-expired": {410, false}, "not-applicable": {409, false},
}

func TestEveryCodeHasItsRow(t *testing.T) {
	source, err := os.ReadFile("../../error.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`Code\w+ +Code = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(declared) != len(rows) || len(problem.Codes()) != len(rows) {
		t.Fatalf("%d codes are declared, %d have a row, %d are expected", len(declared), len(problem.Codes()), len(rows))
	}
	for _, d := range declared {
		want, expected := rows[holdfast.Code(d[1])]
		kind, ok := problem.KindOf(holdfast.Code(d[1]))
		if !expected || !ok || kind.Status != want.status || kind.Retryable != want.retryable || kind.Title == "" || kind.Meaning == "" || kind.Advice == "" {
			t.Errorf("%s: %+v", d[1], kind)
		}
	}
}

type listener struct {
	*httptest.ResponseRecorder
	code  holdfast.Code
	cause error
}

func (l *listener) SetProblem(code holdfast.Code) { l.code = code }
func (l *listener) SetCause(err error)            { l.cause = err }

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func write(t *testing.T, err error) (*listener, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/streams/x/batches?token=secret", nil)
	r = r.WithContext(holdfast.WithRequestContext(r.Context(), holdfast.RequestContext{
		Correlation: "c-1", Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}))
	l := &listener{ResponseRecorder: httptest.NewRecorder()}
	problem.Write(wrapped{wrapped{l}}, r, err)
	var d map[string]any
	if err := json.Unmarshal(l.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return l, d
}

func TestWrite(t *testing.T) {
	for code, row := range rows {
		cause := errors.New("the cause, which nobody is told")
		l, d := write(t, fmt.Errorf("wrapped: %w", &holdfast.Error{Code: code, Detail: "detail", Err: cause, RetryAfter: 1500 * time.Millisecond}))
		if l.Code != row.status || d["status"] != float64(row.status) || d["code"] != string(code) || d["retryable"] != row.retryable ||
			d["type"] != "/problems/"+string(code) || d["detail"] != "detail" || d["instance"] != "/v1/streams/x/batches" ||
			d["correlationId"] != "c-1" || d["traceId"] != "4bf92f3577b34da6a3ce929d0e0e4736" || d["cause"] != nil {
			t.Errorf("%s: %d %s", code, l.Code, l.Body)
		}
		if l.code != code || !errors.Is(l.cause, cause) {
			t.Errorf("%s: the log is told %s, %v", code, l.code, l.cause)
		}
		h := l.Header()
		wait := ""
		if row.retryable && code != "sequence-gap" {
			wait = "2"
		}
		if h.Get("Content-Type") != "application/problem+json" || h.Get("Holdfast-Protocol") != "1" || h.Get("Retry-After") != wait ||
			h.Get("WWW-Authenticate") != map[bool]string{true: "Bearer"}[row.status == 401] || h.Get("Holdfast-Epoch") != "" {
			t.Errorf("%s: %v", code, h)
		}
	}
}

func TestMembers(t *testing.T) {
	marks := &holdfast.Watermarks{Epoch: 3, AcceptedThrough: 9, DurableThrough: 8}
	for _, c := range []struct {
		err     holdfast.Error
		members map[string]float64
	}{
		{holdfast.Error{Code: holdfast.CodeSequenceGap, ExpectedSeq: 10, Watermarks: marks}, map[string]float64{"expectedSeq": 10, "epoch": 3}},
		{holdfast.Error{Code: holdfast.CodeStreamForked, Seq: 4, Watermarks: marks}, map[string]float64{"seq": 4, "acceptedThrough": 9}},
		{holdfast.Error{Code: holdfast.CodeTooLarge, MaxBytes: 5, MaxTransactions: 6}, map[string]float64{"maxBytes": 5, "maxTransactions": 6}},
	} {
		l, d := write(t, &c.err)
		for _, name := range []string{"expectedSeq", "epoch", "seq", "acceptedThrough", "maxBytes", "maxTransactions"} {
			if want, there := c.members[name]; there != (d[name] != nil) || there && d[name] != want {
				t.Errorf("%s: %s is %v", c.err.Code, name, d[name])
			}
		}
		if c.err.Watermarks != nil && (l.Header().Get("Holdfast-Epoch") != "3" || l.Header().Get("Holdfast-Accepted-Through") != "9" || l.Header().Get("Holdfast-Durable-Through") != "8") {
			t.Errorf("%v", l.Header())
		}
	}
	fields := &holdfast.Error{Code: holdfast.CodeInvalidRequest, Fields: []holdfast.FieldError{
		{HasPointer: true, Detail: "a"}, {Pointer: "/x", HasPointer: true, Detail: "b"}, {Header: "H", Detail: "c"}, {Parameter: "p", Detail: "d"},
	}}
	l, _ := write(t, fields)
	var d struct{ Errors json.RawMessage }
	_ = json.Unmarshal(l.Body.Bytes(), &d)
	if string(d.Errors) != `[{"pointer":"","detail":"a"},{"pointer":"/x","detail":"b"},{"header":"H","detail":"c"},{"parameter":"p","detail":"d"}]` {
		t.Errorf("%s", d.Errors)
	}
}

// An error that is none of ours tells nothing of itself.
func TestAnUnknownErrorTellsNothing(t *testing.T) {
	for _, err := range []error{errors.New("password=secret"), nil, &holdfast.Error{Code: "made-up", Detail: "secret"}} {
		l, d := write(t, err)
		if l.Code != 500 || d["code"] != "internal" || regexp.MustCompile("secret").Match(l.Body.Bytes()) {
			t.Errorf("%v: %s", err, l.Body)
		}
	}
}

// The instance is cut at 256, and stays one that can be read.
func TestALongInstanceIsCutBetweenItsCharacters(t *testing.T) {
	for before, want := range map[int]int{252: 256, 253: 256, 254: 254, 255: 255, 256: 256} {
		path := "/" + strings.Repeat("a", before-1) + "%20" + strings.Repeat("b", 9)
		w := httptest.NewRecorder()
		problem.Write(w, httptest.NewRequest(http.MethodGet, path, nil), &holdfast.Error{Code: holdfast.CodeNotFound})
		var d problem.Document
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.Instance != path[:want] {
			t.Errorf("%d before the escape: %q %v", before, d.Instance, err)
		}
		if _, err := url.PathUnescape(d.Instance); err != nil {
			t.Error(err)
		}
	}
}

func TestARequestWithoutAnAddressAndAHead(t *testing.T) {
	overloaded := &holdfast.Error{Code: holdfast.CodeOverloaded}
	w := httptest.NewRecorder()
	problem.Write(w, &http.Request{Method: http.MethodGet, Header: http.Header{}}, overloaded)
	var d map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d["instance"] != nil || w.Code != 503 {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("no wait became Retry-After %q", w.Header().Get("Retry-After"))
	}
	w = httptest.NewRecorder()
	problem.Write(w, httptest.NewRequest(http.MethodHead, "/", nil), overloaded)
	if w.Code != 503 || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" || w.Header().Get("Content-Type") != problem.ContentType {
		t.Errorf("HEAD: %d %v %s", w.Code, w.Header(), w.Body)
	}
}
