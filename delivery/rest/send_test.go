package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/rest"
	"github.com/holdfast-sync/holdfast/store"
)

// The request says who, what and under which key, to the letter and every time the same.
func TestTheRequest(t *testing.T) {
	c := newConsumer(t, referring)
	held := file(t, secret+"-1\n")
	s := newSender(t, rest.Config{
		URL: c.URL + "/orders/{{.entity.id}}?type={{.type}}", Method: "PUT", Reference: "$.referenceNumber",
		Headers: map[string]string{"X-Order": "{{.entity.id}}", "accept": "text/json"}, HeaderFiles: map[string]string{"X-Api-Key": held},
	})
	call := callOf(t, `{"n":1}`, func(d *store.ClaimedDelivery) {
		d.Context = holdfast.RequestContext{
			Correlation: "c-1", Shop: "s-1", User: "u-1", Device: "d-1", Session: "e-1", AppVersion: "1.2", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		}
	})
	for range 2 {
		if r := send(t, s, call); is(r) != "confirmed R-1" {
			t.Fatal(is(r))
		}
	}
	for _, got := range c.requests() {
		if got.Method != "PUT" || got.RequestURI != "/orders/4711?type=pick.completed" || got.body != string(call.Envelope) {
			t.Error(got.Method, got.RequestURI, got.body)
		}
		for name, want := range map[string]string{
			"Idempotency-Key": `"` + call.Transaction.String() + `:wms"`, "Content-Type": "application/json", "Accept": "text/json", "User-Agent": "holdfast", "Correlation-Id": "c-1",
			"X-Store-Id": "s-1", "X-User-Id": "u-1", "X-Device-Id": "d-1", "X-Session-Id": "e-1", "X-App-Version": "1.2", "X-Order": "4711", "X-Api-Key": secret + "-1",
			"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		} {
			if all := got.Header.Values(name); !slices.Equal(all, []string{want}) {
				t.Errorf("%s: %q", name, all)
			}
		}
	}
	if send(t, s, callOf(t, `{}`)); c.last(t).Header.Values("X-User-Id") != nil || c.last(t).Header.Get("Authorization") != "" {
		t.Error("headers of nothing:", c.last(t).Header)
	}
	write(t, held, secret+"-2")
	if send(t, s, call); c.last(t).Header.Get("X-Api-Key") != secret+"-2" {
		t.Error("the file was changed:", c.last(t).Header)
	}
	write(t, held, "")
	if r := send(t, s, call); is(r) != "passing! credentials" || len(c.requests()) != 4 {
		t.Error(is(r), len(c.requests()))
	}
}

