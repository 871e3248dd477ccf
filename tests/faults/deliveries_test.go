package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/faultkit"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// The REST consumer fails in every way that WireMock knows, for a while: nothing is lost, nothing is out of order, and
// whatever was called twice was called under the same key.
func TestTheRESTConsumerFails(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		late := faultkit.Reference().WithFixedDelay(900 * time.Millisecond) // comes when nobody waits any more
		plans := map[string]func(){
			"500":             func() { w.rest.FailsThenWorks("/orders", 7, faultkit.ServerError(), faultkit.Reference()) },
			"429":             func() { w.rest.FailsThenWorks("/orders", 2, faultkit.TooMany(time.Second), faultkit.Reference()) },
			"garbage":         func() { w.rest.FailsThenWorks("/orders", 3, faultkit.Garbage(), faultkit.Reference()) },
			"wrong reference": func() { w.rest.FailsThenWorks("/orders", 3, faultkit.WrongReference("42"), faultkit.Reference()) },
			"no reference":    func() { w.rest.FailsThenWorks("/orders", 3, faultkit.WrongReference("null"), faultkit.Reference()) },
			"redirect": func() {
				w.rest.FailsThenWorks("/orders", 2, faultkit.Redirect("http://127.0.0.1:1/x"), faultkit.Reference())
			},
			"huge":         func() { w.rest.FailsThenWorks("/orders", 2, faultkit.Huge(2<<20), faultkit.Reference()) },
			"hang":         func() { w.rest.FailsThenWorks("/orders", 2, faultkit.Hang(), faultkit.Reference()) },
			"late":         func() { w.rest.FailsThenWorks("/orders", 3, late, faultkit.Reference()) },
			"random delay": func() { w.rest.On("/orders", faultkit.Reference().WithUniformRandomDelay(0, 80*time.Millisecond)) },
			"dribble":      func() { w.rest.On("/orders", faultkit.Reference().WithChunkedDribbleDelay(5, 100*time.Millisecond)) },
			"slow dribble": func() {
				w.rest.FailsThenWorks("/orders", 2, faultkit.Reference().WithChunkedDribbleDelay(5, 2*time.Second), faultkit.Reference())
			},
			"refuses":          func() { w.rest.Refuse(true) },
			"line hangs":       func() { w.rest.Hang(true) },
			"line cuts":        func() { w.rest.CutAfter(700) },
			"answers are lost": func() { n := 0; w.rest.LoseAnswerWhen(func() bool { n++; return n%3 == 0 }) },
		}
		for _, fault := range faultkit.Faults {
			plans[string(fault)] = func() { w.rest.FailsThenWorks("/orders", 4, faultkit.Break(fault), faultkit.Reference()) }
		}
		for name, plan := range plans {
			t.Run(name, func(t *testing.T) {
				w.t, w.sent = t, nil
				w.rest.Reset()
				w.rest.On("/orders", faultkit.Reference())
				plan()
				w.load(2, 6)
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // the line's faults last a while
				w.rest.Heal()
				w.settled()
				w.clean()
				w.promises()
			})
		}
	})
}

