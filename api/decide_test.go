package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// desk remembers what it was asked.
type desk struct {
	deed       holdfast.Deed
	deliveries holdfast.DeliveryQuery
	quarantine holdfast.QuarantineQuery
	repair     holdfast.Repair
	message    holdfast.Message
	who        string
	calls      int
	err        error
}

func (d *desk) Deliveries(_ context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error) {
	d.calls++
	d.deliveries = q
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	return []holdfast.Delivery{
		{Position: 7, Stream: holdfast.ID{1}, Seq: 2, Transaction: holdfast.ID{2}, Type: "t", Shop: "0042", Consumer: "orders", Status: holdfast.DeliveryWaiting, Behind: true, CreatedAt: now, DueAt: now},
		{Position: 8, Stream: holdfast.ID{1}, Seq: 3, Transaction: holdfast.ID{3}, Type: "t", Consumer: "orders", Status: holdfast.DeliveryDelivered, Attempts: 2, Reference: "R-1", CreatedAt: now, DoneAt: now},
		{Position: 9, Stream: holdfast.ID{1}, Seq: 4, Transaction: holdfast.ID{4}, Type: "t", Consumer: "orders", Status: holdfast.DeliveryHeld, Code: "status-422", Detail: "d", CreatedAt: now},
	}, d.err
}

func (d *desk) Act(_ context.Context, deed holdfast.Deed) (holdfast.Done, error) {
	d.calls++
	d.deed = deed
	return holdfast.Done{Count: 3, More: true, Last: 99}, d.err
}

func (d *desk) Quarantined(_ context.Context, q holdfast.QuarantineQuery) ([]holdfast.Quarantined, error) {
	d.calls++
	d.quarantine = q
	return []holdfast.Quarantined{{
		Number: 4, Stream: holdfast.ID{1}, Seq: 2, Transaction: holdfast.ID{2}, Type: "t", Verb: holdfast.VerbSkip, Who: "w", Why: "y", DecidedAt: time.Unix(1, 0).UTC(), AcceptedAt: time.Unix(0, 0).UTC(),
		Problem: []byte(`{"type":"/problems/schema-violation","title":"x","status":422,"code":"schema-violation","retryable":false}`),
	}}, d.err
}

func (d *desk) Decide(_ context.Context, deed holdfast.Deed) (holdfast.Done, int, error) {
	d.calls++
	d.deed = deed
	return holdfast.Done{Count: 1}, 2, d.err
}

func (d *desk) Repair(_ context.Context, r holdfast.Repair) error {
	d.calls++
	d.repair = r
	return d.err
}

func (d *desk) Send(_ context.Context, m holdfast.Message, who string) error {
	d.calls++
	d.message, d.who = m, who
	return d.err
}

