package faultkit_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// TestASuite is how a team's suite looks. In place of deliverTo stands a gateway
// with consumers at w.URL() and s.Address(); everything else is as it would be.
func TestASuite(t *testing.T) {
	w := faultkit.WireMock(t)
	plans := map[string]func(){
		"well":           func() { w.On("/orders", faultkit.Reference()) },
		"fails at first": func() { w.FailsThenWorks("/orders", 3, faultkit.ServerError(), faultkit.Reference()) },
		"every fault": func() {
			var replies []faultkit.Reply
			for _, fault := range faultkit.Faults {
				replies = append(replies, faultkit.Break(fault))
			}
			replies = append(replies, faultkit.Garbage(), faultkit.WrongReference("42"), faultkit.TooMany(0), faultkit.Reference())
			w.Sequence("/orders", replies...)
		},
		"an answer is lost": func() {
			w.On("/orders", faultkit.Reference())
			w.LoseAnswerWhen(func() bool { return true })
		},
	}
	for name, plan := range plans {
		t.Run(name, func(t *testing.T) {
			w.Reset()
			plan()
			var want []string
			for n := 1; n <= 5; n++ {
				body := fmt.Sprintf("x %d", n)
				want = append(want, body)
				deliverTo(t, w.URL()+"/orders", fmt.Sprintf("key-%d", n), body)
			}
			requests := w.Journal("/orders")
			referred := func(r faultkit.Request) bool { return r.OK() && string(r.Answer) == reference(r.Key()) }
			err := errors.Join(
				faultkit.CheckSameKey(requests, id), faultkit.CheckSameRequest(requests),
				faultkit.CheckOrderUntil(requests, lane, seq, referred), faultkit.CheckDelivered(requests, id, want...),
			)
			if name == "well" || name == "fails at first" { // every answer arrives and can be read
				err = errors.Join(err, faultkit.CheckOncePerKey(requests))
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// deliverTo asks under one key until there is a reference number, as a gateway does.
func deliverTo(t *testing.T, url, key, body string) {
	t.Helper()
	eventually(t, func() error {
		client := &http.Client{Timeout: time.Second, Transport: plain.Transport}
		a, err := post(client, url, key, body)
		if err == nil && a.body != reference(key) {
			err = fmt.Errorf("no reference number: %d %q", a.status, a.body)
		}
		return err
	})
}