// clean forgets files of earlier subtests.
func (w *world) clean() {
	w.t.Helper()
	known := map[string]bool{}
	for _, p := range w.sent {
		known[p.id] = true
	}
	for name := range w.sftp.Files() {
		if len(name) < 36 || !known[name[:36]] {
			if err := os.Remove(w.path(name)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// The SFTP consumer fails in every way. The REST consumer is never late because of it.
func TestTheSFTPConsumerFails(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		for name, plan := range map[string]struct{ begin, end func() }{
			"refuses":          {func() { w.sftp.Refuse(true) }, nil},
			"hangs":            {func() { w.sftp.Hang(true) }, nil},
			"dies":             {func() { w.sftp.Kill() }, func() { w.sftp.Start() }},
			"dies in a file":   {func() { w.sftp.CutOnceAfter(4500) }, nil},
			"cut again":        {func() { w.sftp.CutAfter(6000) }, nil},
			"another host key": {func() { w.sftp.ChangeHostKey() }, nil},
			"read only":        {func() { w.sftp.ReadOnly(true) }, nil},
			"full disk":        {func() { w.sftp.Full(true) }, nil},
			"rename refused":   {func() { w.sftp.RefuseRename(true) }, nil},
			"rename not known": {func() { w.sftp.LoseRename() }, nil},
			"slow":             {func() { w.sftp.Slow(20_000) }, nil},
		} {
			t.Run(name, func(t *testing.T) {
				w.t, w.sent = t, nil
				w.rest.Reset()
				w.rest.On("/orders", faultkit.Reference())
				plan.begin()
				w.load(2, 5)
				for _, p := range w.sent { // nobody else waits
					w.await(p, "orders", "delivered")
				}
				time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
				if plan.end != nil {
					plan.end()
				}
				w.heal()
				w.settled()
				w.clean()
				w.promises()
			})
		}
	})
}

// One transaction that the consumer refuses holds what shares its key, and nothing else, until an operator decides.
func TestAPoisonousTransaction(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		poison := func() []*parcel {
			w.n++
			var all []*parcel
			for seq := 1; seq <= 6; seq++ {
				all = append(all, w.parcelOf(w.n, seq))
			}
			w.rest.OnContaining("/orders", all[0].id, faultkit.Status(422, `{"error":"no such item"}`))
			w.send(all...)
			w.await(all[0], "orders", "held status-422")
			for _, i := range []int{1, 2, 4, 5} { // other keys
				w.await(all[i], "orders", "delivered")
			}
			w.await(all[3], "orders", "waiting order")
			w.await(all[1], "archive", "waiting order") // the archive keeps the stream's order
			return all
		}
		for verb, more := range map[string]func(*parcel){
			"retry":   func(*parcel) {},
			"skip":    func(p *parcel) { p.quiet = true },
			"give-up": func(p *parcel) { p.quiet = true },
		} {
			t.Run(verb, func(t *testing.T) {
				w.t, w.sent = t, nil
				w.rest.Reset()
				w.rest.On("/orders", faultkit.Reference())
				all := poison()
				more(all[0])
				if verb == "retry" {
					w.rest.OnContaining("/orders", all[0].id, faultkit.Reference()) // it knows the item now
				}
				filters := []string{"--filter", "stream=" + all[0].stream.String(), "--filter", "status=held"}
				listed, text, code := w.nodes[0].Command(append([]string{"deliveries", "list", "--output", "json"}, filters...)...)
				if code != 0 || strings.Count(listed, `"status":"held"`) != 1 || !strings.Contains(listed, all[0].id) {
					t.Fatalf("%d %s %s", code, listed, text)
				}
				if verb == "retry" { // over HTTP; the others on the command line
					w.do("/v1/deliveries/actions", fmt.Sprintf(`{"action":"retry","filter":{"stream":"%s","status":"held"},"reason":"decided"}`, all[0].stream), `{"count":1,`)
				} else if out, text, code := w.nodes[0].Command(append([]string{"deliveries", verb, "--reason", "decided"}, filters...)...); code != 0 || out != "1 decided\n" {
					t.Fatalf("%d %s %s", code, out, text)
				}
				w.settled()
				w.clean()
				if verb == "skip" { // the archive got it without a reference
					if got := string(w.sftp.Files()[all[0].id+".json"]); !strings.Contains(got, `"reference": ""`) {
						t.Errorf("%q", got)
					}
					for _, end := range []string{"", ".sha256", ".done"} {
						_ = os.Remove(w.path(all[0].id + ".json" + end))
					}
				}
				w.promises()
				audit := w.node().Must("GET", "/v1/audit/events?stream="+all[0].stream.String()+"&actorKind=operator", nil)
				if audit.Status != 200 || strings.Count(string(audit.Body), "decided") != 1 {
					t.Errorf("the decision is not in the audit log: %s", audit.Body)
				}
			})
		}
		t.Run("repair", func(t *testing.T) {
			w.t, w.sent = t, nil
			w.rest.Reset()
			w.rest.On("/orders", faultkit.Reference())
			all := poison()
			w.rest.OnContaining("/orders", all[0].id, faultkit.Reference())
			path := fmt.Sprintf("/v1/streams/%s/transactions/1/repair", all[0].stream)
			w.do(path, `{"payload":{"quantity":77},"reason":"typo"}`, `{"count":1,`)
			w.settled()
			a := w.node().Must("GET", fmt.Sprintf("/v1/streams/%s/transactions/1", all[0].stream), nil)
			var tx struct {
				Repairs     []struct{ Payload struct{ Quantity int } }
				Transaction struct{ Payload struct{ Quantity int } }
			}
			if err := json.Unmarshal(a.Body, &tx); err != nil || len(tx.Repairs) != 1 || tx.Repairs[0].Payload.Quantity != 77 || tx.Transaction.Payload.Quantity != 1 {
				t.Errorf("%s %v", a.Body, err)
			}
			if got := string(w.sftp.Files()[all[0].id+".json"]); !strings.Contains(got, `"payload": {"quantity":77}`) || !strings.Contains(got, all[0].reference()) {
				t.Errorf("%q", got)
			}
			if a := w.node().Must("POST", path, []byte(`{"payload":{},"reason":"again"}`), "Content-Type", "application/json"); a.Status != 409 || a.Code() != "not-applicable" {
				t.Errorf("a delivered one was repaired: %d %s", a.Status, a.Body)
			}
		})
	})
}

