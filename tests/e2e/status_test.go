package e2e_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// want is one row of the protocol's status table.
type want struct {
	status    int
	code      string
	retryable bool
	members   map[string]string
	// marks says that the watermark headers are there.
	marks bool
}

func check(t *testing.T, a harness.Answer, w want) map[string]any {
	t.Helper()
	d := a.Document(t)
	if a.Status != w.status || (w.code != "") != (a.Code() != "") || a.Code() != w.code {
		t.Fatalf("got %d %q, want %d %q\n%s", a.Status, a.Code(), w.status, w.code, a.Body)
	}
	for member, value := range w.members {
		if fmt.Sprint(d[member]) != value {
			t.Errorf("%s is %v, want %s", member, d[member], value)
		}
	}
	for _, name := range []string{"Holdfast-Epoch", "Holdfast-Accepted-Through", "Holdfast-Durable-Through"} {
		if (a.Number(name) >= 0) != w.marks {
			t.Errorf("header %s: %q", name, a.Header.Get(name))
		}
	}
	if w.code == "" {
		return d
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if d["type"] != "/problems/"+w.code || d["retryable"] != w.retryable || d["title"] == "" || fmt.Sprint(d["status"]) != fmt.Sprint(w.status) {
		t.Errorf("problem %s", a.Body)
	}
	if wait := w.status == 429 || w.status == 503 || w.code == "request-in-progress"; (a.Number("Retry-After") >= 1) != wait {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	return d
}

func TestTheStatusTable(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{Config: "limits:\n  maxTransactions: 50\n  maxBytes: 65536\n"}, func(t *testing.T, c *harness.Cluster) {
		n, last := c.Nodes[0], c.Nodes[len(c.Nodes)-1]
		s := harness.NewStream(1)
		accepted := want{status: 201, marks: true}

		a := s.Send(n, harness.ID(1, 1), 1, 5)
		d := check(t, a, accepted)
		if d["digest"] != s.Digest(5) || fmt.Sprint(d["acceptedThrough"]) != "5" || fmt.Sprint(d["durableThrough"]) != "5" || fmt.Sprint(d["epoch"]) != "1" {
			t.Fatalf("%s", a.Body)
		}
		location := s.Path("/batches/") + harness.ID(1, 1).String()
		if a.Header.Get("Location") != location || a.Header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("%v", a.Header)
		}
		if back := last.Must("GET", location, nil); back.Status != 200 || !bytes.Equal(back.Body, a.Body) {
			t.Fatalf("the batch reads back as %d %s", back.Status, back.Body)
		}
		check(t, last.Must("GET", s.Path("/batches/")+harness.ID(9, 9).String(), nil), want{status: 404, code: "not-found"})

		again := s.Send(last, harness.ID(1, 1), 1, 5)
		check(t, again, accepted)
		if again.Header.Get("Idempotency-Replayed") != "true" || !bytes.Equal(again.Body, a.Body) {
			t.Fatalf("the replay: %v %s", again.Header, again.Body)
		}
		dup := s.Send(n, harness.ID(1, 2), 2, 3)
		check(t, dup, want{status: 200, marks: true})
		if strings.Count(string(dup.Body), `"duplicate"`) != 2 {
			t.Fatalf("%s", dup.Body)
		}
		mixed := s.Send(last, harness.ID(1, 3), 4, 7)
		check(t, mixed, accepted)
		if strings.Count(string(mixed.Body), `"duplicate"`) != 2 || strings.Count(string(mixed.Body), `"accepted"`) != 2 {
			t.Fatalf("%s", mixed.Body)
		}
		if replay := s.Send(n, harness.ID(1, 1), 1, 5); replay.Number("Holdfast-Accepted-Through") != 7 || replay.Status != 201 {
			t.Fatalf("a replay has today's watermarks: %v", replay.Header)
		}

		post := func(body string, header ...string) harness.Answer {
			if header == nil {
				header = harness.JSON(harness.ID(2, 1))
			}
			return n.Must("POST", s.Path("/batches"), []byte(body), header...)
		}
		tx := string(s.Transaction(8))
		check(t, s.Send(n, harness.ID(1, 1), 1, 4), want{422, "correlation-id-reused", false, nil, true})
		check(t, s.Send(n, harness.ID(1, 1), 8, 9), want{422, "correlation-id-reused", false, nil, true})
		check(t, s.Send(n, harness.ID(2, 1), 9, 10), want{409, "sequence-gap", true, map[string]string{"expectedSeq": "8", "epoch": "1"}, true})
		other := strings.Replace(string(s.Body(6, 8)), harness.ID(0x11, 1<<20|7).String(), harness.ID(0x12, 7).String(), 1)
		check(t, post(other), want{409, "stream-forked", false, map[string]string{"seq": "7", "acceptedThrough": "7"}, true})
		moved := strings.Replace(tx, harness.ID(0x11, 1<<20|8).String(), harness.ID(0x11, 1<<20|3).String(), 1)
		check(t, post(`{"transactions":[`+moved+`]}`), want{409, "stream-forked", false, map[string]string{"seq": "8", "acceptedThrough": "7"}, true})
		changed := strings.Replace(string(s.Body(5, 8)), `"quantity":5`, `"quantity":6`, 1)
		check(t, post(changed), want{409, "stream-forked", false, map[string]string{"seq": "5"}, true})
		respelled := strings.Replace(string(s.Body(5, 7)), `"quantity":5`, ` "quantity" : 5.0e0 `, 1)
		check(t, post(respelled, harness.JSON(harness.ID(2, 5))...), want{status: 200, marks: true})
		check(t, post(string(s.Body(8, 8)), harness.JSON(harness.ID(2, 2), "Holdfast-Epoch", "2")...), want{503, "fenced", true, nil, false})
		check(t, post(strings.Replace(string(s.Body(8, 8)), `{`, `{"epoch":2,`, 1)), want{503, "fenced", true, nil, false})
		check(t, n.Must("GET", s.Path(""), nil, "Holdfast-Epoch", "2"), want{503, "fenced", true, nil, false})

		many := make([]string, 51)
		for i := range many {
			many[i] = fmt.Sprintf(`{"id":"%s","seq":%d,"type":"t","occurredAt":"2026-11-20T10:15:00Z","payload":{}}`, harness.ID(7, i), 8+i)
		}
		limits := map[string]string{"maxBytes": "65536", "maxTransactions": "50"}
		check(t, post(`{"transactions":[`+strings.Join(many, ",")+`]}`), want{413, "too-large", false, limits, false})
		check(t, post(strings.Repeat(" ", 65537)), want{413, "too-large", false, limits, false})
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, _ = z.Write(bytes.Repeat([]byte(" "), 30<<20))
		_ = z.Close()
		check(t, post(zipped.String(), harness.JSON(harness.ID(2, 1), "Content-Encoding", "gzip")...), want{413, "too-large", false, limits, false})
		check(t, n.Must("GET", "/v1/limits", nil), want{status: 200, members: limits})

		unsupported := want{415, "unsupported-media-type", false, nil, false}
		id := harness.ID(2, 1).String()
		check(t, post(string(s.Body(8, 8)), "Correlation-Id", id, "Content-Type", "text/plain"), unsupported)
		check(t, post(string(s.Body(8, 8)), "Correlation-Id", id), unsupported)
		check(t, post(string(s.Body(8, 8)), harness.JSON(harness.ID(2, 1), "Content-Encoding", "br")...), unsupported)
		check(t, n.Must("GET", "/v1/nothing", nil), want{404, "not-found", false, nil, false})
		if wrong := n.Must("DELETE", s.Path("/batches"), nil); wrong.Header.Get("Allow") != "POST" {
			t.Errorf("Allow %q", wrong.Header.Get("Allow"))
		} else {
			check(t, wrong, want{405, "method-not-allowed", false, nil, false})
		}
		if head := n.Must("HEAD", s.Path(""), nil); head.Status != 200 || len(head.Body) != 0 {
			t.Errorf("HEAD: %d", head.Status)
		}
		s.Check(t, last, 7)

		// gzip and zstd bring the same bytes.
		zipped.Reset()
		z = gzip.NewWriter(&zipped)
		_, _ = z.Write(s.Body(8, 8))
		_ = z.Close()
		check(t, post(zipped.String(), harness.JSON(harness.ID(2, 1), "Content-Encoding", "gzip")...), accepted)
		e, _ := zstd.NewWriter(nil)
		check(t, post(string(e.EncodeAll(s.Body(9, 9), nil)), harness.JSON(harness.ID(2, 3), "Content-Encoding", "zstd", "Prefer", "durability=replicated, wait=5")...), accepted)
		s.Check(t, n, 9)
	})
}

