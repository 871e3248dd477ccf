package faultkit

import (
	"fmt"
	"net/http"

	"github.com/wiremock/go-wiremock"
)

// Stub gives WireMock a rule in go-wiremock's words. The newest rule that matches
// is the one that counts; all are given again after [WireMockServer.Start].
func (w *WireMockServer) Stub(rule *wiremock.StubRule) {
	w.tb.Helper()
	b, err := rule.MarshalJSON()
	if err != nil {
		w.tb.Fatal(err)
	}
	w.stubs = append(w.stubs, b)
	if w.program != nil {
		w.must(http.MethodPost, "/mappings", b, nil)
	}
}

// On answers every request of a path, whatever its method and query are, from now on.
func (w *WireMockServer) On(path string, reply Reply) {
	w.tb.Helper()
	w.Stub(rule(path).WillReturnResponse(reply))
}

// OnContaining answers the requests of a path that have this text in their body;
// it goes before [WireMockServer.On] and [WireMockServer.Sequence], in whatever
// order they are called. It is for the one transaction that is poison.
func (w *WireMockServer) OnContaining(path, text string, reply Reply) {
	w.tb.Helper()
	w.Stub(rule(path).WithBodyPattern(wiremock.Contains(text)).AtPriority(1).WillReturnResponse(reply))
}

// Answers answers every request of a path with a status and a body.
func (w *WireMockServer) Answers(path string, status int, body string) {
	w.tb.Helper()
	w.On(path, Status(status, body))
}

// FailsThenWorks answers the first n requests of a path with one reply and all
// after them with another.
func (w *WireMockServer) FailsThenWorks(path string, n int, failing, working Reply) {
	w.tb.Helper()
	replies := make([]Reply, 0, n+1)
	for range n {
		replies = append(replies, failing)
	}
	w.Sequence(path, append(replies, working)...)
}

// Sequence answers the first request of a path with the first reply, the second
// with the second, and so on; the last one stays. Requests are counted over all
// keys, and from one again after [WireMockServer.Start].
func (w *WireMockServer) Sequence(path string, replies ...Reply) {
	w.tb.Helper()
	scenario := fmt.Sprintf("%s #%d", path, len(w.stubs))
	state := wiremock.ScenarioStateStarted
	for i, reply := range replies {
		step := rule(path).InScenario(scenario).WhenScenarioStateIs(state).WillReturnResponse(reply)
		if i+1 < len(replies) {
			state = fmt.Sprintf("after %d", i+1)
			step.WillSetStateTo(state)
		}
		w.Stub(step)
	}
}

// rule matches every request of a path.
func rule(path string) *wiremock.StubRule {
	return wiremock.NewStubRule("ANY", wiremock.URLPathEqualTo(path))
}
