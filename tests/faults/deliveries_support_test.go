package faults_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/tests/faultkit"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// world is a gateway between devices, a real WireMock and a real OpenSSH server. The REST consumer's reference number goes to the SFTP
// consumer; both keep the order of keys.
type world struct {
	t     *testing.T
	rest  *faultkit.WireMockServer
	sftp  *faultkit.SFTPServer
	nodes []*harness.Node
	sent  []*parcel
	n     int // streams
}

// canary is a value that must not reach a log.
const canary = "4012888888881881"

// config of both consumers. Retries and breakers are in tenths of a second, or every fault would cost minutes.
func (w *world) config() string {
	retry := `    retry: {first: 20ms, most: 150ms}
    breaker: {failures: 4, rest: 150ms}
    timeout: 700ms
`
	return fmt.Sprintf(`consumers:
  - name: orders
    kind: rest
%[1]s    rest:
      url: %[2]s/orders
      referenceNumber: $.referenceNumber
      referenceType: string
  - name: archive
    kind: sftp
    after: [orders]
    order: stream
    concurrency: 4
%[1]s    sftp:
      address: %[3]s
      user: %[4]s
      directory: %[5]s
      file: "{{.id}}.json"
      body: '{"id": {{.id}}, "reference": {{.referenceNumber}}, "payload": {{.payload}}}'
      knownHostsFile: %[6]s
      keyFile: %[7]s
      sha256: true
      done: true
      attachments: "{{.id}}-{{.file.sha256}}"
deliveries:
  lease: 2s
schemas:
  types:
    - {type: pick.strict, file: strict.json}
`, retry, w.rest.URL(), w.sftp.Address(), w.sftp.User, w.sftp.Dir, w.sftp.KnownHosts, w.sftp.KeyFile)
}

const strictSchema = `{"type": "object", "required": ["quantity"], "properties": {"quantity": {"type": "integer"}}}`

// newWorld starts everything; database is empty for SQLite, where there is one node.
func newWorld(t *testing.T, database string, nodes int) *world {
	t.Helper()
	w := &world{t: t, rest: faultkit.WireMock(t), sftp: faultkit.SFTP(t)}
	w.rest.On("/orders", faultkit.Reference())
	objects := "only=file://" + t.TempDir() // of all nodes
	for range nodes {
		w.nodes = append(w.nodes, harness.Start(t, harness.Options{
			DatabaseURL: database, Config: w.config(), Files: map[string]string{"strict.json": strictSchema}, Env: map[string]string{"HOLDFAST_OBJECT_STORES": objects},
		}))
	}
	return w
}

// worlds runs a test on both stores; PostgreSQL has two nodes.
func worlds(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	harness.EachStore(t, 0, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		if c.DatabaseURL == "" {
			test(t, newWorld(t, "", 1))
			return
		}
		test(t, newWorld(t, c.DatabaseURL, 2))
	})
}

// node is any.
func (w *world) node() *harness.Node { return w.nodes[(len(w.sent)+w.n)%len(w.nodes)] }

// heal ends every fault.
func (w *world) heal() {
	w.t.Helper()
	w.rest.Heal()
	w.sftp.Heal()
	w.sftp.Trust()
	w.rest.On("/orders", faultkit.Reference())
}

// parcel is a transaction that was accepted, and what is to become of it.
type parcel struct {
	stream holdfast.ID
	seq    int64
	id     string
	key    string // order key
	typ    string
	text   string
	files  [][]byte
	quiet  bool // it is not expected at the consumers
}

// parcelOf makes number seq of a stream; its order key is one of three.
func (w *world) parcelOf(stream, seq int) *parcel {
	p := &parcel{stream: harness.ID(0x5a, stream), seq: int64(seq), id: harness.ID(0x21, stream<<10|seq).String(), typ: "pick.completed", key: fmt.Sprintf("%d/%d", stream, seq%3)}
	p.text = fmt.Sprintf(`{"quantity":%d,"card":"%s"}`, seq, canary)
	return p
}

func (p *parcel) body() string {
	var files []string
	for _, octets := range p.files {
		files = append(files, fmt.Sprintf(`{"sha256":"%s","size":%d,"contentType":"image/jpeg"}`, harness.SHA256(octets), len(octets)))
	}
	return fmt.Sprintf(`{"id":"%s","seq":%d,"type":"%s","orderKey":"%s","occurredAt":"2026-11-20T10:15:00Z","payload":%s,"attachments":[%s]}`,
		p.id, p.seq, p.typ, p.key, p.text, strings.Join(files, ","))
}

