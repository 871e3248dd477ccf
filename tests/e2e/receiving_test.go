package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// withConsumer is the configuration of a REST consumer that answers at once, as R-<key>.
func withConsumer(t *testing.T) string {
	t.Helper()
	consumer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"referenceNumber":"R-%s"}`, strings.Trim(r.Header.Get("Idempotency-Key"), `"`))
	}))
	t.Cleanup(consumer.Close)
	return fmt.Sprintf("consumers:\n  - name: orders\n    kind: rest\n    rest: {url: %s/orders, referenceNumber: $.referenceNumber}\n", consumer.URL)
}

// page is an answer of changes.
type page struct {
	Epoch  int64
	Cursor string
	Events []struct {
		Cursor, Kind, ID, Consumer, ReferenceNumber string
		Seq                                         int64
		Body                                        json.RawMessage
	}
}

func changesOf(t *testing.T, n *harness.Node, s harness.Stream, query string, header ...string) (p page) {
	t.Helper()
	a := n.Must("GET", s.Path("/changes"+query), nil, header...)
	if err := json.Unmarshal(a.Body, &p); err != nil || a.Status != 200 {
		t.Fatalf("%d %s %v", a.Status, a.Body, err)
	}
	return p
}

// A device that waits at one node hears at once of what another one took and delivered, and goes on at any node.
func TestADeviceHearsOfItsReference(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{Config: withConsumer(t)}, func(t *testing.T, c *harness.Cluster) {
		a, b := c.Nodes[0], c.Nodes[len(c.Nodes)-1]
		s := harness.NewStream(1)
		heard := make(chan page, 1)
		go func() { heard <- changesOf(t, b, s, "?wait=25") }()
		time.Sleep(300 * time.Millisecond) // it waits
		began := time.Now()
		if r := s.Send(a, harness.ID(1, 1), 1, 1); r.Status != 201 {
			t.Fatal(r.Status)
		}
		p := <-heard
		if took := time.Since(began); took > 2*time.Second || len(p.Events) != 1 || p.Events[0].Kind != "delivered" || p.Events[0].Seq != 1 || p.Events[0].Consumer != "orders" ||
			p.Events[0].ReferenceNumber != "R-"+p.Events[0].ID+":orders" || p.Events[0].Cursor != p.Cursor || p.Epoch != 1 {
			t.Fatalf("after %s: %+v", took, p)
		}
		for seq := int64(2); seq <= 6; seq++ {
			s.Send(c.Nodes[int(seq)%len(c.Nodes)], harness.ID(1, int(seq)), seq, seq)
		}
		var all []int64
		for at, cursor := 0, p.Cursor; len(all) < 5; at++ {
			next := changesOf(t, c.Nodes[at%len(c.Nodes)], s, "?wait=5&after="+cursor)
			for _, e := range next.Events {
				all = append(all, e.Seq)
			}
			cursor = next.Cursor
		}
		if fmt.Sprint(all) != "[2 3 4 5 6]" {
			t.Errorf("%v", all)
		}
		if got := a.Must("GET", s.Path(""), nil).Document(t); fmt.Sprint(got["deliveredThrough"]) != "6" || fmt.Sprint(got["undelivered"]) != "0" {
			t.Errorf("%v", got)
		}
	})
}

// An event stream resumes at another node; who waits is answered when a node stops.
func TestAnEventStreamResumesElsewhere(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{Config: withConsumer(t)}, func(t *testing.T, c *harness.Cluster) {
		s := harness.NewStream(2)
		if r := s.Send(c.Nodes[0], harness.ID(1, 1), 1, 3); r.Status != 201 {
			t.Fatal(r.Status)
		}
		last, seen := "", ""
		for round := range 2 {
			n := c.Nodes[(round+1)%len(c.Nodes)]
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+s.Path("/changes"), nil)
			req.Header.Set("Accept", "text/event-stream")
			req.Header.Set("Last-Event-ID", last)
			res, err := http.DefaultClient.Do(req)
			if err != nil || res.StatusCode != 200 {
				t.Fatal(err, res)
			}
			events := 0
			for lines := bufio.NewScanner(res.Body); events < 2-round && lines.Scan(); { // two, then the last one
				if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
					last = id
				}
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					var e struct{ Seq int64 }
					_ = json.Unmarshal([]byte(data), &e)
					seen += fmt.Sprint(e.Seq)
					events++
				}
			}
			_ = res.Body.Close()
		}
		if seen != "123" {
			t.Errorf("%s", seen)
		}
		n := c.Nodes[0]
		answered := make(chan page, 1)
		go func() { answered <- changesOf(t, n, s, "?wait=30&after="+last) }()
		time.Sleep(200 * time.Millisecond) // it waits
		began := time.Now()
		n.Signal(15)
		if p := <-answered; len(p.Events) != 0 || p.Cursor != last || time.Since(began) > 10*time.Second {
			t.Errorf("%+v after %s", p, time.Since(began))
		}
		if code := n.Wait(30 * time.Second); code != 0 {
			t.Errorf("exit %d", code)
		}
	})
}

