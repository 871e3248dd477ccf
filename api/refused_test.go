package api

import (
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// What the rules refuse reaches the client with its status, its wait and the watermarks.
func TestWhatTheRulesRefuse(t *testing.T) {
	marks := accepted.Watermarks
	for code, want := range map[holdfast.Code]struct {
		status int
		wait   string
	}{
		holdfast.CodeRequestInProgress: {409, "2"}, holdfast.CodeSequenceGap: {409, ""}, holdfast.CodeStreamForked: {409, ""},
		holdfast.CodeCorrelationIDReused: {422, ""}, holdfast.CodeFenced: {503, "2"}, holdfast.CodeBackendUnavailable: {503, "2"},
		holdfast.CodeOutcomeUnknown: {503, "2"},
	} {
		err := &holdfast.Error{Code: code, Detail: "refused", RetryAfter: 2 * time.Second}
		if want.status != 503 {
			err.Watermarks = &marks
		}
		_, h := newTestServer(t, &recording{err: err})
		w := do(t, h, "POST", base+"/batches", `{"transactions":[`+oneTransaction(1)+`]}`, "Content-Type", "application/json", "Correlation-Id", someID)
		if w.Code != want.status || w.Header().Get("Retry-After") != want.wait || (w.Header().Get("Holdfast-Epoch") == "7") != (want.status != 503) {
			t.Errorf("%s: %d %v", code, w.Code, w.Header())
		}
	}
	_, h := newTestServer(t, &recording{err: &holdfast.Error{Code: holdfast.CodeBackendUnavailable, Detail: "no database"}})
	if w := do(t, h, "GET", "/readyz", ""); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("readyz: %d %v", w.Code, w.Header())
	}
}
