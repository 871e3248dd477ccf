package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

// Graphite gets what a scrape gets, again and again.
func TestGraphite(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n, s := harness.Start(t, harness.Options{Env: map[string]string{
		"HOLDFAST_METRICS_GRAPHITE_ADDRESS": l.Addr().String(), "HOLDFAST_METRICS_GRAPHITE_INTERVAL": "1s", "HOLDFAST_METRICS_GRAPHITE_PREFIX": "shops.east",
	}}), harness.NewStream(1)
	if a := s.Send(n, harness.ID(1, 1), 1, 3, "X-Device-Id", "canary", "X-Store-Id", "canary"); a.Status != 201 {
		t.Fatal(a.Status)
	}
	harness.Eventually(t, 20*time.Second, func() error {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		found := false
		for in := bufio.NewScanner(conn); in.Scan(); {
			if parts := strings.Fields(in.Text()); len(parts) != 3 || !strings.HasPrefix(parts[0], "shops.east.") || strings.Contains(parts[0], "canary") {
				t.Errorf("a line %q", in.Text())
			}
			found = found || strings.HasPrefix(in.Text(), "shops.east.holdfast_transactions_total.result.accepted 3 ")
		}
		if !found {
			return fmt.Errorf("no such line")
		}
		return nil
	})
}

// One that takes connections and never reads disturbs nobody.
func TestGraphiteThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n, s := harness.Start(t, harness.Options{Env: map[string]string{
		"HOLDFAST_METRICS_GRAPHITE_ADDRESS": l.Addr().String(), "HOLDFAST_METRICS_GRAPHITE_INTERVAL": "1s", "HOLDFAST_LIMITS_DRAIN_GRACE": "0s",
	}}), harness.NewStream(1)
	for seq := int64(1); seq <= 200; seq++ {
		if a := s.Send(n, harness.ID(1, int(seq)), seq, seq); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	began := time.Now()
	n.Signal(syscall.SIGTERM)
	if code := n.Wait(20 * time.Second); code != 0 || time.Since(began) > 5*time.Second {
		t.Errorf("ended with %d after %s", code, time.Since(began))
	}
}