// Cursors that nobody gave, of another stream or another epoch are gone; an event stream ends with its epoch. Others may not listen.
func TestCursorsAndOwners(t *testing.T) {
	url := testserver.Postgres(t).NewDatabase(t)
	n := harness.Start(t, harness.Options{DatabaseURL: url, Config: withConsumer(t)})
	s, other := harness.NewStream(3), harness.NewStream(4)
	for i, one := range []harness.Stream{s, other} {
		if r := one.Send(n, harness.ID(2, i), 1, 2, "X-Device-Id", fmt.Sprintf("d%d", i)); r.Status != 201 {
			t.Fatal(r.Status)
		}
	}
	p := changesOf(t, n, s, "?wait=10", "X-Device-Id", "d0")
	for _, cursor := range []string{"x", "AQEB", p.Cursor + "A", strings.ToLower(p.Cursor), "AQEBAErKkPO7NA"} {
		if a := n.Must("GET", s.Path("/changes?after="+cursor), nil); a.Status != 410 || a.Code() != "cursor-expired" {
			t.Errorf("%s: %d %s", cursor, a.Status, a.Body)
		}
	}
	if a := n.Must("GET", other.Path("/changes?after="+p.Cursor), nil); a.Status != 410 {
		t.Errorf("another stream's cursor: %d", a.Status)
	}
	if a := n.Must("GET", s.Path("/changes"), nil, "X-Device-Id", "d1"); a.Status != 403 {
		t.Errorf("another device: %d", a.Status)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+s.Path("/changes?after="+p.Cursor), nil)
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "INSERT INTO epochs (epoch, id, started_at) VALUES (2, gen_random_uuid(), now())"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		}
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(25 * time.Second):
		t.Error("the stream of the old epoch goes on")
	}
	if a := n.Must("GET", s.Path("/changes?after="+p.Cursor), nil); a.Status != 410 {
		t.Errorf("a cursor of the old epoch: %d %s", a.Status, a.Body)
	}
	if again := changesOf(t, n, s, ""); again.Epoch != 2 || len(again.Events) < 1 {
		t.Errorf("%+v", again)
	}
}

// Messages reach a device, everybody in a store, and a user at whatever device, each once, in order, and wake who waits.
func TestMessagesReachPeople(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		b := c.Nodes[len(c.Nodes)-1]
		s := harness.NewStream(5)
		who := []string{"X-Device-Id", "d1", "X-Store-Id", "0042", "X-User-Id", "ann"}
		if r := s.Send(c.Nodes[0], harness.ID(3, 1), 1, 1, who...); r.Status != 201 {
			t.Fatal(r.Status)
		}
		n := 0
		send := func(to string) {
			t.Helper()
			n++
			for range 2 { // the second time it is known
				a := c.Nodes[0].Must("POST", "/v1/messages", fmt.Appendf(nil, `{"to":{%s},"body":%d}`, to, n), "Content-Type", "application/json", "Correlation-Id", harness.ID(9, n).String())
				if a.Status != 201 {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
		}
		heard := make(chan page, 1)
		go func() { heard <- changesOf(t, b, s, "?wait=25", who...) }()
		time.Sleep(200 * time.Millisecond) // it waits
		send(`"store":"0042"`)
		p := <-heard
		send(`"user":"bob"`)
		send(`"device":"d1"`)
		send(`"user":"ann"`)
		send(`"device":"d2"`)
		bodies := func(p page) (out string) {
			for _, e := range p.Events {
				out += string(e.Body)
			}
			return out
		}
		next := changesOf(t, b, s, "?after="+p.Cursor, who...)
		if got := bodies(p) + bodies(next); got != "134" {
			t.Errorf("ann heard %s", got)
		}
		bob := []string{"X-Device-Id", "d1", "X-Store-Id", "0042", "X-User-Id", "bob"}
		if got := bodies(changesOf(t, b, s, "?after="+next.Cursor, bob...)); got != "2" {
			t.Errorf("bob, at the device that ann had, heard %s", got)
		}
	})
}

// Resources come from a folder and from an upstream, and are read with the database and the upstream down.
func TestPrefetchOutlivesEverything(t *testing.T) {
	pg := testserver.NewPostgres(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("prices")) }))
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "shelf", "catalog"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shelf", "catalog", "items.json"), []byte(`{"items":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n := harness.Start(t, harness.Options{DatabaseURL: pg.NewDatabase(t), Dir: dir, Config: fmt.Sprintf(
		"prefetch:\n  directory: shelf\n  resources:\n    - {name: prices, url: %s/prices, required: true}\n", upstream.URL)})
	var list struct {
		Resources []struct {
			Name, URL, SHA256 string
			Required          bool
		}
	}
	harness.Eventually(t, 20*time.Second, func() error {
		a := n.Must("GET", "/v1/prefetch", nil)
		if err := json.Unmarshal(a.Body, &list); err != nil || len(list.Resources) != 2 {
			return fmt.Errorf("%d %s %w", a.Status, a.Body, err)
		}
		return nil
	})
	upstream.Close()
	pg.Kill()
	for i, want := range []string{`{"items":[]}`, "prices"} {
		r := list.Resources[i]
		if a := n.Must("GET", r.URL, nil); a.Status != 200 || string(a.Body) != want || r.SHA256 != harness.SHA256([]byte(want)) || r.Required != (i == 1) {
			t.Errorf("%+v: %d %s", r, a.Status, a.Body)
		}
	}
	if a := n.Must("GET", list.Resources[1].URL, nil, "Range", "bytes=0-2"); a.Status != 206 || string(a.Body) != "pri" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := n.Must("GET", "/v1/prefetch", nil); a.Status != 200 || !strings.Contains(string(a.Body), "prices") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
