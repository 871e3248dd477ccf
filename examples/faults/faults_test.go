// Package faults is a small fault suite: a gateway between its devices and two consumers that fail.
package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

const stream = "0192f3c0-0000-7000-8000-000000000001"

func TestOurConsumersFail(t *testing.T) {
	orders, warehouse := faultkit.WireMock(t), faultkit.SFTP(t)
	orders.FailsThenWorks("/orders", 3, faultkit.ServerError(), faultkit.Reference())
	warehouse.LoseRename() // the first file arrives, and nobody hears of it
	url := gateway(t, fmt.Sprintf(`
consumers:
  - name: orders
    kind: rest
    retry: {first: 50ms, most: 200ms}
    breaker: {failures: 5, rest: 200ms}
    rest: {url: %q, referenceNumber: $.referenceNumber}
  - name: warehouse
    kind: sftp
    after: [orders]
    retry: {first: 50ms, most: 200ms}
    breaker: {failures: 5, rest: 200ms}
    sftp: {address: %q, user: %q, keyFile: %q, knownHostsFile: %q, directory: %q}
`, orders.URL()+"/orders", warehouse.Address(), warehouse.User, warehouse.KeyFile, warehouse.KnownHosts, warehouse.Dir))

	var ids, names []string
	for seq := 1; seq <= 5; seq++ {
		id := fmt.Sprintf("0192f3c0-0000-7000-8000-%012d", 100+seq)
		ids, names = append(ids, id), append(names, id+".json")
		send(t, url, id, seq)
	}
	deliveredThrough(t, url, 5)

	requests := orders.Journal("/orders")
	if err := errors.Join(
		faultkit.CheckSameKey(requests, func(r faultkit.Request) string { return member(r).ID }),
		faultkit.CheckSameRequest(requests),
		faultkit.CheckOrder(requests, func(r faultkit.Request) string { return member(r).Stream }, func(r faultkit.Request) int64 { return member(r).Seq }),
		faultkit.CheckDelivered(requests, func(r faultkit.Request) string { return member(r).ID }, ids...),
		faultkit.CheckNames(warehouse.Files(), names...),
	); err != nil {
		t.Fatal(err)
	}
	if left := warehouse.Leftovers(); len(left) > 0 {
		t.Fatal("temporary files are left:", left)
	}
	t.Logf("%d transactions, %d requests, %d files", len(ids), len(requests), len(warehouse.Files()))
}

// gateway starts Holdfast with these consumers and answers its address. HOLDFAST names another binary, for example that of a release.
func gateway(t *testing.T, consumers string) string {
	t.Helper()
	dir, binary := t.TempDir(), os.Getenv("HOLDFAST")
	if binary == "" {
		binary = filepath.Join(dir, "holdfast")
		if out, err := exec.Command("go", "build", "-o", binary, "github.com/holdfast-sync/holdfast/cmd/holdfast").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	config, ready := filepath.Join(dir, "holdfast.yaml"), filepath.Join(dir, "ready")
	if err := os.WriteFile(config, []byte("listen: 127.0.0.1:0\ndataDir: data\n"+consumers), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--config", config, "--ready-file", ready)
	cmd.Dir = dir
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	var address []byte
	eventually(t, func() (err error) { address, err = os.ReadFile(ready); return err })
	return "http://" + strings.TrimSpace(string(address))
}

func send(t *testing.T, url, id string, seq int) {
	t.Helper()
	body := fmt.Sprintf(`{"transactions":[{"id":%q,"seq":%d,"type":"pick.completed","occurredAt":"2026-11-21T09:00:00Z","payload":{"order":"A-17"}}]}`, id, seq)
	req, err := http.NewRequest(http.MethodPost, url+"/v1/streams/"+stream+"/batches", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Correlation-Id", id) // one request for each transaction: its id will do
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatal(res.Status)
	}
}

// deliveredThrough waits until everything up to a place in the stream is delivered everywhere.
func deliveredThrough(t *testing.T, url string, seq int64) {
	t.Helper()
	eventually(t, func() error {
		res, err := http.Get(url + "/v1/streams/" + stream)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		var state struct{ DeliveredThrough int64 }
		if err := json.NewDecoder(res.Body).Decode(&state); err != nil || state.DeliveredThrough < seq {
			return fmt.Errorf("delivered through %d: %w", state.DeliveredThrough, err)
		}
		return nil
	})
}

func eventually(t *testing.T, ask func() error) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

type transaction struct {
	ID, Stream string
	Seq        int64
}

// member reads what the default body tells.
func member(r faultkit.Request) (tx transaction) {
	_ = json.Unmarshal(r.Body, &tx)
	return tx
}
