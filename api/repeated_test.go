package api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast/middleware"
)

// repeated sends header lines as they stand, names and values in turn.
func repeated(t *testing.T, p *recording, method, path, body string, lines ...string) *httptest.ResponseRecorder {
	t.Helper()
	_, h := newTestServer(t, p)
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(lines); i += 2 {
		r.Header.Add(lines[i], lines[i+1])
	}
	w := httptest.NewRecorder()
	middleware.RequestContext(h).ServeHTTP(w, r)
	return w
}

const aTraceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestAHeaderMayBeRepeatedWithItsValue(t *testing.T) {
	body := `{"transactions":[` + oneTransaction(1) + `]}`
	for name, lines := range map[string][]string{
		"X-Store-Id":           {"X-Store-Id", "s", "X-Store-Id", "s"},
		"X-Device-Id":          {"X-Device-Id", "d", "X-Device-Id", "d"},
		"Holdfast-Epoch":       {"Holdfast-Epoch", "3", "Holdfast-Epoch", "3"},
		"Correlation-Id":       {"Correlation-Id", someID},
		"Idempotency-Key":      {"Idempotency-Key", someID, "Idempotency-Key", `"` + someID + `"`},
		"Holdfast-Queue":       {"Holdfast-Queue", "depth=1, oldest=2", "Holdfast-Queue", "?"},
		"Holdfast-Queue alone": {"Holdfast-Queue", "\x01"},
		"traceparent":          {"traceparent", aTraceparent, "traceparent", aTraceparent},
		"Prefer":               {"Prefer", "wait=5", "Prefer", "durability=replicated"},
	} {
		p := &recording{receipt: accepted}
		lines = append([]string{"Content-Type", "application/json", "Correlation-Id", someID}, lines...)
		if w := repeated(t, p, "POST", base+"/batches", body, lines...); w.Code != 201 {
			t.Errorf("%s on a POST: %d %s", name, w.Code, w.Body)
		}
		for _, path := range []string{base, base + "/transactions/1", base + "/batches/" + someID} {
			if w := repeated(t, p, "GET", path, "", lines...); w.Code != 200 {
				t.Errorf("%s on GET %s: %d %s", name, path, w.Code, w.Body)
			}
		}
	}
}

// What differs is told with everything else that is wrong.
func TestARepeatedHeaderThatDiffersIsToldWithTheRest(t *testing.T) {
	p := &recording{receipt: accepted}
	w := repeated(t, p, "POST", "/v1/streams/nope/batches", `{"transactions":[{}]}`,
		"X-Store-Id", "a", "X-Store-Id", "b", "Holdfast-Epoch", "1", "Holdfast-Epoch", "2", "Correlation-Id", someID, "Correlation-Id", otherID)
	if w.Code != 400 || len(p.calls) != 0 {
		t.Fatalf("%d %v", w.Code, p.calls)
	}
	for _, want := range []string{`"X-Store-Id"`, `"Holdfast-Epoch"`, `"Correlation-Id"`, `"streamId"`, `"/transactions/0/id"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not told: %s", want, w.Body)
		}
	}
	w = repeated(t, p, "GET", "/v1/streams/nope", "", "X-User-Id", "a", "X-User-Id", "b", "Holdfast-Epoch", "x")
	for _, want := range []string{`"X-User-Id"`, `"Holdfast-Epoch"`, `"streamId"`} {
		if w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d, %s is not told: %s", w.Code, want, w.Body)
		}
	}
}

// A report is counted with every request, once it is readable.
func TestTheQueueReportIsCountedAfterAGet(t *testing.T) {
	for _, path := range []string{base, base + "/transactions/1", base + "/batches/" + someID} {
		p := &recording{receipt: accepted}
		repeated(t, p, "GET", path, "", "Holdfast-Queue", "depth=12, oldest=340")
		if len(p.queues) != 1 || p.queues[0].Depth != 12 {
			t.Errorf("%s: %+v", path, p.queues)
		}
	}
}

// Nothing is named that was not applied.
func TestThePreferenceIsNamedOnlyWhenItWasApplied(t *testing.T) {
	for through, want := range map[int64]string{0: "", 1: "", 2: "durability=replicated", 91: "durability=replicated"} {
		p := &recording{receipt: accepted}
		p.receipt.DurableThrough = through
		w := repeated(t, p, "POST", base+"/batches", `{"transactions":[`+oneTransaction(1)+`,`+oneTransaction(2)+`]}`,
			"Content-Type", "application/json", "Correlation-Id", someID, "Prefer", "wait=5", "Prefer", "durability=replicated")
		if got := w.Header().Get("Preference-Applied"); w.Code != 201 || got != want {
			t.Errorf("durable through %d: %d %q", through, w.Code, got)
		}
	}
}