// Each of these is 400 with a pointer or header, and changes nothing.
func TestShapes(t *testing.T) {
	harness.EachStore(t, 1, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		n, s := c.Nodes[0], harness.NewStream(1)
		good := string(s.Transaction(1))
		one := func(old, replacement string) string {
			return `{"transactions":[` + strings.Replace(good, old, replacement, 1) + `]}`
		}
		for name, row := range map[string]struct{ body, pointer string }{
			"empty batch":              {`{"transactions":[]}`, "/transactions"},
			"no transactions":          {`{"epoch":1}`, "/transactions"},
			"no JSON":                  {`{"transactions":`, ""},
			"not an object":            {`[]`, ""},
			"seq 0":                    {one(`"seq":1`, `"seq":0`), "/transactions/0/seq"},
			"seq text":                 {one(`"seq":1`, `"seq":"1"`), "/transactions/0/seq"},
			"seq fraction":             {one(`"seq":1`, `"seq":1.0`), "/transactions/0/seq"},
			"seq exponent":             {one(`"seq":1`, `"seq":1e0`), "/transactions/0/seq"},
			"seq 2^63":                 {one(`"seq":1`, `"seq":9223372036854775808`), "/transactions/0/seq"},
			"no id":                    {one(`"id":`, `"ID":`), "/transactions/0/id"},
			"bad id":                   {one(`"id":"`, `"id":"{`), "/transactions/0/id"},
			"no type":                  {one(`"type":`, `"kind":`), "/transactions/0/type"},
			"type of NUL":              {one(`"pick.completed"`, `"\u0000"`), "/transactions/0/type"},
			"type of half a pair":      {one(`"pick.completed"`, `"\ud800"`), "/transactions/0/type"},
			"no occurredAt":            {one(`"occurredAt"`, `"at"`), "/transactions/0/occurredAt"},
			"occurredAt without zone":  {one(`00.123Z`, `00.123`), "/transactions/0/occurredAt"},
			"payload no object":        {one(`"payload":{`, `"payload":[],"x":{`), "/transactions/0/payload"},
			"schema 0":                 {one(`{"id"`, `{"schema":0,"id"`), "/transactions/0/schema"},
			"member twice":             {one(`{"id"`, `{"seq":1,"id"`), "/transactions/0/seq"},
			"not contiguous":           {`{"transactions":[` + good + `,` + string(s.Transaction(3)) + `]}`, "/transactions/1/seq"},
			"same id twice":            {`{"transactions":[` + good + `,` + strings.Replace(good, `"seq":1`, `"seq":2`, 1) + `]}`, "/transactions/1/id"},
			"epoch negative":           {`{"epoch":-1,"transactions":[` + good + `]}`, "/epoch"},
			"prior no id":              {`{"prior":{"x":{}},"transactions":[` + good + `]}`, "/prior"},
			"10,000 levels":            {one(`"quantity":1`, `"q":`+strings.Repeat(`[`, 10000)+strings.Repeat(`]`, 10000)), ""},
			"invalid UTF-8":            {one(`Grüße`, "Gr\xfc\xdfe"), ""},
			"byte order mark":          {"\xef\xbb\xbf" + one("", ""), ""},
			"exponent of 19 digits":    {one(`"quantity":1`, `"q":1e1000000000000000000`), ""},
			"attachment without sha":   {one(`{"id"`, `{"attachments":[{"size":1,"contentType":"x"}],"id"`), "/transactions/0/attachments/0/sha256"},
			"raw control in a string":  {one(`Grüße`, "a\x01b"), ""},
			"trailing text":            {one("", "") + "x", ""},
			"entity without its id":    {one(`{"id"`, `{"entity":{"type":"order"},"id"`), "/transactions/0/entity/id"},
			"NUL byte after the batch": {one("", "") + "\x00", ""},
		} {
			a := n.Must("POST", s.Path("/batches"), []byte(row.body), harness.JSON(harness.ID(1, 1))...)
			if a.Status != 400 || a.Code() != "invalid-request" || !strings.Contains(string(a.Body), `"pointer":"`+row.pointer+`"`) {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		for name, header := range map[string][]string{
			"Correlation-Id":  {"Content-Type", "application/json"},
			"Idempotency-Key": harness.JSON(harness.ID(1, 1), "Idempotency-Key", harness.ID(1, 2).String()),
			"X-Store-Id":      harness.JSON(harness.ID(1, 1), "X-Store-Id", strings.Repeat("x", 129)),
			"X-Device-Id":     harness.JSON(harness.ID(1, 1), "X-Device-Id", "Grüße"),
			"Holdfast-Epoch":  harness.JSON(harness.ID(1, 1), "Holdfast-Epoch", "-1"),
		} {
			a := n.Must("POST", s.Path("/batches"), s.Body(1, 1), header...)
			if a.Status != 400 || !strings.Contains(string(a.Body), `"header":"`+name+`"`) {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
		}
		if a := n.Must("POST", "/v1/streams/nope/batches", s.Body(1, 1), harness.JSON(harness.ID(1, 1))...); a.Status != 400 {
			t.Errorf("bad stream id: %d", a.Status)
		}
		s.Check(t, n, 0)
		for _, header := range [][]string{
			{"Content-Type", "application/json; charset=utf-8", "Idempotency-Key", `"` + harness.ID(1, 1).String() + `"`},
			harness.JSON(harness.ID(1, 1), "Idempotency-Key", strings.ToUpper(harness.ID(1, 1).String()), "traceparent", "rubbish", "Holdfast-Queue", "rubbish"),
		} {
			if a := n.Must("POST", s.Path("/batches"), s.Body(1, 1), header...); a.Status != 201 {
				t.Errorf("%v: %d %s", header, a.Status, a.Body)
			}
		}
	})
}

// Unusual JSON inside a payload is kept as it came and never changed.
func TestUnusualPayloadsAreKept(t *testing.T) {
	harness.EachStore(t, 1, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		n := c.Nodes[0]
		id := harness.NewStream(3).ID
		for i, payload := range []string{
			`{"n":1e400,"m":-1E-400}`, `{"n":9223372036854775808,"m":123456789012345678901234567890}`, `{"a":1,"a":2,"a":{"a":1,"a":1}}`,
			`{"nul":"\u0000"}`, `{"half":"\ud800","other":"\udc00\ud800"}`, `{"pair":"\ud83d\ude00","raw":"😀"}`, "{\"sep\":\"\u2028\u2029\",\"bidi\":\"\u202e\"}",
			`{"deep":` + strings.Repeat(`[`, 50) + strings.Repeat(`]`, 50) + `}`, `{"":{"":[]},"\u0022":null}`, "{ \"space\" :\t[ 1 ,\r\n2 ] }", `{"n":-0.0,"m":0e1}`,
		} {
			raw := fmt.Sprintf(`{"unknown":{"kept":[true]},"id":"%s","seq":%d,"type":"t","occurredAt":"2026-11-20T10:15:00+01:00","payload":%s}`, harness.ID(4, i), i+1, payload)
			a := n.Must("POST", "/v1/streams/"+id.String()+"/batches", []byte(` { "transactions" : [ `+raw+` ] } `), harness.JSON(harness.ID(5, i))...)
			if a.Status != 201 {
				t.Fatalf("%s: %d %s", payload, a.Status, a.Body)
			}
			back := n.Must("GET", fmt.Sprintf("/v1/streams/%s/transactions/%d", id, i+1), nil, "Accept", "application/vnd.holdfast.transaction+json")
			if string(back.Body) != raw {
				t.Errorf("sent %q\nheld %q", raw, back.Body)
			}
			if whole := n.Must("GET", fmt.Sprintf("/v1/streams/%s/transactions/%d", id, i+1), nil); !bytes.HasSuffix(whole.Body, []byte(`"transaction":`+raw+`}`)) {
				t.Errorf("the document holds other octets: %s", whole.Body)
			}
		}
	})
}

func TestOwners(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		n, last, s := c.Nodes[0], c.Nodes[len(c.Nodes)-1], harness.NewStream(1)
		mine := []string{"X-Device-Id", "ipad-1", "X-Store-Id", "0042"}
		if a := s.Send(n, harness.ID(1, 1), 1, 2, mine...); a.Status != 201 {
			t.Fatal(a.Status)
		}
		for _, theirs := range [][]string{{"X-Device-Id", "ipad-2"}, {"X-Store-Id", "0043"}, {"X-Device-Id", "ipad-1", "X-Store-Id", "0043"}} {
			forbidden := want{403, "forbidden", false, nil, false}
			check(t, s.Send(last, harness.ID(1, 2), 3, 3, theirs...), forbidden)
			check(t, s.Send(last, harness.ID(1, 1), 1, 2, theirs...), forbidden)
			for _, path := range []string{"", "/transactions/1", "/batches/" + harness.ID(1, 1).String()} {
				check(t, last.Must("GET", s.Path(path), nil, theirs...), forbidden)
			}
		}
		if a := s.Send(last, harness.ID(1, 2), 3, 3, "X-Device-Id", "ipad-1"); a.Status != 201 {
			t.Fatal("a missing store contradicts nothing", a.Status)
		}
		s.Check(t, n, 3)
		d := n.Must("GET", s.Path("/transactions/1"), nil).Document(t)
		if context, ok := d["context"].(map[string]any); !ok || context["deviceId"] != "ipad-1" || context["storeId"] != "0042" {
			t.Fatalf("%v", d)
		}
	})
}