// A value stays in its segment, its parameter, its header and its JSON text, or the call is not made at all.
func TestHostileValues(t *testing.T) {
	c := newConsumer(t, answering(200, ""))
	s := newSender(t, rest.Config{
		URL: c.URL + "/a/{{.payload.v}}/b?p={{.payload.v}}&q=1", ContentType: "application/vnd.wms+json; charset=utf-8", Body: `{"v":{{.payload.v}},"p":{{.payload}},"admin":false}`,
	})
	inHeader := newSender(t, rest.Config{URL: c.URL, Headers: map[string]string{"X-V": "v {{.payload.v}}"}})
	for value, refused := range map[string]string{
		"../../admin": "", "..": "uh", "...": "", "%2e%2e/": "", "%2f..%2f": "", "?x=1": "", "&q=2": "", "#x": "", "a;b": "", "a+b c": "", "@evil.example/": "", "//evil.example": "",
		"\\..\\": "", "x\r\nX-Evil: 1\r\n\r\n": "h", "\x00": "h", "\u0085": "h", "Grün ✓ \U0001F600": "", `","admin":true,"x":"`: "", "</script>\u2028": "", "": "", strings.Repeat("é", 3000): "",
	} {
		call, before := callOf(t, `{"v":`+jsonOf(value)+`}`), len(c.requests())
		r := send(t, s, call)
		if strings.Contains(refused, "u") {
			if is(r) != "permanent template" || len(c.requests()) != before {
				t.Errorf("%q: %s", value, is(r))
			}
		} else {
			got := c.last(t)
			var body struct {
				V     string
				P     map[string]string
				Admin bool
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.V != value || body.P["v"] != value || body.Admin {
				t.Errorf("%q: %s %v", value, got.body, err)
			}
			path, query, _ := strings.Cut(got.RequestURI, "?")
			q, err := url.ParseQuery(query)
			if is(r) != "confirmed " || got.URL.Path != "/a/"+value+"/b" || strings.Count(path, "/") != 3 || err != nil || len(q) != 2 || q.Get("p") != value || q.Get("q") != "1" {
				t.Errorf("%q: %s %s", value, is(r), got.RequestURI)
			}
		}
		before = len(c.requests())
		r = send(t, inHeader, call)
		if strings.Contains(refused, "h") && value != ".." {
			if is(r) != "permanent template" || len(c.requests()) != before {
				t.Errorf("%q in a header: %s", value, is(r))
			}
		} else if got := c.last(t); got.Header.Get("X-V") != strings.TrimRight("v "+value, " ") || got.Header.Get("X-Evil") != "" || got.Host != c.Listener.Addr().String() {
			t.Errorf("%q in a header: %q", value, got.Header)
		}
	}
	before := len(c.requests())
	hostile := callOf(t, `{"v":""}`, func(d *store.ClaimedDelivery) { d.Context.User = "u\r\nX-Evil: 1" })
	if r := send(t, s, hostile); is(r) != "permanent template" || len(c.requests()) != before {
		t.Error("in the context:", is(r))
	}
}

// A body that is no JSON is not sent as if it were; another content type takes any.
func TestBodies(t *testing.T) {
	c := newConsumer(t, answering(200, ""))
	for _, one := range []struct{ contentType, body, want, sent string }{
		{"application/json", `{"v":"{{.payload.v}}"}`, "permanent template", ""},
		{"application/json", `{{.payload.o.x.y}}`, "permanent template", ""},
		{"application/json", `{"v":{{.payload.v}},"r":{{.references.hub}}}`, "confirmed ", `{"v":"a\"b<","r":null}`},
		{"text/csv", `{{.payload.v}};{{.id}}`, "confirmed ", `a"b<;` + holdfast.ID{15: 2}.String()},
		{"application/xml", `<v>{{html .payload.v}}</v>`, "confirmed ", `<v>a&#34;b&lt;</v>`},
	} {
		before := len(c.requests())
		r := send(t, newSender(t, rest.Config{URL: c.URL, ContentType: one.contentType, Body: one.body}), callOf(t, `{"v":"a\"b<"}`))
		if is(r) != one.want || (one.sent == "") != (len(c.requests()) == before) {
			t.Errorf("%s: %s", one.body, is(r))
		} else if one.sent != "" && (c.last(t).body != one.sent || c.last(t).Header.Get("Content-Type") != one.contentType) {
			t.Errorf("%s: %s", one.body, c.last(t).body)
		}
	}
}

// Each status has one meaning, which the lists change.
func TestStatuses(t *testing.T) {
	status := 0
	c := newConsumer(t, func(w http.ResponseWriter, r *http.Request) { answering(status, leak)(w, r) })
	for name, one := range map[string]struct {
		config rest.Config
		want   func(status int) string
	}{
		"by themselves": {rest.Config{}, func(status int) string {
			switch {
			case status < 300:
				return "confirmed "
			case status >= 500, status < 400, slices.Contains([]int{401, 403, 404, 407, 408, 421, 423, 425, 429}, status):
				return "passing! status-%d"
			}
			return "permanent status-%d"
		}},
		"by the lists": {rest.Config{Permanent: []int{202, 404, 503}, Passing: []int{204, 400, 422}, AlreadyDone: []int{409, 500}}, func(status int) string {
			switch {
			case slices.Contains([]int{202, 404, 503}, status):
				return "permanent status-%d"
			case slices.Contains([]int{204, 400, 422}, status):
				return "passing! status-%d"
			case slices.Contains([]int{409, 500}, status), status < 300:
				return "confirmed "
			case status > 500, status < 400, slices.Contains([]int{401, 403, 407, 408, 421, 423, 425, 429}, status):
				return "passing! status-%d"
			}
			return "permanent status-%d"
		}},
	} {
		one.config.URL = c.URL
		s, call := newSender(t, one.config), callOf(t, `{}`)
		for status = 200; status < 600; status++ {
			want := one.want(status)
			if strings.Contains(want, "%") {
				want = fmt.Sprintf(want, status)
			}
			if r := send(t, s, call); is(r) != want || r.RetryAfter != 0 {
				t.Errorf("%s: %d: %s", name, status, is(r))
			}
		}
	}
}

func TestReferences(t *testing.T) {
	var answer string
	c := newConsumer(t, func(w http.ResponseWriter, r *http.Request) { answering(201, answer)(w, r) })
	long := strings.Repeat("9", 256)
	for _, one := range []struct{ path, kind, answer, want string }{
		{"$.r", "", `{"r":"R-1"}`, "confirmed R-1"},
		{"$.r", "any", `{"r":4711}`, "confirmed 4711"},
		{"$.r", "string", `{"r":"4711"}`, "confirmed 4711"},
		{"$.r", "number", `{"r":4711}`, "confirmed 4711"},
		{"$.r", "number", `{"r":-0.50}`, "confirmed -0.5"},
		{"$.r", "number", `{"r":12345678.0}`, "confirmed 12345678"},
		{"$.r", "number", `{"r":9007199254740993}`, "confirmed 9007199254740993"},
		{"$.r", "number", `{"r":123456789012345678901234567890}`, "confirmed 123456789012345678901234567890"},
		{"$.r", "", `{"r":"Grün 1"}`, "confirmed Grün 1"},
		{"$.r", "", `{"r":"` + long + `"}`, "confirmed " + long},
		{"$.d.lines[1].r", "", `{"d":{"lines":[{"r":"a"},{"r":"b"}]}}`, "confirmed b"},
		{"$['a b'].r", "", `{"a b":{"r":"c"}}`, "confirmed c"},
		{"$.r", "", ` {"x":"` + leak + `","r":"R-1"} ` + "\n", "confirmed R-1"},
		{"$.r", "string", `{"r":4711}`, "passing! bad-reference"},
		{"$.r", "number", `{"r":"4711"}`, "passing! bad-reference"},
		{"$.r", "", `{"r":true}`, "passing! bad-reference"},
		{"$.r", "", `{"r":null}`, "passing! bad-reference"},
		{"$.r", "", `{"r":["R-1"]}`, "passing! bad-reference"},
		{"$.r", "", `{"r":{"r":"R-1"}}`, "passing! bad-reference"},
		{"$.r", "", `{"r":""}`, "passing! bad-reference"},
		{"$.r", "", `{"r":"  "}`, "passing! bad-reference"},
		{"$.r", "", `{"r":"` + long + `1"}`, "passing! bad-reference"},
		{"$.r", "", `{"r":"a\nb"}`, "passing! bad-reference"},
		{"$.r", "", `{"r":"\u0000"}`, "passing! bad-reference"},
		{"$.r", "", `{"r":"\u001b[31m"}`, "passing! bad-reference"},
		{"$.r", "", `{"r":"\u202e"}`, "passing! bad-reference"},
		{"$.r", "", "{\"r\":\"a\xff\"}", "passing! bad-reference"},
		{"$.r", "", `{"r":1e999}`, "passing! bad-reference"},
		{"$.r", "", `{"r":1e300}`, "passing! bad-reference"},
		{"$.r", "", `{"R":"R-1"}`, "passing! no-reference"},
		{"$.r", "", `{}`, "passing! no-reference"},
		{"$.r", "", `"R-1"`, "passing! no-reference"},
		{"$.r", "", ``, "passing! no-reference"},
		{"$..r", "", `{"r":"a","x":{"r":"b"}}`, "passing! no-reference"},
		{"$.*", "", `{"r":"a","x":"b"}`, "passing! no-reference"},
		{"$.r", "", `{"r":"R-1"`, "passing! bad-answer"},
		{"$.r", "", `{"r":"R-1"}{"r":"R-2"}`, "passing! bad-answer"},
		{"$.r", "", `<html>` + leak, "passing! bad-answer"},
		{"$.r", "", `{r:'R-1'}`, "passing! bad-answer"},
		{"$..r", "", strings.Repeat(`{"r":`, 100_000) + strings.Repeat("}", 100_000), "passing! no-reference"},
		{"", "", `<html>` + leak, "confirmed "},
		{"", "", ``, "confirmed "},
	} {
		answer = one.answer
		s := newSender(t, rest.Config{URL: c.URL, Reference: one.path, ReferenceType: one.kind})
		if r := send(t, s, callOf(t, `{}`)); is(r) != one.want {
			t.Errorf("%s of %.60q: %s, not %s", one.path, one.answer, is(r), one.want)
		}
	}
	done := newConsumer(t, answering(409, `{"r":"R-9"}`))
	if r := send(t, newSender(t, rest.Config{URL: done.URL, Reference: "$.r", AlreadyDone: []int{409}}), callOf(t, `{}`)); is(r) != "confirmed R-9" {
		t.Error("done already:", is(r))
	}
	if r := send(t, newSender(t, rest.Config{URL: done.URL, Reference: "$.x", AlreadyDone: []int{409}}), callOf(t, `{}`)); is(r) != "passing! no-reference" {
		t.Error("done already, but what?", is(r))
	}
}

// No answer takes more memory than it may, packed or not.
func TestAnswersAreBounded(t *testing.T) {
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = packed.Write(make([]byte, 1<<20))
	}
	_ = packed.Close()
	padded := func(n int) string { return `{"r":"R-1"}` + strings.Repeat(" ", n-len(`{"r":"R-1"}`)) }
	for name, one := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"as large as it may be": {answering(200, padded(1000)), "confirmed R-1"},
		"one more":              {answering(200, padded(1001)), "passing! large-answer"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "passing! large-answer"},
		"packed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, "passing! large-answer"},
		"packed refusal": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(400)
			_, _ = w.Write(bomb.Bytes())
		}, "permanent status-400"},
		"not what it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(`{"r":"R-1"}`))
		}, "passing! broken-answer"},
		"shorter than it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"r":"R-1"}`))
		}, "passing! broken-answer"},
		"large headers": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 100<<10))
			referring(w, r)
		}, "passing! no-answer"},
	} {
		c := newConsumer(t, one.answer)
		if r := send(t, newSender(t, rest.Config{URL: c.URL, Reference: "$.r", MaxAnswer: 1000}), callOf(t, `{}`)); is(r) != one.want {
			t.Errorf("%s: %s", name, is(r))
		}
	}
}

