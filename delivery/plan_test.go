package delivery

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// claimedOf is a delivery of this text.
func claimedOf(raw string) (d store.ClaimedDelivery) {
	d.Stream, d.Transaction = holdfast.ID{15: 1}, holdfast.ID{15: 2}
	d.Seq, d.Epoch, d.Consumer, d.Attempts, d.Raw = 7, 3, "wms", 1, []byte(raw)
	return d
}

// Two deliveries share a lane if, and only if, they share what the consumer's order is about.
func TestSameLaneMeansSameKey(t *testing.T) {
	type laned struct {
		Stream, ID byte
		H          header
	}
	texts := []string{"", "a", "b", "aa", "a\x00", "\x00a", "1\x00a"}
	few := rapid.SampledFrom(texts)
	gen := rapid.Custom(func(t *rapid.T) laned {
		return laned{
			rapid.ByteRange(0, 1).Draw(t, "stream"), rapid.ByteRange(0, 1).Draw(t, "id"),
			header{Type: few.Draw(t, "type"), OrderKey: few.Draw(t, "key"), EntityType: few.Draw(t, "kind"), EntityID: few.Draw(t, "entity")},
		}
	})
	shared := func(order Order, l laned) any {
		switch {
		case order == OrderNone:
			return [2]byte{l.Stream, l.ID}
		case order == OrderKey && l.H.OrderKey != "":
			return l.H.OrderKey
		case order == OrderKey && l.H.EntityID != "":
			return [2]string{l.H.EntityType, l.H.EntityID}
		}
		return l.Stream
	}
	laneOf := func(order Order, l laned) holdfast.Lane {
		return lane(order, &store.LoggedTransaction{Stream: holdfast.ID{l.Stream}, ID: holdfast.ID{l.ID}}, &l.H)
	}
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.SampledFrom([]Order{OrderKey, OrderStream, OrderNone}).Draw(t, "order")
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if same := laneOf(order, a) == laneOf(order, b); same != (shared(order, a) == shared(order, b)) {
			t.Fatalf("same lane: %t", same)
		}
	})
	of := map[holdfast.Lane]any{} // what would be the same when it is only put together
	for _, key := range texts {
		for _, kind := range texts {
			for _, entity := range texts {
				l := laned{H: header{OrderKey: key, EntityType: kind, EntityID: entity}}
				at, want := laneOf(OrderKey, l), shared(OrderKey, l)
				if before, there := of[at]; there && before != want {
					t.Errorf("%q and %q share a lane", before, want)
				}
				of[at] = want
			}
		}
	}
}

// Only who wants a transaction is waited for.
func TestDeliveriesOfATransaction(t *testing.T) {
	g, err := newGraph([]Consumer{
		{Name: "erp", Sender: silent{}, After: []string{"wms"}, Order: OrderNone},
		{Name: "wms", Sender: silent{}, After: []string{"hub"}, Types: []string{"pick.*"}},
		{Name: "hub", Sender: silent{}, Shops: []string{"s1"}},
		{Name: "other", Sender: silent{}, Types: []string{"stock.*"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		raw, shop, problem string
		want               map[string]string // consumer and what it waits for
	}{
		{`{"type":"pick.completed"}`, "s1", "", map[string]string{"erp": "wms,hub", "wms": "hub", "hub": ""}},
		{`{"type":"pick.completed"}`, "s2", "", map[string]string{"erp": "wms", "wms": ""}},
		{`{"type":"return.booked"}`, "s1", "", map[string]string{"erp": "hub", "hub": ""}},
		{`{"Type":"pick.completed"}`, "s2", "", map[string]string{"erp": ""}},
		{`{"type":"stock.counted"}`, "s2", `{"code":"x"}`, map[string]string{"erp": "", "other": ""}},
	} {
		tx := &store.LoggedTransaction{Stream: holdfast.ID{1}, Seq: 5, ID: holdfast.ID{2}, Shop: c.shop, Raw: []byte(c.raw)}
		status := holdfast.DeliveryWaiting
		if c.problem != "" {
			tx.Problem, status = []byte(c.problem), holdfast.DeliveryQuarantined
		}
		got := map[string]string{}
		for _, d := range g.deliveries(tx) {
			got[d.Consumer] = strings.Join(d.After, ",")
			if d.Status != status || d.Stream != tx.Stream || d.Seq != 5 || d.Transaction != tx.ID || d.Shop != c.shop {
				t.Errorf("%+v", d)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s in %s: %v", c.raw, c.shop, got)
		}
	}
}

// The envelope's members, their order and their exact values.
func TestEnvelope(t *testing.T) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	d := claimedOf(`{"seq":7,"type":"pick.completed","schema":2,"occurredAt":"2026-01-02T03:04:05Z","entity":{"type":"order","id":"4711"},"orderKey":"k","payload":{"n":1.10,"b":9007199254740993},
		"Payload":{"n":2},"attachments":[{"sha256":"` + strings.ToUpper(sum) + `","size":0,"contentType":"image/png","name":"a.png"}]}`)
	d.Context = holdfast.RequestContext{Correlation: "c", Shop: "s1", User: "u"}
	d.References, d.After = map[string]string{"hub": "H-1", "far": "F-1"}, []string{"none", "hub", "far"}
	d.Prior = []byte(`{"` + d.Transaction.String() + `":{"referenceNumber":"P-1","REFERENCENUMBER":"P-2"},"x":{}}`)
	c, err := NewCall(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"` + d.Transaction.String() + `","stream":"` + d.Stream.String() + `","seq":7,"type":"pick.completed","schema":2,"occurredAt":"2026-01-02T03:04:05Z",` +
		`"entity":{"type":"order","id":"4711"},"orderKey":"k","payload":{"n":1.10,"b":9007199254740993},"attachments":[{"sha256":"` + sum + `","size":0,"contentType":"image/png","name":"a.png"}],` +
		`"context":{"correlationId":"c","storeId":"s1","userId":"u"},"references":{"far":"F-1","hub":"H-1"},"prior":{"referenceNumber":"P-1","REFERENCENUMBER":"P-2"},"epoch":3,"consumer":"wms"}`
	if string(c.Envelope) != want {
		t.Errorf("%s\nnot\n%s", c.Envelope, want)
	}
	if c.Key != d.Transaction.String()+":wms" || c.ReferenceNumber() != "H-1" || c.shown() != "P-1" || len(c.Files) != 1 || c.Files[0].Digest.String() != sum {
		t.Errorf("%+v %s", c, c.shown())
	}
	data := c.Data()
	if data["referenceNumber"] != "H-1" || data["key"] != c.Key || data["attempt"] != int64(1) || data["payload"].(map[string]any)["b"] != json.Number("9007199254740993") {
		t.Error(data)
	}
	d.Repaired, d.References, d.Prior = []byte(`{"n":3}`), nil, []byte(`{"`+d.Transaction.String()+`":{"ReferenceNumber":"P-2"}}`)
	if c, err = NewCall(d, nil); err != nil || textOf(exact(c.Envelope)["consumer"]) != "wms" || string(exact(c.Envelope)["payload"]) != `{"n":3}` ||
		string(exact(c.Envelope)["repaired"]) != "true" || c.ReferenceNumber() != "" || c.shown() != "" {
		t.Errorf("%s %s %v", c.Envelope, c.shown(), err)
	}
}
