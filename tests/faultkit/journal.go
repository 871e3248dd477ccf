package faultkit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Request is what a consumer was asked and what it answered.
type Request struct {
	ID     string
	Method string
	URL    string // path and query
	Header http.Header
	Body   []byte
	Time   time.Time // of arrival, in milliseconds
	// Status and Answer are what the consumer sent; whether it arrived only the
	// caller knows.
	Status int
	Answer []byte
	Fault  string        // the fault that was answered, empty without
	Delay  time.Duration // how long the answer was held back on purpose
}

// OK says that the consumer answered with success: a status 2xx and no fault.
func (r Request) OK() bool { return r.Fault == "" && r.Status/100 == 2 }

// Key is the Idempotency-Key.
func (r Request) Key() string { return r.Header.Get("Idempotency-Key") }

// Path is the URL without its query.
func (r Request) Path() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return r.URL
	}
	return u.Path
}

func (r Request) String() string {
	return fmt.Sprintf("%s %s %s key %q: %d%s", r.Time.Format("15:04:05.000"), r.Method, r.URL, r.Key(), r.Status, r.Fault)
}

// Journal is every request of a path, in the order of arrival, from all lives of
// the server since [WireMockServer.Reset]; an empty path is all of them. A request
// is in it before its answer goes out.
func (w *WireMockServer) Journal(path string) (found []Request) {
	w.tb.Helper()
	for _, r := range w.all() {
		if path == "" || r.Path() == path {
			found = append(found, r)
		}
	}
	return found
}

// event is an entry of WireMock's journal; go-wiremock's does not know faults and
// headers with several values.
type event struct {
	ID      string `json:"id"`
	Request struct {
		URL          string            `json:"url"`
		Method       string            `json:"method"`
		Headers      map[string]values `json:"headers"`
		LoggedDate   int64             `json:"loggedDate"`
		BodyAsBase64 string            `json:"bodyAsBase64"`
	} `json:"request"`
	Definition answer `json:"responseDefinition"`
	Response   answer `json:"response"`
	Timing     struct {
		AddedDelay int64 `json:"addedDelay"`
	} `json:"timing"`
}

type answer struct {
	Status       int    `json:"status"`
	Fault        string `json:"fault"`
	BodyAsBase64 string `json:"bodyAsBase64"`
}

// values is one text or a list of them.
type values []string

func (v *values) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(v))
}

// all is the past and what the running server has.
func (w *WireMockServer) all() []Request {
	w.tb.Helper()
	all := slices.Clone(w.past)
	if w.program == nil {
		return all
	}
	var journal struct {
		Requests []event `json:"requests"`
	}
	w.must(http.MethodGet, "/requests", nil, &journal)
	slices.Reverse(journal.Requests) // the newest came first
	for _, e := range journal.Requests {
		all = append(all, e.request())
	}
	slices.SortStableFunc(all, func(a, b Request) int { return a.Time.Compare(b.Time) })
	return all
}

func (e event) request() Request {
	r := Request{
		ID: e.ID, Method: e.Request.Method, URL: e.Request.URL, Header: http.Header{}, Time: time.UnixMilli(e.Request.LoggedDate),
		Status: e.Response.Status, Fault: e.Response.Fault, Delay: time.Duration(e.Timing.AddedDelay) * time.Millisecond,
	}
	if r.Fault == "" {
		r.Fault = e.Definition.Fault
	}
	for name, all := range e.Request.Headers {
		for _, value := range all {
			r.Header.Add(name, value)
		}
	}
	r.Body, _ = base64.StdEncoding.DecodeString(e.Request.BodyAsBase64)
	r.Answer, _ = base64.StdEncoding.DecodeString(e.Response.BodyAsBase64)
	return r
}
