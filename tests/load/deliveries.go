package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// The load of --deliveries: so many devices wait for changes, and so many transactions a second come from them in turn.
const (
	waiting = 1000
	rate    = 200
)

// measureDeliveries measures the time from the answer of a batch to the reference number on the device that sent it, through an instant
// consumer. Devices, consumer, gateway and database share the machine.
func measureDeliveries(dir string) error {
	fmt.Printf("%-9s %8s %6s %10s %8s %8s %8s %8s %9s %9s\n", "store", "waiting", "tx/s", "delivered", "p50 ms", "p95 ms", "p99 ms", "max ms", "CPU %", "peak MiB")
	for _, name := range strings.Split(*stores, ",") {
		b := &bench{name: name, dir: filepath.Join(dir, "deliveries-"+name)}
		if err := os.MkdirAll(b.dir, 0o700); err != nil {
			return err
		}
		if err := b.prepare(); err != nil {
			return err
		}
		if err := b.deliveries(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// instant answers a reference number at once.
func instant(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"referenceNumber":"R-%s"}`, strings.Trim(r.Header.Get("Idempotency-Key"), `"`))
}

func (b *bench) deliveries() error {
	consumer := httptest.NewServer(http.HandlerFunc(instant))
	defer consumer.Close()
	config := filepath.Join(b.dir, "holdfast.yaml")
	text := fmt.Sprintf("consumers:\n  - name: orders\n    kind: rest\n    concurrency: 16\n    rest: {url: %s/orders, referenceNumber: $.referenceNumber}\n", consumer.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	g, err := startGateway(*program, b.dir, b.url, "HOLDFAST_CONFIG="+config)
	if err != nil {
		return err
	}
	defer g.stop()
	f := &waiters{base: "http://" + g.address, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * waiting}}, stop: make(chan struct{})}
	cpu, began := cpuOf(g.cmd.Process.Pid), time.Now()
	f.run(time.Duration(*seconds * 3 * float64(time.Second)))
	used := cpuOf(g.cmd.Process.Pid) - cpu
	if len(f.took) == 0 || f.err != nil {
		return errors.Join(errors.New("nothing was measured"), f.err)
	}
	slices.Sort(f.took)
	at := func(q float64) float64 { return float64(f.took[int(q*float64(len(f.took)-1))].Microseconds()) / 1000 }
	fmt.Printf("%-9s %8d %6d %10d %8.1f %8.1f %8.1f %8.1f %9.0f %9d\n", b.name, waiting, rate, len(f.took), at(.5), at(.95), at(.99), at(1),
		100*used.Seconds()/time.Since(began).Seconds(), peakMemoryOf(g.cmd.Process.Pid)>>20)
	return nil
}

// waiters are the devices.
type waiters struct {
	base   string
	client *http.Client
	stop   chan struct{}
	mu     sync.Mutex
	took   []time.Duration
	err    error
	// accepted is when the answer of a stream's transaction came, heard when its reference did.
	accepted, heard [waiting]map[int64]time.Time
}

func (f *waiters) run(period time.Duration) {
	var all sync.WaitGroup
	for i := range waiting {
		f.accepted[i], f.heard[i] = map[int64]time.Time{}, map[int64]time.Time{}
		all.Go(func() { f.wait(i) })
	}
	time.Sleep(2 * time.Second) // all of them wait
	tick := time.NewTicker(time.Second / rate)
	var sending sync.WaitGroup
	deadline := time.Now().Add(period)
	for n := 0; time.Now().Before(deadline); n++ {
		<-tick.C
		sending.Go(func() { f.send(n%waiting, int64(n/waiting)+1) })
	}
	tick.Stop()
	sending.Wait()
	time.Sleep(time.Second)
	close(f.stop)
	f.client.CloseIdleConnections()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range waiting {
		for seq, at := range f.accepted[i] {
			if heard, ok := f.heard[i][seq]; ok {
				f.took = append(f.took, max(0, heard.Sub(at)))
			} else {
				f.err = fmt.Errorf("device %d has not heard of %d", i, seq)
			}
		}
	}
}

func (f *waiters) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = errors.Join(f.err, err)
}

func waiterStream(i int) holdfast.ID {
	return holdfast.ID{0: 0x77, 6: 0x70, 8: 0x80, 14: byte(i >> 8), 15: byte(i)}
}

func (f *waiters) request(method, path string, body []byte, header ...string) (int, []byte, error) {
	req, err := http.NewRequest(method, f.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := f.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

func (f *waiters) send(i int, seq int64) {
	stream := waiterStream(i)
	id := holdfast.ID{0: 0x78, 1: byte(seq >> 8), 2: byte(seq), 6: 0x70, 8: 0x80, 14: byte(i >> 8), 15: byte(i)}
	correlation := id
	correlation[0] = 0x79
	body := fmt.Appendf(nil, `{"transactions":[{"id":"%s","seq":%d,"type":"pick.completed","occurredAt":"2026-11-20T10:15:00Z","payload":{"order":"A-17","quantity":3}}]}`, id, seq)
	status, text, err := f.request("POST", "/v1/streams/"+stream.String()+"/batches", body, "Content-Type", "application/json", "Correlation-Id", correlation.String(), "X-Store-Id", fmt.Sprintf("%04d", i%200))
	now := time.Now()
	if err != nil || status != http.StatusCreated {
		f.fail(fmt.Errorf("a batch was answered %d %s: %w", status, text, err))
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted[i][seq] = now
}

// wait polls as a device does.
func (f *waiters) wait(i int) {
	cursor := ""
	for {
		select {
		case <-f.stop:
			return
		default:
		}
		status, text, err := f.request("GET", "/v1/streams/"+waiterStream(i).String()+"/changes?wait=25&after="+cursor, nil)
		now := time.Now()
		var page struct {
			Cursor string
			Events []struct {
				Kind string
				Seq  int64
			}
		}
		if err == nil {
			err = json.Unmarshal(text, &page)
		}
		if err != nil || status != http.StatusOK {
			f.fail(fmt.Errorf("changes were answered %d %s: %w", status, text, err))
			return
		}
		cursor = page.Cursor
		f.mu.Lock()
		for _, e := range page.Events {
			if e.Kind == "delivered" {
				f.heard[i][e.Seq] = now
			}
		}
		f.mu.Unlock()
	}
}
