package faultkit_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiremock/go-wiremock"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

func TestAnswers(t *testing.T) {
	w := faultkit.WireMock(t)
	url := w.URL() + "/orders"

	t.Run("reference is a function of the key", func(t *testing.T) {
		w.On("/orders", faultkit.Reference())
		first, again, other := must(t, url, "key-1"), must(t, url, "key-1"), must(t, url, `"key-2"`)
		if first.status != 201 || first.body != reference("key-1") || again.body != first.body || other.body != reference("key-2") {
			t.Fatalf("%+v\n%+v\n%+v", first, again, other)
		}
		if a := must(t, url, ""); strings.Contains(a.body, "referenceNumber") {
			t.Fatalf("a reference number without a key: %s", a.body)
		}
	})
	t.Run("statuses", func(t *testing.T) {
		w.Answers("/orders", 418, "tea")
		if a := must(t, url, "k"); a.status != 418 || a.body != "tea" {
			t.Fatalf("%+v", a)
		}
		w.On("/orders", faultkit.ServerError())
		if a := must(t, url, "k"); a.status != 500 {
			t.Fatalf("%+v", a)
		}
		w.On("/orders", faultkit.TooMany(7*time.Second))
		if a := must(t, url, "k"); a.status != 429 || a.header.Get("Retry-After") != "7" {
			t.Fatalf("%+v", a)
		}
		w.On("/orders", faultkit.Redirect("/elsewhere"))
		if a := must(t, url, "k"); a.status != 307 || a.header.Get("Location") != "/elsewhere" {
			t.Fatalf("%+v", a)
		}
	})
	t.Run("bodies that are wrong", func(t *testing.T) {
		w.On("/orders", faultkit.Garbage())
		if a := must(t, url, "k"); a.status != 200 || json.Valid([]byte(a.body)) || a.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%+v", a)
		}
		for _, value := range []string{"42", "null", "[]", `""`, `{"a":1}`} {
			w.On("/orders", faultkit.WrongReference(value))
			if a := must(t, url, "k"); a.status != 201 || a.body != `{"referenceNumber":`+value+`}` {
				t.Fatalf("%+v", a)
			}
		}
		w.On("/orders", faultkit.Huge(3<<20))
		if a := must(t, url, "k"); len(a.body) < 3<<20 || !json.Valid([]byte(a.body)) {
			t.Fatalf("%d octets", len(a.body))
		}
	})
	t.Run("poison goes before the rest", func(t *testing.T) {
		w.OnContaining("/orders", `"seq":13`, faultkit.Status(422, "no"))
		w.On("/orders", faultkit.Reference())
		bad, err := post(plain, url, "k", `{"seq":13}`)
		if good := must(t, url, "k"); err != nil || bad.status != 422 || good.status != 201 {
			t.Fatal(err, bad, good)
		}
	})
}

func TestConnectionsBreak(t *testing.T) {
	w := faultkit.WireMock(t)
	effects := map[faultkit.Fault]func(a answer, err error) bool{
		faultkit.EmptyResponse:       func(_ answer, err error) bool { return errors.Is(err, io.EOF) },
		faultkit.MalformedChunk:      func(a answer, _ error) bool { return a.status == 200 && !json.Valid([]byte(a.body)) },
		faultkit.RandomDataThenClose: func(a answer, err error) bool { return err != nil && a.status == 0 },
		faultkit.ConnectionReset:     func(_ answer, err error) bool { return errors.Is(err, syscall.ECONNRESET) },
	}
	if len(effects) != len(faultkit.Faults) {
		t.Fatal("not every fault is tried")
	}
	for _, fault := range faultkit.Faults {
		t.Run(string(fault), func(t *testing.T) {
			w.Reset()
			w.On("/orders", faultkit.Break(fault))
			a, err := post(plain, w.URL()+"/orders", "k", `{"seq":1}`)
			if !effects[fault](a, err) {
				t.Fatalf("%v %+v", err, a)
			}
			requests := w.Journal("/orders")
			if len(requests) != 1 || requests[0].Fault != string(fault) || requests[0].OK() || string(requests[0].Body) != `{"seq":1}` {
				t.Fatalf("%+v", requests)
			}
		})
	}
}