// What the consumer asks for is asked in seconds or as a date; nonsense asks for nothing.
func TestRetryAfter(t *testing.T) {
	var header string
	status := 503
	c := newConsumer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", header)
		w.WriteHeader(status)
	})
	s := newSender(t, rest.Config{URL: c.URL})
	for _, one := range []struct {
		header string
		status int
		least  time.Duration
		most   time.Duration
	}{
		{"7", 503, 7 * time.Second, 7 * time.Second},
		{"7", 429, 7 * time.Second, 7 * time.Second},
		{"7", 200, 0, 0},
		{"0", 503, 0, 0},
		{"-7", 503, 0, 0},
		{"7.5", 503, 0, 0},
		{"soon", 503, 0, 0},
		{"", 503, 0, 0},
		{"2147483647", 503, 1<<31*time.Second - time.Second, 1<<31*time.Second - time.Second},
		{"99999999999999999999", 503, 24 * time.Hour, 1 << 62},
		{"-99999999999999999999", 503, 0, 0},
		{time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 503, 50 * time.Second, time.Minute},
		{time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat), 503, 0, 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 503, 24 * time.Hour, 1<<63 - 1},
	} {
		header, status = one.header, one.status
		if r := send(t, s, callOf(t, `{}`)); r.RetryAfter < one.least || r.RetryAfter > one.most {
			t.Errorf("%q: %s", one.header, r.RetryAfter)
		}
	}
}

