package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// feed is a stream's changes that come one after the other.
type feed struct {
	mu      sync.Mutex
	events  []holdfast.CursorChange
	heard   chan struct{}
	watched int
	refuse  error
	err     error
}

func (p *recording) Changes(_ context.Context, _ holdfast.ID, cursor string) (holdfast.ChangePage, error) {
	f := &p.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	page := holdfast.ChangePage{Watermarks: holdfast.Watermarks{Epoch: 7, AcceptedThrough: 9, DurableThrough: 8}, Cursor: cursor}
	behind := cursor == ""
	for _, e := range f.events {
		if behind {
			page.Events, page.Cursor = append(page.Events, e), e.Cursor
		}
		behind = behind || e.Cursor == cursor
	}
	return page, f.err
}

func (p *recording) AwaitChanges(holdfast.ID) (<-chan struct{}, func(), error) {
	f := &p.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, nil, f.refuse
	}
	f.watched++
	if f.heard == nil {
		f.heard = make(chan struct{}, 1)
	}
	return f.heard, func() {}, nil
}

func (f *feed) add(cursor string, kind holdfast.ChangeKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := holdfast.Change{Kind: kind, At: time.Unix(1, 0).UTC(), Seq: 42, Transaction: holdfast.ID{1}, Consumer: "orders", Reference: "R-1"}
	switch kind {
	case holdfast.ChangeQuarantined:
		c.Body = []byte(`{"type":"/problems/schema-violation","title":"x","status":422,"code":"schema-violation","retryable":false}`)
	case holdfast.ChangeMissing:
		c.Body = []byte(`["` + strings.Repeat("ab", 32) + `"]`)
	case holdfast.ChangeMessage:
		c.Seq, c.Consumer, c.Reference, c.Body = 0, "", "", []byte(`{"text":"hello"}`)
	}
	f.events = append(f.events, holdfast.CursorChange{Change: c, Cursor: cursor})
	if f.heard == nil {
		f.heard = make(chan struct{}, 1)
	}
	select {
	case f.heard <- struct{}{}:
	default:
	}
}

func TestChanges(t *testing.T) {
	p := &recording{}
	_, h := newTestServer(t, p)
	for i, kind := range []holdfast.ChangeKind{holdfast.ChangeDelivered, holdfast.ChangeQuarantined, holdfast.ChangeMissing, holdfast.ChangeMessage} {
		p.feed.add(string(rune('a'+i)), kind)
	}
	w := do(t, h, "GET", base+"/changes", "")
	for _, want := range []string{`"epoch":7`, `"cursor":"d","events":[`, `"kind":"delivered"`, `"referenceNumber":"R-1"`, `"problem":{`, `"attachments":["abab`, `"body":{"text":"hello"}`} {
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is missing in %d %s", want, w.Code, w.Body)
		}
	}
	if w.Header().Get("Holdfast-Durable-Through") != "8" || w.Header().Get("Cache-Control") != "no-store" {
		t.Error(w.Header())
	}
	if w := do(t, h, "GET", base+"/changes?after=d", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"cursor":"d","events":[]`) || p.feed.watched != 0 {
		t.Errorf("%d %s, watched %d", w.Code, w.Body, p.feed.watched)
	}
	for path, status := range map[string]int{"/changes?wait=31": 400, "/changes?wait=-1": 400, "/changes?wait=x": 400, "/changes?x=1": 400} {
		if w := do(t, h, "GET", base+path, ""); w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	p.feed.err = &holdfast.Error{Code: holdfast.CodeCursorExpired, Detail: "d"}
	for _, accept := range []string{"application/json", "text/event-stream"} {
		if w := do(t, h, "GET", base+"/changes?after=x", "", "Accept", accept); w.Code != http.StatusGone {
			t.Errorf("%s: %d %s", accept, w.Code, w.Body)
		}
	}
	p.feed.err, p.feed.refuse = nil, &holdfast.Error{Code: holdfast.CodeOverloaded, Detail: "d", RetryAfter: time.Second}
	for _, accept := range []string{"application/json", "text/event-stream"} {
		if w := do(t, h, "GET", base+"/changes?wait=5&after=d", "", "Accept", accept); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", accept, w.Code, w.Body)
		}
	}
}

func TestALongPollWaits(t *testing.T) {
	p := &recording{}
	s, h := newTestServer(t, p)
	began := time.Now()
	time.AfterFunc(50*time.Millisecond, func() { p.feed.add("a", holdfast.ChangeDelivered) })
	if w := do(t, h, "GET", base+"/changes?wait=20", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"cursor":"a"`) || time.Since(began) > 10*time.Second {
		t.Fatalf("%d %s after %s", w.Code, w.Body, time.Since(began))
	}
	if w := do(t, h, "GET", base+"/changes?wait=1&after=a", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"events":[]`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	stopping, stop := context.WithCancel(t.Context())
	s.Stopping = stopping
	time.AfterFunc(50*time.Millisecond, stop)
	began = time.Now()
	if w := do(t, h, "GET", base+"/changes?wait=20&after=a", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"events":[]`) || time.Since(began) > 10*time.Second {
		t.Fatalf("a node that stops holds its devices: %d %s", w.Code, w.Body)
	}
}

func TestAnEventStream(t *testing.T) {
	p := &recording{}
	s, h := newTestServer(t, p)
	stopping, stop := context.WithCancel(t.Context())
	s.Stopping = stopping
	server := httptest.NewServer(h)
	defer server.Close()
	p.feed.add("a", holdfast.ChangeDelivered)
	p.feed.add("b", holdfast.ChangeMessage)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+base+"/changes?after=x", nil)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", "a") // goes before after
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Holdfast-Epoch") != "7" {
		t.Fatal(res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	event := func() (id, kind, data string) {
		t.Helper()
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				data = value
			case "":
				if id != "" {
					return id, kind, data
				}
			}
		}
		t.Fatal("the stream ended:", lines.Err())
		return
	}
	if id, kind, data := event(); id != "b" || kind != "message" || !strings.Contains(data, `"hello"`) {
		t.Error(id, kind, data)
	}
	p.feed.add("c", holdfast.ChangeFailed)
	if id, kind, _ := event(); id != "c" || kind != "failed" {
		t.Error(id, kind)
	}
	stop()
	for lines.Scan() {
	}
	if lines.Err() != nil {
		t.Error(lines.Err())
	}
}