func TestListsOfDeliveries(t *testing.T) {
	p := &recording{}
	_, h := newTestServer(t, p)
	w := do(t, h, "GET", "/v1/deliveries?consumer=orders&status=waiting,held&store=0042&type=t&stream=0192f3c0-4bf9-7f35-b34d-a3ce929d0e00&seq=3&code=x&since=2026-11-20T00:00:00Z&until=2026-11-21T00:00:00Z&cursor=5&limit=3", "")
	q := p.desk.deliveries
	if w.Code != 200 || q.Consumer != "orders" || len(q.Statuses) != 2 || q.Shop != "0042" || q.Type != "t" || q.Stream.IsZero() || q.Seq != 3 || q.Code != "x" ||
		q.Since.IsZero() || q.Until.IsZero() || q.After != 5 || q.Limit != 3 {
		t.Fatalf("%d %s %+v", w.Code, w.Body, q)
	}
	for _, want := range []string{`"next":"9"`, `"waitsFor":"order"`, `"referenceNumber":"R-1"`, `"status":"held"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is missing in %s", want, w.Body)
		}
	}
	if w := do(t, h, "GET", "/v1/quarantine?decided=true&type=t", ""); w.Code != 200 || !p.desk.quarantine.All || p.desk.quarantine.Limit != 100 || !strings.Contains(w.Body.String(), `"decision":"skip"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	calls := p.desk.calls
	for path, place := range map[string]string{
		"/v1/deliveries?status=lost": "status", "/v1/deliveries?stream=x": "stream", "/v1/deliveries?seq=0": "seq", "/v1/deliveries?since=yesterday": "since",
		"/v1/deliveries?limit=1001": "limit", "/v1/deliveries?cursor=-1": "cursor", "/v1/deliveries?shop=1": "shop", "/v1/deliveries?consumer=" + strings.Repeat("x", 257): "consumer",
		"/v1/quarantine?decided=1": "decided", "/v1/quarantine?seq=a": "seq", "/v1/quarantine?status=held": "status", "/v1/quarantine?until=1": "until",
	} {
		if w := do(t, h, "GET", path, ""); w.Code != 400 || !strings.Contains(w.Body.String(), `"parameter":"`+place+`"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if p.desk.calls != calls {
		t.Error("a wrong question was asked")
	}
}

func TestDecisions(t *testing.T) {
	p := &recording{}
	_, h := newTestServer(t, p)
	const kind = "application/json"
	w := do(t, h, "POST", "/v1/deliveries/actions", `{"action":"retry","filter":{"consumer":"orders","seq":3,"status":"held"},"reason":"repaired","cursor":"12"}`, "Content-Type", kind, "X-User-Id", "ann")
	d := p.desk.deed
	if w.Code != 200 || d.Verb != holdfast.VerbRetry || d.Deliveries.Consumer != "orders" || d.Deliveries.Seq != 3 || d.Deliveries.After != 12 || d.Deliveries.Limit != 1000 || d.Why != "repaired" ||
		w.Body.String() != `{"count":3,"refused":0,"more":true,"next":"99"}` {
		t.Fatalf("%d %s %+v", w.Code, w.Body, d)
	}
	w = do(t, h, "POST", "/v1/quarantine/actions", `{"action":"give-up","filter":{"store":"0042"},"reason":"test data"}`, "Content-Type", kind)
	if d = p.desk.deed; w.Code != 200 || d.Verb != holdfast.VerbGiveUp || d.Quarantine.Shop != "0042" || w.Body.String() != `{"count":1,"refused":2,"more":false}` {
		t.Fatalf("%d %s %+v", w.Code, w.Body, d)
	}
	w = do(t, h, "POST", base+"/transactions/3/repair", `{"payload":{"a":1.50},"reason":"typo"}`, "Content-Type", kind)
	if r := p.desk.repair; w.Code != 200 || r.Seq != 3 || string(r.Payload) != `{"a":1.50}` || r.Why != "typo" {
		t.Fatalf("%d %s %+v", w.Code, w.Body, r)
	}
	calls := p.desk.calls
	for name, c := range map[string]struct{ path, body, place string }{
		"verb":           {"/v1/deliveries/actions", `{"action":"repair","filter":{"consumer":"a"},"reason":"r"}`, "/action"},
		"no filter":      {"/v1/deliveries/actions", `{"action":"skip","filter":{},"reason":"r"}`, "/filter"},
		"no reason":      {"/v1/deliveries/actions", `{"action":"skip","filter":{"consumer":"a"},"reason":" "}`, "/reason"},
		"long reason":    {"/v1/deliveries/actions", `{"action":"skip","filter":{"consumer":"a"},"reason":"` + strings.Repeat("x", 1001) + `"}`, "/reason"},
		"unknown filter": {"/v1/deliveries/actions", `{"action":"skip","filter":{"shop":"a"},"reason":"r"}`, "/filter/shop"},
		"wrong filter":   {"/v1/deliveries/actions", `{"action":"skip","filter":{"status":"lost"},"reason":"r"}`, "/filter/status"},
		"list filter":    {"/v1/deliveries/actions", `{"action":"skip","filter":{"status":["held"]},"reason":"r"}`, "/filter/status"},
		"member":         {"/v1/deliveries/actions", `{"action":"skip","filter":{"consumer":"a"},"reason":"r","force":true}`, "/force"},
		"type":           {"/v1/deliveries/actions", `{"action":1,"filter":{"consumer":"a"},"reason":"r"}`, "/action"},
		"cursor":         {"/v1/deliveries/actions", `{"action":"skip","filter":{"consumer":"a"},"reason":"r","cursor":"x"}`, "/cursor"},
		"no JSON":        {"/v1/quarantine/actions", `{`, ""},
		"two":            {"/v1/quarantine/actions", `{"action":"skip","filter":{"store":"a"},"reason":"r"} {}`, ""},
		"consumer":       {"/v1/quarantine/actions", `{"action":"skip","filter":{"consumer":"a"},"reason":"r"}`, "/filter/consumer"},
		"payload":        {base + "/transactions/3/repair", `{"payload":[],"reason":"r"}`, "/payload"},
		"no payload":     {base + "/transactions/3/repair", `{"reason":"r"}`, "/payload"},
	} {
		if w := do(t, h, "POST", c.path, c.body, "Content-Type", kind); w.Code != 400 || !strings.Contains(w.Body.String(), fmt.Sprintf(`"pointer":%q`, c.place)) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for _, path := range []string{base + "/transactions/0/repair", "/v1/streams/x/transactions/1/repair"} {
		if w := do(t, h, "POST", path, `{"payload":{},"reason":"r"}`, "Content-Type", kind); w.Code != 400 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := do(t, h, "POST", "/v1/deliveries/actions", `{"reason":"`+strings.Repeat("x", 5000)+`"}`, "Content-Type", kind); w.Code != 413 {
		t.Errorf("too large: %d", w.Code)
	}
	if p.desk.calls != calls {
		t.Error("a refused request has decided something")
	}
	for code, status := range map[holdfast.Code]int{holdfast.CodeNotFound: 404, holdfast.CodeNotApplicable: 409, holdfast.CodeSchemaViolation: 422, holdfast.CodeBackendUnavailable: 503} {
		p.desk.err = &holdfast.Error{Code: code, Detail: "d"}
		if w := do(t, h, "POST", base+"/transactions/3/repair", `{"payload":{},"reason":"r"}`, "Content-Type", kind); w.Code != status {
			t.Errorf("%s: %d", code, w.Code)
		}
	}
}

func TestMessages(t *testing.T) {
	p := &recording{}
	_, h := newTestServer(t, p)
	header := []string{"Content-Type", "application/json", "Correlation-Id", "0192f3c0-4bf9-7f35-b34d-000000000001", "X-User-Id", "ann"}
	w := do(t, h, "POST", "/v1/messages", `{"to":{"store":"0042"},"body":{"text":"closed at 6"}}`, header...)
	m := p.desk.message
	if w.Code != 201 || m.Shop != "0042" || string(m.Body) != `{"text":"closed at 6"}` || m.ID.String() != header[3] || time.Until(m.ExpiresAt) < 29*24*time.Hour {
		t.Fatalf("%d %s %+v", w.Code, w.Body, m)
	}
	calls := p.desk.calls
	for body, place := range map[string]string{
		`{"to":{},"body":1}`: "/to", `{"to":{"store":"a","user":"b"},"body":1}`: "/to", `{"to":{"device":"a"}}`: "/body", `{"to":{"device":"` + strings.Repeat("x", 129) + `"},"body":1}`: "/to",
		`{"to":{"device":"a"},"body":1,"expiresAt":"2020-01-01T00:00:00Z"}`: "/expiresAt", `{"to":{"device":"a"},"body":1,"expiresAt":"2999-01-01T00:00:00Z"}`: "/expiresAt",
	} {
		if w := do(t, h, "POST", "/v1/messages", body, header...); w.Code != 400 || !strings.Contains(w.Body.String(), `"pointer":"`+place+`"`) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := do(t, h, "POST", "/v1/messages", `{"to":{"store":"0042"},"body":1}`, "Content-Type", "application/json"); w.Code != 400 || !strings.Contains(w.Body.String(), `"header":"Correlation-Id"`) {
		t.Errorf("without a correlation id: %d %s", w.Code, w.Body)
	}
	if p.desk.calls != calls {
		t.Error("a refused message was sent")
	}
}

// shelf holds one resource.
type shelf struct{}

var shelved = Resource{Name: "catalog/items.json", Version: "7", Size: 5, SHA256: holdfast.HashOf([]byte("items")), ContentType: "application/json", Required: true}

func (shelf) List() []Resource { return []Resource{shelved} }

type closing struct{ *strings.Reader }

func (closing) Close() error { return nil }

func (shelf) Open(_ context.Context, name string, digest holdfast.Hash) (io.ReadSeekCloser, Resource, error) {
	if name != shelved.Name || digest != shelved.SHA256 {
		return nil, Resource{}, &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "no"}
	}
	return closing{strings.NewReader("items")}, shelved, nil
}

func TestPrefetch(t *testing.T) {
	s, h := newTestServer(t, &recording{})
	if w := do(t, h, "GET", "/v1/prefetch", ""); w.Code != 200 || w.Body.String() != `{"resources":[]}` {
		t.Fatalf("without resources: %d %s", w.Code, w.Body)
	}
	s.Prefetch = shelf{}
	w := do(t, h, "GET", "/v1/prefetch", "")
	var list struct {
		Resources []struct{ URL, SHA256 string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 || len(list.Resources) != 1 {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	address := list.Resources[0].URL
	w = do(t, h, "GET", address, "")
	if w.Code != 200 || w.Body.String() != "items" || w.Header().Get("ETag") != `"`+list.Resources[0].SHA256+`"` || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Repr-Digest") == "" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	if w := do(t, h, "GET", address, "", "Range", "bytes=1-2"); w.Code != 206 || w.Body.String() != "te" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do(t, h, "GET", address, "", "Range", "bytes=9-"); w.Code != 416 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do(t, h, "GET", address, "", "If-None-Match", `"`+list.Resources[0].SHA256+`"`); w.Code != http.StatusNotModified {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for path, status := range map[string]int{
		"/v1/prefetch/" + list.Resources[0].SHA256: 400, "/v1/prefetch/x?name=a": 400, "/v1/prefetch/" + list.Resources[0].SHA256 + "?name=other": 404, "/v1/prefetch?x=1": 400,
	} {
		if w := do(t, h, "GET", path, ""); w.Code != status {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
