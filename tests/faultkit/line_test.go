package faultkit_test

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

func TestTheLineFails(t *testing.T) {
	w := faultkit.WireMock(t)
	w.On("/orders", faultkit.Reference())
	url := w.URL() + "/orders"
	heals := func(t *testing.T) {
		t.Helper()
		w.Heal()
		if a := must(t, url, "healed"); a.status != 201 {
			t.Fatalf("%+v", a)
		}
	}
	t.Run("refuse", func(t *testing.T) {
		w.Refuse(true)
		if _, err := post(plain, url, "refused", ""); err == nil || reached(w, "refused") {
			t.Fatal("a line that refuses carries", err)
		}
		heals(t)
	})
	t.Run("hang", func(t *testing.T) {
		w.Hang(true)
		impatient := &http.Client{Timeout: 200 * time.Millisecond, Transport: plain.Transport}
		if _, err := post(impatient, url, "hung", ""); err == nil || reached(w, "hung") {
			t.Fatal("a line that hangs carries", err)
		}
		heals(t)
	})
	t.Run("hang ends", func(t *testing.T) {
		w.Hang(true)
		done := make(chan error)
		go func() { _, err := post(plain, url, "late", ""); done <- err }()
		w.Hang(false)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
	t.Run("cut once", func(t *testing.T) {
		w.CutOnceAfter(100)
		cuts := w.Cuts()
		if _, err := post(plain, url, "cut", strings.Repeat("x", 1000)); err == nil || w.Cuts() != cuts+1 {
			t.Fatal("not cut", err)
		}
		if a := must(t, url, "next"); a.status != 201 || w.Uploaded() < 100 {
			t.Fatalf("%+v", a)
		}
	})
	t.Run("cut always", func(t *testing.T) {
		w.CutAfter(100)
		for range 2 {
			if _, err := post(plain, url, "cut", strings.Repeat("x", 1000)); err == nil || reached(w, "cut") {
				t.Fatal("not cut", err)
			}
		}
		heals(t)
	})
	t.Run("slow", func(t *testing.T) {
		w.Slow(4000)
		a, err := post(plain, url, "slow", strings.Repeat("x", 2000))
		if err != nil || a.took < 400*time.Millisecond {
			t.Fatal(err, a.took)
		}
		heals(t)
	})
	t.Run("the answer is lost", func(t *testing.T) {
		w.LoseAnswerWhen(func() bool { return true })
		_, err := post(plain, url, "lost", "")
		if !errors.Is(err, syscall.ECONNRESET) || !reached(w, "lost") {
			t.Fatal(err)
		}
		if a := must(t, url, "lost"); a.status != 201 {
			t.Fatalf("%+v", a)
		}
	})
}

func reached(w *faultkit.WireMockServer, key string) bool {
	for _, r := range w.Journal("") {
		if r.Key() == key {
			return true
		}
	}
	return false
}
