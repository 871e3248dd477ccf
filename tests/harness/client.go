package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/openapi/openapitest"
)

// Answer is a response, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Document is the answer's JSON.
func (a Answer) Document(tb testing.TB) map[string]any {
	tb.Helper()
	var d map[string]any
	decoder := json.NewDecoder(bytes.NewReader(a.Body))
	decoder.UseNumber()
	if err := decoder.Decode(&d); err != nil {
		tb.Fatalf("the answer %d is no JSON object: %v\n%s", a.Status, err, a.Body)
	}
	return d
}

// Code is the problem's code, empty for an answer that is no problem.
func (a Answer) Code() string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.Body, &p)
	return p.Code
}

// Number is a header as a number, -1 without.
func (a Answer) Number(name string) int64 {
	n, err := strconv.ParseInt(a.Header.Get(name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

var client = &http.Client{
	Timeout:   30 * time.Second,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
}

// Do sends one request; an answer that is not as the OpenAPI document says is an
// error. Header is name, value, name, value …
func Do(method, url string, body []byte, header ...string) (Answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil {
		err = openapitest.Answer(req, res.StatusCode, res.Header, b)
	}
	return Answer{res.StatusCode, res.Header, b}, err
}

// Must is Do for tests in which an answer must come; it must be a gateway's.
func (n *Node) Must(method, path string, body []byte, header ...string) Answer {
	n.tb.Helper()
	a, err := Do(method, n.URL+path, body, header...)
	if err != nil {
		n.tb.Fatalf("%s %s: %v", method, path, err)
	}
	if a.Header.Get("Holdfast-Protocol") != "1" {
		n.tb.Fatalf("%s %s: an answer %d without Holdfast-Protocol", method, path, a.Status)
	}
	return a
}

// ID makes an id of a kind and a number, the same one each time.
func ID(kind, n int) holdfast.ID {
	return holdfast.ID{0: byte(kind), 6: 0x70, 8: 0x80, 11: byte(n >> 24), 12: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

// Stream is a device's stream as the device knows it.
type Stream struct {
	ID      holdfast.ID
	history int
}

// NewStream is a stream with a history of its own.
func NewStream(n int) Stream { return Stream{ID: ID(0x55, n), history: n} }

// Transaction is number seq of the device's history, in its bytes.
func (s Stream) Transaction(seq int64) []byte {
	return fmt.Appendf(nil, `{"id":"%s","seq":%d,"type":"pick.completed","occurredAt":"2026-11-20T10:15:00.123Z","payload":{"order":"A-%d","quantity":%d,"note":"Grüße"}}`,
		ID(0x11, s.history<<20|int(seq)), seq, seq%97, seq)
}

// Digest is the running hash at seq, computed here and nowhere else.
func (s Stream) Digest(seq int64) string {
	var d holdfast.Digest
	for i := int64(1); i <= seq; i++ {
		d = d.Next(holdfast.HashOf(s.Transaction(i)))
	}
	return d.String()
}

// Body is a batch of the history from first to last.
func (s Stream) Body(first, last int64) []byte {
	b := []byte(`{"transactions":[`)
	for seq := first; seq <= last; seq++ {
		if seq > first {
			b = append(b, ',')
		}
		b = append(b, s.Transaction(seq)...)
	}
	return append(b, `]}`...)
}

// Path of the stream, with what follows.
func (s Stream) Path(rest string) string { return "/v1/streams/" + s.ID.String() + rest }

// JSON is the header of a batch with a correlation id.
func JSON(correlation holdfast.ID, more ...string) []string {
	return append([]string{"Content-Type", "application/json", "Correlation-Id", correlation.String()}, more...)
}

// Send sends first to last under a correlation id.
func (s Stream) Send(n *Node, correlation holdfast.ID, first, last int64, header ...string) Answer {
	n.tb.Helper()
	return n.Must("POST", s.Path("/batches"), s.Body(first, last), JSON(correlation, header...)...)
}

// Check is the invariant after every fault: the stream is held through n, each
// transaction once, in order, to the byte, under the digest computed here.
func (s Stream) Check(tb testing.TB, n *Node, through int64) {
	tb.Helper()
	a := n.Must("GET", s.Path(""), nil)
	d := a.Document(tb)
	if a.Status != 200 || fmt.Sprint(d["acceptedThrough"]) != fmt.Sprint(through) || d["digest"] != s.Digest(through) {
		tb.Fatalf("stream %s: %d %s\nwant through %d, digest %s", s.ID, a.Status, a.Body, through, s.Digest(through))
	}
	places := []int64{1, through, through / 2, through/3 + 1}
	slices.Sort(places)
	for _, seq := range slices.Compact(places) {
		if seq < 1 || seq > through {
			continue
		}
		a := n.Must("GET", s.Path("/transactions/"+strconv.FormatInt(seq, 10)), nil, "Accept", "application/vnd.holdfast.transaction+json")
		if a.Status != 200 || !bytes.Equal(a.Body, s.Transaction(seq)) {
			tb.Fatalf("stream %s, seq %d: %d %s", s.ID, seq, a.Status, a.Body)
		}
	}
	if a := n.Must("GET", s.Path("/transactions/"+strconv.FormatInt(through+1, 10)), nil); a.Status != 404 {
		tb.Fatalf("stream %s holds something beyond %d", s.ID, through)
	}
}