// send sends parcels of one stream, again until they are accepted.
func (w *world) send(all ...*parcel) {
	w.t.Helper()
	bodies := make([]string, len(all))
	for i, p := range all {
		bodies[i] = p.body()
	}
	body := []byte(`{"transactions":[` + strings.Join(bodies, ",") + `]}`)
	first := all[0]
	header := harness.JSON(harness.ID(0x33, int(first.seq)<<8|int(first.stream[15])), "X-Device-Id", "d-"+first.stream.String()[30:], "X-Store-Id", fmt.Sprintf("%04d", int(first.stream[15])%4))
	deadline := time.Now().Add(time.Minute)
	for try := 0; ; try++ {
		a, err := harness.Do("POST", w.nodes[(int(first.seq)+try)%len(w.nodes)].URL+"/v1/streams/"+first.stream.String()+"/batches", body, header...)
		if err == nil && (a.Status == 201 || a.Status == 200) {
			break
		}
		if err == nil && a.Status != 503 && a.Code() != "request-in-progress" || time.Now().After(deadline) {
			w.t.Errorf("a batch is answered %d %s %v", a.Status, a.Body, err)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.sent = append(w.sent, all...)
}

// load sends some streams of some transactions.
func (w *world) load(streams, each int) {
	w.t.Helper()
	for range streams {
		w.n++
		for seq := 1; seq <= each; seq += 2 {
			some := []*parcel{w.parcelOf(w.n, seq)}
			if seq < each {
				some = append(some, w.parcelOf(w.n, seq+1))
			}
			w.send(some...)
		}
	}
}

// streams that were sent on.
func (w *world) streams() []holdfast.ID {
	seen := map[holdfast.ID]bool{}
	var all []holdfast.ID
	for _, p := range w.sent {
		if !seen[p.stream] {
			seen[p.stream] = true
			all = append(all, p.stream)
		}
	}
	return all
}

// settled waits until nothing is on its way any more.
func (w *world) settled() {
	w.t.Helper()
	for _, stream := range w.streams() {
		harness.Eventually(w.t, time.Minute, func() error {
			a, err := harness.Do("GET", w.node().URL+"/v1/streams/"+stream.String(), nil)
			if err != nil {
				return err
			}
			if d := a.Document(w.t); a.Status != 200 || fmt.Sprint(d["undelivered"]) != "0" {
				return fmt.Errorf("%d %s", a.Status, a.Body)
			}
			return nil
		})
	}
}

// member reads a member of a request's body.
func member(r faultkit.Request, name string) string {
	var all map[string]any
	_ = json.Unmarshal(r.Body, &all)
	return fmt.Sprint(all[name])
}

// promises checks P1 to P9 against what arrived, on either side.
func (w *world) promises() {
	w.t.Helper()
	id := func(r faultkit.Request) string { return member(r, "id") }
	var want []string
	quiet := map[string]bool{}
	for _, p := range w.sent {
		if quiet[p.id] = p.quiet; !p.quiet {
			want = append(want, p.id)
		}
	}
	requests := slices.DeleteFunc(w.rest.Journal("/orders"), func(r faultkit.Request) bool { return quiet[id(r)] })
	done := func(r faultkit.Request) bool {
		return r.OK() && r.Delay < 700*time.Millisecond && strings.Contains(string(r.Answer), faultkit.ReferenceNumber(r.Key())) // what came late, came too late
	}
	err := errors.Join(
		faultkit.CheckSameKey(requests, id),            // P2
		faultkit.CheckSameRequest(requests),            // P2
		faultkit.CheckDelivered(requests, id, want...), // P1
		faultkit.CheckOrderUntil(requests, func(r faultkit.Request) string { return member(r, "orderKey") }, func(r faultkit.Request) int64 {
			var body struct{ Seq int64 }
			_ = json.Unmarshal(r.Body, &body)
			return body.Seq
		}, done), // P3
		w.context(requests), // P8
		w.files(),           // P1, P2
		w.changes(),         // P1, P4
		w.discretion(),      // P7
	)
	if err != nil {
		w.t.Fatal(err)
	}
}

// context looks whether every call carries that of the request which brought its transaction.
func (w *world) context(requests []faultkit.Request) error {
	for _, r := range requests {
		if r.Header.Get("Correlation-Id") == "" || !strings.HasPrefix(r.Header.Get("X-Device-Id"), "d-") || r.Header.Get("X-Store-Id") == "" {
			return fmt.Errorf("a call without the context of its request: %v", r.Header)
		}
	}
	return nil
}

// reference is what the REST consumer answers for a transaction.
func (p *parcel) reference() string { return faultkit.ReferenceNumber(p.id + ":orders") }

// files looks whether every transaction has exactly its files, with the reference number, and nothing half is left that looks whole.
func (w *world) files() error {
	want := map[string][]byte{}
	for _, p := range w.sent {
		if p.quiet {
			continue
		}
		name := p.id + ".json"
		body := fmt.Appendf(nil, `{"id": "%s", "reference": "%s", "payload": `, p.id, p.reference())
		got, there := w.sftp.Files()[name]
		if !there || !strings.HasPrefix(string(got), string(body)) {
			return fmt.Errorf("%s holds %q", name, got)
		}
		want[name], want[name+".done"] = got, nil
		want[name+".sha256"] = fmt.Appendf(nil, "%s  %s\n", harness.SHA256(got), name)
		for _, octets := range p.files {
			want[p.id+"-"+harness.SHA256(octets)] = octets
		}
	}
	return faultkit.CheckFiles(w.sftp.Files(), want)
}

// changes looks whether each device has heard of each of its transactions once from each consumer, with the reference number, by
// whichever node, and whether the watermark says so.
func (w *world) changes() error {
	for _, stream := range w.streams() {
		heard := map[string]int{}
		cursor := ""
		for page := 0; ; page++ {
			a, err := harness.Do("GET", w.nodes[page%len(w.nodes)].URL+"/v1/streams/"+stream.String()+"/changes?after="+cursor, nil)
			if err != nil || a.Status != 200 {
				return fmt.Errorf("changes: %d %s %w", a.Status, a.Body, err)
			}
			var got struct {
				Cursor string
				Events []struct{ Kind, ID, Consumer, ReferenceNumber string }
			}
			if err := json.Unmarshal(a.Body, &got); err != nil {
				return err
			}
			for _, e := range got.Events {
				heard[e.Kind+" "+e.Consumer+" "+e.ID+" "+e.ReferenceNumber]++
			}
			if cursor = got.Cursor; len(got.Events) == 0 {
				break
			}
		}
		for _, p := range w.sent {
			if p.stream != stream || p.quiet {
				continue
			}
			for _, one := range []string{"delivered orders " + p.id + " " + p.reference(), "delivered archive " + p.id + " "} {
				if heard[one] != 1 {
					return fmt.Errorf("the device of %s heard %d times %q: %v", stream, heard[one], one, slices.Sorted(maps.Keys(heard)))
				}
			}
		}
	}
	return nil
}

// discretion looks whether no value of a payload has reached a log.
func (w *world) discretion() error {
	for _, n := range w.nodes {
		if strings.Contains(n.Log(), canary) {
			return errors.New("a card number is in the log")
		}
		for line := range strings.Lines(n.Log()) { // P8
			if strings.Contains(line, `"msg":"delivery"`) && (!strings.Contains(line, `"correlationId":"`) || !strings.Contains(line, `"deviceId":"d-`)) {
				return fmt.Errorf("a delivery was logged without the context of its request: %s", line)
			}
		}
	}
	return nil
}

// do asks a node for a decision.
func (w *world) do(path, body string, want string) {
	w.t.Helper()
	a := w.node().Must("POST", path, []byte(body), "Content-Type", "application/json", "X-User-Id", "ann")
	if a.Status != 200 || !strings.HasPrefix(string(a.Body), want) {
		w.t.Fatalf("%s %s: %d %s, not %s", path, body, a.Status, a.Body, want)
	}
}

// status of a transaction at a consumer.
func (w *world) status(p *parcel, consumer string) string {
	w.t.Helper()
	a := w.node().Must("GET", fmt.Sprintf("/v1/deliveries?stream=%s&seq=%d&consumer=%s", p.stream, p.seq, consumer), nil)
	var got struct {
		Deliveries []struct{ Status, Code, WaitsFor string }
	}
	if err := json.Unmarshal(a.Body, &got); err != nil || len(got.Deliveries) != 1 {
		return "none"
	}
	d := got.Deliveries[0]
	return strings.TrimSpace(d.Status + " " + d.WaitsFor + d.Code)
}

// await waits until a transaction has a status.
func (w *world) await(p *parcel, consumer, want string) {
	w.t.Helper()
	harness.Eventually(w.t, 20*time.Second, func() error {
		if got := w.status(p, consumer); got != want {
			return fmt.Errorf("%s is %s at %s, not %s", p.id, got, consumer, want)
		}
		return nil
	})
}

func (w *world) path(name string) string { return filepath.Join(w.sftp.Dir, name) }