func TestAnswersAreSlow(t *testing.T) {
	w := faultkit.WireMock(t)
	url := w.URL() + "/orders"
	w.On("/orders", faultkit.Reference())
	must(t, url, "warm")

	w.On("/orders", faultkit.Reference().WithFixedDelay(300*time.Millisecond))
	if a := must(t, url, "fixed"); a.took < 300*time.Millisecond || a.body != reference("fixed") {
		t.Fatalf("%+v", a)
	}
	if r := w.Journal("/orders"); r[1].Delay != 300*time.Millisecond {
		t.Fatal(r)
	}
	w.On("/orders", faultkit.Reference().WithUniformRandomDelay(50*time.Millisecond, 400*time.Millisecond))
	w.Stub(wiremock.Post(wiremock.URLPathEqualTo("/other")).WillReturnResponse(faultkit.Reference().WithLogNormalRandomDelay(60*time.Millisecond, 0.6)))
	for range 6 {
		must(t, url, "uniform")
		must(t, w.URL()+"/other", "lognormal")
	}
	for path, lowest := range map[string]time.Duration{"/orders": 50 * time.Millisecond, "/other": time.Millisecond} {
		delays := map[time.Duration]bool{}
		requests := w.Journal(path)
		for _, r := range requests[max(0, len(requests)-6):] {
			delays[r.Delay] = true
			if r.Delay < lowest || r.Delay > 5*time.Second {
				t.Errorf("%s: %s", path, r.Delay)
			}
		}
		if len(delays) < 2 {
			t.Errorf("%s: always the same delay: %v", path, delays)
		}
	}
	w.On("/orders", faultkit.Reference().WithChunkedDribbleDelay(5, 500*time.Millisecond))
	if a := must(t, url, "dribble"); a.took-a.first < 200*time.Millisecond || a.body != reference("dribble") {
		t.Fatalf("the body came at once: %+v", a)
	}
	w.On("/orders", faultkit.Hang())
	impatient := &http.Client{Timeout: 300 * time.Millisecond, Transport: plain.Transport}
	if a, err := post(impatient, url, "hang", ""); err == nil {
		t.Fatalf("%+v", a)
	}
}

func TestAnswersChange(t *testing.T) {
	w := faultkit.WireMock(t)
	url := w.URL() + "/orders"
	w.FailsThenWorks("/orders", 2, faultkit.ServerError(), faultkit.Reference())
	for i, want := range []int{500, 500, 201, 201} {
		if a := must(t, url, "k"); a.status != want {
			t.Fatalf("answer %d: %+v", i, a)
		}
	}
	w.Sequence("/orders", faultkit.TooMany(time.Second), faultkit.Break(faultkit.EmptyResponse), faultkit.Reference())
	if a := must(t, url, "k"); a.status != 429 {
		t.Fatalf("%+v", a)
	}
	if a, err := post(plain, url, "k", ""); err == nil {
		t.Fatalf("%+v", a)
	}
	if a := must(t, url, "k"); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	w.Reset()
	if a := must(t, url, "k"); a.status != 404 || len(w.Journal("")) != 1 {
		t.Fatalf("%+v %v", a, w.Journal(""))
	}
}

func TestJournalOutlivesTheServer(t *testing.T) {
	w := faultkit.WireMock(t)
	w.On("/orders", faultkit.Reference())
	before := must(t, w.URL()+"/orders?shop=7", "key-1")
	w.Stop()
	if _, err := post(plain, w.URL()+"/orders", "key-2", ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("a dead server: %v", err)
	}
	w.Answers("/added-meanwhile", 202, "")
	if n := len(w.Journal("/orders")); n != 1 {
		t.Fatalf("%d requests", n)
	}
	w.Start()
	after := must(t, w.URL()+"/orders", "key-1")
	if after.body != before.body || must(t, w.URL()+"/added-meanwhile", "").status != 202 {
		t.Fatalf("%+v", after)
	}
	requests := w.Journal("/orders")
	if len(requests) != 2 || requests[0].URL != "/orders?shop=7" || requests[1].Time.Before(requests[0].Time) {
		t.Fatal(requests)
	}
	for _, r := range requests {
		if r.Key() != "key-1" || r.Status != 201 || string(r.Body) != `{"seq":1}` || string(r.Answer) != before.body || r.Method != "POST" || time.Since(r.Time) > time.Minute {
			t.Fatalf("%+v", r)
		}
	}
}