// A quarantined transaction holds its key at consumers with an order; a repair lets it go, over HTTP or on the command line.
func TestQuarantineAndRepair(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		for _, way := range []string{"http", "cli", "give up"} {
			w.n++
			var all []*parcel
			for seq := 1; seq <= 5; seq++ {
				all = append(all, w.parcelOf(w.n, seq))
			}
			all[0].typ, all[0].text = "pick.strict", `{"quantity":"three"}`
			w.send(all...)
			w.await(all[0], "orders", "quarantined")
			w.await(all[1], "orders", "delivered")
			w.await(all[3], "orders", "waiting order")
			list := w.node().Must("GET", "/v1/quarantine?type=pick.strict&stream="+all[0].stream.String(), nil)
			if list.Status != 200 || strings.Count(string(list.Body), `"seq":1`) != 1 || !strings.Contains(string(list.Body), "schema-violation") {
				t.Fatalf("%d %s", list.Status, list.Body)
			}
			path := fmt.Sprintf("/v1/streams/%s/transactions/1/repair", all[0].stream)
			bad := w.node().Must("POST", path, []byte(`{"payload":{"quantity":"four"},"reason":"r"}`), "Content-Type", "application/json")
			if bad.Status != 422 || bad.Code() != "schema-violation" || strings.Contains(string(bad.Body), "four") {
				t.Fatalf("%d %s", bad.Status, bad.Body)
			}
			w.do("/v1/quarantine/actions", fmt.Sprintf(`{"action":"retry","filter":{"stream":"%s"},"reason":"perhaps"}`, all[0].stream), `{"count":0,"refused":1,`)
			switch way {
			case "http":
				w.do(path, `{"payload":{"quantity":3},"reason":"it was a text"}`, `{"count":1,`)
			case "cli":
				file := t.TempDir() + "/fixed.json"
				if err := os.WriteFile(file, []byte(`{"quantity":3}`), 0o600); err != nil {
					t.Fatal(err)
				}
				out, text, code := w.nodes[0].Command("quarantine", "repair", "--stream", all[0].stream.String(), "--seq", "1", "--payload", file, "--reason", "it was a text")
				if code != 0 || !strings.Contains(out, "repaired") {
					t.Fatalf("%d %s %s", code, out, text)
				}
			default:
				all[0].quiet = true
				out, text, code := w.nodes[0].Command("quarantine", "give-up", "--filter", "stream="+all[0].stream.String(), "--reason", "test data", "--output", "json")
				if code != 0 || !strings.Contains(out, `"count": 1`) && !strings.Contains(out, `"count":1`) {
					t.Fatalf("%d %s %s", code, out, text)
				}
			}
			w.settled()
			a := w.node().Must("GET", "/v1/streams/"+all[0].stream.String(), nil)
			if d := a.Document(t); fmt.Sprint(d["quarantined"]) != "0" || fmt.Sprint(d["deliveredThrough"]) != "5" {
				t.Errorf("%s", a.Body)
			}
			heard := w.node().Must("GET", "/v1/streams/"+all[0].stream.String()+"/changes", nil)
			want := map[string]string{"http": `"repaired"`, "cli": `"repaired"`, "give up": `"failed"`}[way]
			if !strings.Contains(string(heard.Body), `"kind":"quarantined"`) || !strings.Contains(string(heard.Body), `"kind":`+want) {
				t.Errorf("%s", heard.Body)
			}
		}
		w.promises()
	})
}

// A transaction waits for its files, and goes on as soon as the last one is there; the device is told which ones.
func TestFilesComeLater(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		w.n++
		p := w.parcelOf(w.n, 1)
		p.files = [][]byte{harness.Octets(1, 40_000), harness.Octets(2, 300_000)}
		mustPut(t, w.nodes[0], p.files[0])
		w.send(p)
		w.await(p, "archive", "waiting attachmentsattachments-missing")
		heard := w.node().Must("GET", "/v1/streams/"+p.stream.String()+"/changes", nil)
		if !strings.Contains(string(heard.Body), `"attachments":["`+harness.SHA256(p.files[1])+`"]`) {
			t.Errorf("%s", heard.Body)
		}
		time.Sleep(2 * time.Second) // its next look is a while away
		began := time.Now()
		mustPut(t, w.nodes[len(w.nodes)-1], p.files[1])
		w.settled()
		if took := time.Since(began); took > 1500*time.Millisecond {
			t.Errorf("it went on %s after its last file", took)
		}
		w.promises()
	})
}

// Gateways are killed at random under load, again and again.
func TestGatewaysAreKilledWhileTheyDeliver(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		w.rest.On("/orders", faultkit.Reference().WithUniformRandomDelay(0, 30*time.Millisecond))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(150+rand.IntN(500)) * time.Millisecond): // any moment is right
				}
				w.nodes[rand.IntN(len(w.nodes))].Restart()
			}
		})
		for range 6 {
			w.load(2, 8)
		}
		close(stop)
		wg.Wait()
		for _, n := range w.nodes {
			n.AwaitReady()
		}
		w.settled()
		w.promises()
	})
}

