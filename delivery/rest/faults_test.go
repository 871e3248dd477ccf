package rest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/rest"
	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// Whatever a real server does wrong, the call ends in its time, is never taken for a success, and is made again under the same key until it is one.
func TestARealConsumerFails(t *testing.T) {
	w := faultkit.WireMock(t)
	s := newSender(t, rest.Config{URL: w.URL() + "/orders", Reference: "$.referenceNumber", ReferenceType: "string"})
	call := callOf(t, `{"n":1}`)
	good := "confirmed " + faultkit.ReferenceNumber(call.Key)
	w.On("/orders", faultkit.Reference())
	if r := send(t, s, call); is(r) != good { // and WireMock is warm
		t.Fatal(is(r), "not", good)
	}
	const patience = time.Second
	type fault struct {
		name string
		make func()
		want string // of all that may be
	}
	replies := func(reply faultkit.Reply) func() { return func() { w.On("/orders", reply) } }
	all := []fault{
		{"server error", replies(faultkit.ServerError()), "passing! status-500"},
		{"too many", replies(faultkit.TooMany(7 * time.Second)), "passing! status-429"},
		{"refusal", replies(faultkit.Status(422, leak)), "permanent status-422"},
		{"garbage", replies(faultkit.Garbage()), "passing! bad-answer"},
		{"number", replies(faultkit.WrongReference("42")), "passing! bad-reference"},
		{"null", replies(faultkit.WrongReference("null")), "passing! bad-reference"},
		{"huge", replies(faultkit.Huge(3 << 20)), "passing! large-answer"},
		{"redirect away", replies(faultkit.Redirect("http://127.0.0.1:9/orders")), "passing! redirect"},
		{"redirect in a circle", replies(faultkit.Redirect("/orders")), "passing! redirect"},
		{"hang", replies(faultkit.Hang()), "passing! timeout"},
		{"late", replies(faultkit.Reference().WithFixedDelay(3 * time.Second)), "passing! timeout"},
		{"a late body", replies(faultkit.Reference().WithChunkedDribbleDelay(5, 10*time.Second)), "passing! timeout"},
		{"slow enough", replies(faultkit.Reference().WithFixedDelay(100 * time.Millisecond)), good},
		{"in pieces", replies(faultkit.Reference().WithChunkedDribbleDelay(5, 200*time.Millisecond)), good},
		{"answer lost", func() {
			w.On("/orders", faultkit.Reference())
			w.LoseAnswerWhen(func() bool { return true })
		}, "passing! no-answer " + good}, // on a connection that was used before, net/http asks again under the same key
		{"refused", func() { w.Refuse(true) }, "passing! no-answer passing! unreachable"},
		{"silent line", func() { w.Hang(true) }, "passing! timeout"},
		{"cut in the request", func() { w.CutAfter(50) }, "passing! no-answer"},
		{"dead", w.Stop, "passing! no-answer passing! unreachable"},
	}
	for _, kind := range faultkit.Faults {
		all = append(all, fault{string(kind), replies(faultkit.Break(kind)), "passing! no-answer passing! broken-answer passing! bad-answer passing! no-reference"})
	}
	for _, one := range all {
		t.Run(one.name, func(t *testing.T) {
			one.make()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			r := sendIn(ctx, t, s, call)
			if !strings.Contains(one.want, is(r)) || time.Since(began) > patience+time.Second {
				t.Errorf("%s after %s", is(r), time.Since(began))
			}
			if one.name == "too many" && r.RetryAfter != 7*time.Second {
				t.Error(r.RetryAfter)
			}
			if one.name == "dead" {
				w.Start()
			}
			w.Heal()
			w.On("/orders", faultkit.Reference())
			if r := send(t, s, call); is(r) != good {
				t.Error("healed:", is(r))
			}
		})
	}
	id := func(faultkit.Request) string { return call.Transaction.String() }
	requests := w.Journal("/orders")
	if err := errors.Join(faultkit.CheckSameKey(requests, id), faultkit.CheckSameRequest(requests)); err != nil || len(requests) < len(all) {
		t.Error(len(requests), err)
	}
}

// A log-normal consumer is confirmed or late, and never anything else.
func TestARealConsumerIsSlowNowAndThen(t *testing.T) {
	w := faultkit.WireMock(t)
	w.On("/orders", faultkit.Reference().WithLogNormalRandomDelay(40*time.Millisecond, 0.8))
	s := newSender(t, rest.Config{URL: w.URL() + "/orders", Reference: "$.referenceNumber"})
	call := callOf(t, `{}`)
	seen := map[string]int{}
	for range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
		r := sendIn(ctx, t, s, call)
		cancel()
		seen[r.Verdict.String()+r.Code]++
		if r.Verdict != delivery.Confirmed && is(r) != "passing! timeout" {
			t.Error(is(r))
		}
	}
	if len(seen) != 2 {
		t.Error(seen)
	}
}
