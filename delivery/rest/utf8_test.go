package rest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/rest"
	"github.com/holdfast-sync/holdfast/store"
)

// A reference that is no UTF-8 can't be kept by PostgreSQL: FinishDeliveries fails with it, and with everything that shares its commit.
func TestAReferenceIsUTF8(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("{\"referenceNumber\":\"K\xf6ln-1\"}"))
	}))
	defer server.Close()
	s, err := rest.New(rest.Config{URL: server.URL, Reference: "$.referenceNumber"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := delivery.NewCall(store.ClaimedDelivery{Delivery: holdfast.Delivery{Consumer: "orders"}, Raw: []byte(`{"type":"x","payload":{}}`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Send(t.Context(), c); r.Verdict == delivery.Confirmed && !utf8.ValidString(r.Reference) {
		t.Errorf("%q is confirmed as a reference", r.Reference)
	}
}