// A node is stopped as a deployment does it: nothing is called twice.
func TestARollingRestartCallsNothingTwice(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		w.rest.On("/orders", faultkit.Reference().WithUniformRandomDelay(0, 30*time.Millisecond))
		var wg sync.WaitGroup
		wg.Go(func() { w.load(6, 8) })
		for i := range 4 {
			time.Sleep(200 * time.Millisecond) // any moment is right
			n := w.nodes[i%len(w.nodes)]
			n.Signal(syscall.SIGTERM)
			if code := n.Wait(30 * time.Second); code != 0 {
				t.Errorf("a node ended with %d", code)
			}
			n.Restart()
		}
		wg.Wait()
		w.settled()
		w.promises()
		if err := faultkit.CheckOncePerKey(w.rest.Journal("/orders")); err != nil {
			t.Error(err)
		}
	})
}

// The database is stopped, killed and started under load.
func TestTheDatabaseRestartsWhileTheyDeliver(t *testing.T) {
	pg := testserver.NewPostgres(t)
	w := newWorld(t, pg.NewDatabase(t), 2)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for round := 0; ; round++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(300+rand.IntN(500)) * time.Millisecond): // any moment is right
			}
			if round%2 == 0 {
				if err := pg.Stop(); err != nil {
					t.Error(err)
				}
			} else {
				pg.Kill()
			}
			if err := pg.Start(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		w.load(2, 8)
	}
	close(stop)
	wg.Wait()
	for _, n := range w.nodes {
		n.AwaitReady()
	}
	w.settled()
	w.promises()
}

// A database that hangs for longer than leases: whoever comes back late does not call what others have.
func TestTheDatabaseHangsWhileTheyDeliver(t *testing.T) {
	pg := testserver.NewPostgres(t)
	w := newWorld(t, pg.NewDatabase(t), 2)
	w.rest.On("/orders", faultkit.Reference().WithFixedDelay(200*time.Millisecond))
	w.load(3, 6)
	pg.Pause()
	time.Sleep(3 * time.Second) // longer than a lease
	pg.Resume()
	for _, n := range w.nodes {
		n.AwaitReady()
	}
	w.load(1, 4)
	w.settled()
	w.promises()
}

// WireMock and sshd are killed and started under load.
func TestConsumersAreKilled(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		wg.Go(func() { w.load(6, 8) })
		time.Sleep(100 * time.Millisecond)
		w.sftp.Kill()
		w.rest.Stop()
		wg.Wait()
		health := w.nodes[0]
		harness.Eventually(t, 20*time.Second, func() error {
			a := health.Must("GET", "/v1/health", nil)
			if a.Status != 200 || !strings.Contains(string(a.Body), `"orders":{"status":"DOWN"}`) {
				return fmt.Errorf("%d %s", a.Status, a.Body)
			}
			return nil
		})
		if a := health.Must("GET", "/readyz", nil); a.Status != 200 {
			t.Errorf("a consumer that is down makes the node unready: %d", a.Status)
		}
		w.rest.Start()
		w.sftp.Start()
		w.heal()
		w.settled()
		w.promises()
		harness.Eventually(t, 20*time.Second, func() error {
			if a := health.Must("GET", "/v1/health", nil); strings.Contains(string(a.Body), "DOWN") {
				return fmt.Errorf("%s", a.Body)
			}
			return nil
		})
	})
}

// The configuration is read anew under load: nothing is lost, and a mistake changes nothing.
func TestConsumersAreReloaded(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		w.rest.On("/orders", faultkit.Reference().WithUniformRandomDelay(0, 30*time.Millisecond))
		var wg sync.WaitGroup
		wg.Go(func() { w.load(6, 8) })
		good := w.config()
		for round := range 6 {
			time.Sleep(150 * time.Millisecond) // any moment is right
			text := strings.Replace(good, "concurrency: 4", fmt.Sprintf("concurrency: %d", 2+round), 1)
			want := "the consumers were read anew"
			if round%3 == 2 {
				text, want = strings.Replace(good, "after: [orders]", "after: [nobody]", 1), "everything goes on as before"
			}
			for _, n := range w.nodes {
				before := strings.Count(n.Log(), want)
				n.Configure(text)
				n.Signal(syscall.SIGHUP)
				harness.Eventually(t, 20*time.Second, func() error {
					if strings.Count(n.Log(), want) == before {
						return context.DeadlineExceeded
					}
					return nil
				})
			}
		}
		wg.Wait()
		w.settled()
		w.promises()
		if err := faultkit.CheckOncePerKey(w.rest.Journal("/orders")); err != nil {
			t.Error(err)
		}
	})
}