// A redirect is followed only to where the call was going anyway, and as it is.
func TestRedirects(t *testing.T) {
	other := newConsumer(t, referring)
	var to string
	var status int
	c := newConsumer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/there" {
			referring(w, r)
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	})
	held := file(t, secret)
	s := newSender(t, rest.Config{URL: c.URL + "/here", Reference: "$.referenceNumber", BearerFile: held, Body: `{"id":{{.id}}}`})
	for _, one := range []struct {
		status int
		to     string
		want   string
		asked  int
	}{
		{307, "/there", "confirmed R-1", 2},
		{308, c.URL + "/there", "confirmed R-1", 2},
		{301, "/there", "passing! redirect", 1},
		{302, "/there", "passing! redirect", 1},
		{303, "/there", "passing! redirect", 1},
		{307, other.URL + "/there", "passing! redirect", 1},
		{307, "https://" + c.Listener.Addr().String() + "/there", "passing! redirect", 1},
		{307, "/here", "passing! redirect", 4},
		{307, "file:///etc/passwd", "passing! redirect", 1},
		{307, ":", "passing! no-answer", 1},
		{307, "", "passing! status-307", 1},
		{304, "/there", "passing! status-304", 1},
	} {
		status, to = one.status, one.to
		before := len(c.requests())
		r := send(t, s, callOf(t, `{}`))
		got := c.requests()[before:]
		if is(r) != one.want || len(got) != one.asked {
			t.Errorf("%d to %s: %s after %d requests", one.status, one.to, is(r), len(got))
		}
		for _, g := range got {
			if g.Method != "POST" || g.body != got[0].body || g.Header.Get("Idempotency-Key") != got[0].Header.Get("Idempotency-Key") || g.Header.Get("Authorization") != "Bearer "+secret {
				t.Errorf("%d to %s: %s %s %v", one.status, one.to, g.Method, g.body, g.Header)
			}
		}
	}
	if n := len(other.requests()); n != 0 {
		t.Errorf("%d requests elsewhere", n)
	}
}