func TestQuarantine(t *testing.T) {
	schema := `{"type":"object","required":["order"],"properties":{"order":{"type":"string"}}}`
	config := "schemas:\n  types:\n    - {type: pick.completed, version: 1, file: pick.json}\n"
	harness.EachStore(t, 1, harness.Options{Config: config, Files: map[string]string{"pick.json": schema}}, func(t *testing.T, c *harness.Cluster) {
		n, id := c.Nodes[0], harness.NewStream(1).ID
		tx := func(seq int, payload string) string {
			return fmt.Sprintf(`{"id":"%s","seq":%d,"type":"pick.completed","schema":1,"occurredAt":"2026-11-20T10:15:00Z","payload":%s}`, harness.ID(4, seq), seq, payload)
		}
		send := func(correlation int, txs ...string) harness.Answer {
			return n.Must("POST", "/v1/streams/"+id.String()+"/batches", []byte(`{"transactions":[`+strings.Join(txs, ",")+`]}`), harness.JSON(harness.ID(1, correlation))...)
		}
		all := []string{tx(1, `{"order":"A"}`), tx(2, `{"order":4006381333931}`), tx(3, `{"order":"B"}`)}
		a := send(1, all...)
		if a.Status != 201 || strings.Count(string(a.Body), `"quarantined"`) != 1 || !strings.Contains(string(a.Body), `"schema-violation"`) || strings.Contains(string(a.Body), "4006381333931") {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if again := send(1, all...); !bytes.Equal(again.Body, a.Body) || again.Status != 201 {
			t.Fatalf("%s", again.Body)
		}
		if dup := send(2, all...); dup.Status != 200 || strings.Count(string(dup.Body), `"duplicate"`) != 3 || strings.Count(string(dup.Body), `"schema-violation"`) != 1 {
			t.Fatalf("%d %s", dup.Status, dup.Body)
		}
		if d := n.Must("GET", "/v1/streams/"+id.String(), nil).Document(t); fmt.Sprint(d["quarantined"]) != "1" || fmt.Sprint(d["acceptedThrough"]) != "3" {
			t.Fatalf("%v", d)
		}
		if d := n.Must("GET", "/v1/streams/"+id.String()+"/transactions/2", nil).Document(t); d["status"] != "quarantined" || d["problem"] == nil {
			t.Fatalf("%v", d)
		}
		wide := send(3, tx(4, `{"order":1e400000000}`))
		if wide.Status != 201 || !strings.Contains(string(wide.Body), `"quarantined"`) {
			t.Fatalf("%d %s", wide.Status, wide.Body)
		}
	})
}

func TestHealthAndPages(t *testing.T) {
	harness.EachStore(t, 1, harness.Options{Env: map[string]string{"HOLDFAST_RING": "east-1"}}, func(t *testing.T, c *harness.Cluster) {
		n := c.Nodes[0]
		app, ok := n.Must("GET", "/v1/health", nil).Document(t)["app"].(map[string]any)
		if !ok || app["state"] != "UP" || app["name"] != "holdfast" || app["ring"] != "east-1" || !strings.HasSuffix(fmt.Sprint(app["id"]), "@holdfast") {
			t.Fatalf("%v", app)
		}
		for path, wants := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/docs": "<!doctype html>", "/openapi.yaml": "openapi: 3.1.0", "/problems/sequence-gap": "expectedSeq"} {
			if a := n.Must("GET", path, nil); a.Status != 200 || !strings.Contains(string(a.Body), wants) {
				t.Errorf("%s: %d", path, a.Status)
			}
		}
		page := string(n.Must("GET", "/docs", nil).Body)
		for _, bad := range []string{"<script", "http://", "https://", "src="} {
			if strings.Contains(page, bad) {
				t.Errorf("the reference page has %s", bad)
			}
		}
		s := harness.NewStream(1)
		s.Send(n, harness.ID(1, 1), 1, 1, "Holdfast-Queue", "depth=12, oldest=340")
		harness.Eventually(t, 10e9, func() error {
			if a := n.Must("GET", s.Path(""), nil); !strings.Contains(string(a.Body), `"depth":12,"oldestSeconds":340`) {
				return fmt.Errorf("%s", a.Body)
			}
			return nil
		})
	})
}
