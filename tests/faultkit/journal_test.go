package faultkit_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// Clients ask without a pause while the server is killed three times. Whatever
// they were told must be in the journal: else the checks would find faults that
// nobody has, and miss those that there are.
func TestNoAnswerIsMissingInTheJournal(t *testing.T) {
	w := faultkit.WireMock(t)
	w.On("/orders", faultkit.Reference())
	var told sync.Map
	var answers atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for client := range 4 {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("%d-%d", client, n)
				if a, err := post(plain, w.URL()+"/orders", key, "x 1"); err == nil && a.body == reference(key) {
					told.Store(key, true)
					answers.Add(1)
				}
			}
		})
	}
	for range 3 {
		enough := answers.Load() + 50
		eventually(t, func() error {
			if answers.Load() < enough {
				return fmt.Errorf("%d answers", answers.Load())
			}
			return nil
		})
		w.Stop()
		w.Start()
	}
	close(stop)
	clients.Wait()
	written := map[string]bool{}
	for _, key := range faultkit.Keys(w.Journal("/orders")) {
		written[key] = true
	}
	told.Range(func(key, _ any) bool {
		if !written[key.(string)] {
			t.Errorf("the answer to %s is not in the journal", key)
		}
		return true
	})
}

func TestTheJournalShowsOverlaps(t *testing.T) {
	w := faultkit.WireMock(t)
	w.On("/orders", faultkit.Reference().WithFixedDelay(40*time.Millisecond))
	for n := 1; n <= 10; n++ {
		if _, err := post(plain, w.URL()+"/orders", fmt.Sprint(n), fmt.Sprintf("x %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, faultkit.CheckOrder(w.Journal("/orders"), lane, seq))

	w.On("/orders", faultkit.Reference().WithFixedDelay(2*time.Second))
	first := make(chan error, 1)
	go func() { _, err := post(plain, w.URL()+"/orders", "11", "x 11"); first <- err }()
	eventually(t, func() error {
		if !reached(w, "11") {
			return fmt.Errorf("not there yet")
		}
		return nil
	})
	w.On("/orders", faultkit.Reference())
	if _, err := post(plain, w.URL()+"/orders", "12", "x 12"); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	err := faultkit.CheckOrder(w.Journal("/orders"), lane, seq)
	expect(t, err, "lane x: 12 comes", "before the answer to 11")
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Error("more than one finding:", err)
	}
}
