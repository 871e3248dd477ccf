package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/rest"
	"github.com/holdfast-sync/holdfast/store"
)

// Two values side by side make no segment that leads upwards.
func TestValuesMakeNoDotSegments(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Error(r.URL.Path) }))
	defer server.Close()
	s, err := rest.New(rest.Config{URL: server.URL + "/orders/{{.payload.a}}{{.payload.b}}/x"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := delivery.NewCall(store.ClaimedDelivery{Delivery: holdfast.Delivery{Consumer: "orders"}, Raw: []byte(`{"type":"x","payload":{"a":".","b":""}}`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{`{"a":".","b":"."}`, `{"a":"","b":".."}`, `{"a":".."}`} {
		c.Raw = fmt.Appendf(nil, `{"type":"x","payload":%s}`, payload)
		again, err := delivery.NewCall(c.ClaimedDelivery, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Send(t.Context(), again); r.Verdict != delivery.Permanent || r.Code != "template" {
			t.Errorf("%s: %+v", payload, r)
		}
	}
	if _, err := rest.New(rest.Config{URL: server.URL + "/x", Body: `{"id": "{{.id}}"}`}); err == nil || !strings.Contains(err.Error(), "quotes") {
		t.Errorf("a body with two pairs of quotes: %v", err)
	}
}