// However a consumer is silent, the call ends with its time; and a call that the gateway ends is not the consumer's fault.
func TestTheTimeIsOver(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	wait := func(r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // connections are taken by the kernel, and nobody speaks
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	begun := func(status int) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"r":`))
			_ = http.NewResponseController(w).Flush()
			wait(r)
		}
	}
	for name, one := range map[string]struct {
		url    string
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"before the headers": {"", func(_ http.ResponseWriter, r *http.Request) { wait(r) }, "passing! timeout"},
		"in the body":        {"", begun(200), "passing! timeout"},
		"in a refusal":       {"", begun(422), "permanent status-422"},
		"drop by drop": {"", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		}, "passing! timeout"},
		"before the handshake": {"https://" + deaf.Addr().String(), nil, "passing! timeout"},
		"deaf":                 {"http://" + deaf.Addr().String(), nil, "passing! timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			var c *consumer
			if one.url == "" {
				c = newConsumer(t, one.answer)
				one.url = c.URL
			}
			s := newSender(t, rest.Config{URL: one.url, Reference: "$.r"})
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			began := time.Now()
			if r := sendIn(ctx, t, s, callOf(t, `{}`)); is(r) != one.want || time.Since(began) > 2*time.Second {
				t.Errorf("%s after %s", is(r), time.Since(began))
			}
			if strings.HasPrefix(one.want, "permanent") {
				return
			}
			ended, end := context.WithCancelCause(t.Context())
			done := make(chan delivery.Result, 1)
			go func() { done <- sendIn(ended, t, s, callOf(t, `{}`)) }()
			deadline := time.Now().Add(5 * time.Second)
			for c != nil && len(c.requests()) < 2 && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			end(errors.New("the lease is lost"))
			if r := <-done; is(r) != "passing interrupted" {
				t.Error("broken off:", is(r))
			}
		})
	}
}

func TestNobodyIsThere(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for address, want := range map[string]string{
		"http://" + gone.Addr().String():  "passing! unreachable",
		"https://" + gone.Addr().String(): "passing! unreachable",
		"http://wms.invalid":              "passing! unreachable",
	} {
		if r := send(t, newSender(t, rest.Config{URL: address}), callOf(t, `{}`)); is(r) != want {
			t.Error(address, is(r))
		}
	}
}
