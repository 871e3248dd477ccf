package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// dataOf is what a template sees of this payload.
func dataOf(t testing.TB, payload string) map[string]any {
	t.Helper()
	c, err := NewCall(claimedOf(`{"type":"pick.completed","schema":2,"payload":`+payload+`}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Data()
}

func TestTemplates(t *testing.T) {
	const payload = `{"s":"a b/c?d=1&e#f%2f..","n":12345678901234567890.10,"o":{"x":["<&>",null,true]},"z":null,"dots":"..","dot":".","crlf":"a\r\nb","bell":"\u0007","next":"\u0085",
		"tab":"a\tb","bad":"\ud800","u":"Grün ✓","name":".../etc/passwd\u0000","e":"","lines":[{"q":1},{"q":"x"}]}`
	refused := "\x00"
	for _, c := range []struct {
		place      Place
		text, want string
	}{
		{InURL, "/{{.payload.s}}", "/a%20b%2Fc%3Fd%3D1%26e%23f%252f.."},
		{InURL, "/{{.payload.dots}}/", refused},
		{InURL, "/{{.payload.dot}}{{.payload.dot}}/", refused},
		{InURL, "/{{.payload.crlf}}", "/a%0D%0Ab"},
		{InURL, "/{{.payload.u}}", "/Gr%C3%BCn%20%E2%9C%93"},
		{InURL, "/{{.payload.n}}", "/12345678901234567890.10"},
		{InURL, "/{{.payload.o}}", "/%7B%22x%22%3A%5B%22%3C%26%3E%22%2Cnull%2Ctrue%5D%7D"},
		{InURL, "/{{.payload.nothing}}/{{.payload.z}}", "//"},
		{InURL, "/{{.payload.nothing.x}}", refused},
		{InURL, "/{{range .payload.lines}}{{.q}},{{end}}", "/1,x,"},
		{InURL, "{{with .payload.o}}{{index .x 0}}{{$.schema}}{{end}}", "%3C%26%3E2"},
		{InURL, "{{define \"x\"}}{{.s}}{{end}}{{template \"x\" .payload}}", "a%20b%2Fc%3Fd%3D1%26e%23f%252f.."},
		{InURL, "{{$x := .payload.u}}{{if $x}}{{$x}}{{else}}{{.payload.s}}{{end}}", "Gr%C3%BCn%20%E2%9C%93"},
		{InURL, "{{default \"none\" .payload.e}}{{default \"none\" .payload.u}}", "noneGr%C3%BCn%20%E2%9C%93"},
		{InHeader, "{{.payload.u}}", "Grün ✓"},
		{InHeader, "{{.payload.tab}}", "a\tb"},
		{InHeader, "{{.payload.crlf}}", refused},
		{InHeader, "{{.payload.bell}}", refused},
		{InHeader, "{{.payload.next}}", refused},
		{InHeader, "{{.payload.bad}}", refused},
		{InHeader, "{{upper .payload.u}}{{lower .payload.nothing}}{{lower .schema}}", "GRÜN ✓2"},
		{InJSON, `{"a":{{.payload.u}},"b":{{.payload.o}},"c":{{.payload.nothing}},"d":{{.payload.n}}}`, `{"a":"Grün ✓","b":{"x":["<&>",null,true]},"c":null,"d":12345678901234567890.10}`},
		{InJSON, `{{json .payload.o}}`, `"{\"x\":[\"<&>\",null,true]}"`},
		{InJSON, `{{printf "%s-%v" .payload.u .schema}}`, `"Grün ✓-2"`},
		{InJSON, `{{.references.wms}}{{.referenceNumber}}`, `null""`},
		{InText, "{{.payload.u}}{{json .payload.o}}{{.payload.z}}", `Grün ✓{"x":["<&>",null,true]}`},
		{InName, "{{.payload.name}}.json", "..._etc_passwd_.json"},
		{InName, "{{.payload.u}}.json", "Gr_n__.json"},
	} {
		tt, err := ParseTemplate("url", c.text, c.place)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got, err := tt.Expand(dataOf(t, payload))
		if c.want == refused && !errors.Is(err, ErrValue) || c.want != refused && (err != nil || got != c.want) {
			t.Errorf("%d %s: %q %v", c.place, c.text, got, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n\a\u0085") {
			t.Errorf("%s: a value is told: %q", c.text, err)
		}
	}
}

// What no transaction has, and what can't be a template, is found at the start.
func TestTemplatesThatCanNotBe(t *testing.T) {
	for text, want := range map[string]string{
		"{{.payload":                                "unclosed action",
		"{{nothing .payload}}":                      `function "nothing" not defined`,
		"{{.payloda.x}}":                            "a transaction has no .payloda",
		"{{if .id}}{{upper (.nr)}}{{end}}":          "a transaction has no .nr",
		"{{if .id}}{{else}}{{.nr}}{{end}}":          "a transaction has no .nr",
		"{{range .payload.x}}{{$.nr}}{{end}}":       "a transaction has no .nr",
		"{{with .nr}}{{end}}":                       "a transaction has no .nr",
		"{{with .id}}{{else}}{{.nr}}{{end}}":        "a transaction has no .nr",
		"{{(.nr).x}}":                               "a transaction has no .nr",
		"{{.type.name}}":                            ".type has no members",
		"{{template \"x\" .}}":                      `"x" is not defined`,
		"{{define \"a\"}}{{template \"x\"}}{{end}}": `"x" is not defined`,
	} {
		if _, err := ParseTemplate("url", text, InURL); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "url:") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"", "{{.payload.a.b.c}}", "{{index .attachments 0}}", "{{with .payload}}{{.nr}}{{end}}", "{{range .payload.x}}{{.nr}}{{end}}", "{{lower .payload.x}}", "{{.seq.Int64}}",
		"{{range .attachments}}{{.sha256}}{{end}}", "{{define \"x\"}}{{.nr}}{{$.nr}}{{end}}{{template \"x\" .payload}}", "{{.file.sha256}}{{.key}}{{.attempt}}",
	} {
		if _, err := ParseTemplate("url", text, InURL); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTemplatesAreBounded(t *testing.T) {
	for text, want := range map[string]string{
		`{{range 70}}{{printf "%1000000d" 1}}{{end}}`:           errLarge.Error(),
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`: "does not fit",
	} {
		tt, err := ParseTemplate("x", text, InText)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := tt.Expand(map[string]any{}); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), want) || out != "" {
			t.Error(len(out), err)
		}
	}
}

// dotSegment is one that a reader of the URL takes away.
var dotSegment = regexp.MustCompile(`(?i)/(\.|%2e){1,2}(/|$)`)

// Whatever a device sends, it stays a value in its place.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"", "x", "../../etc", ".", "..", "?x=1&y=2#z", "%2f", "%2e%2e", "\r\nX-Evil: 1", "a\x00b", "Grün ✓", "\xff\xfe", "\u2028", "@evil.example", ":8080", "//evil.example", "\\", "\"},{\"", "{{.id}}", "\u0085",
		strings.Repeat("é", 300),
	} {
		f.Add(seed, "{{.payload.v}}-{{.payload.o}}")
	}
	f.Add("x", `{{define "a"}}{{.}}{{end}}{{template "a" .payload}}{{with .payload.v}}{{$.id}}{{else}}{{end}}`)
	f.Add("x", `{{printf "%[3]*.[2]*[1]f" 12.0 2 6}}{{slice .payload.v 0 5}}{{index .payload.o .payload.v}}{{call .payload.v}}{{html .payload.v | urlquery | js}}`)
	must := func(text string, place Place) *Template {
		tt, err := ParseTemplate("x", text, place)
		if err != nil {
			f.Fatal(err)
		}
		return tt
	}
	inURL, inHeader := must("https://wms.example/a/{{.payload.v}}/b?c={{.payload.v}}&d={{.payload.o}}", InURL), must("v={{.payload.v}}", InHeader)
	inJSON, inName := must(`{"v":{{.payload.v}},"l":[{{range .payload.l}}{{.}},{{end}}0],"o":{{.payload.o}}}`, InJSON), must("{{.payload.v}}.json", InName)
	alone := must("{{.payload.v}}", InURL)
	f.Fuzz(func(t *testing.T, value, text string) {
		data := map[string]any{"id": "1", "payload": map[string]any{"v": value, "l": []any{value, nil}, "o": map[string]any{value: value}}}
		if out, err := alone.Expand(data); err == nil && (strings.ContainsAny(out, "/?#&@:\\+ ") || strings.ContainsFunc(out, func(r rune) bool { return r < '!' || r > '~' })) {
			t.Fatalf("%q", out)
		}
		switch out, err := inURL.Expand(data); {
		case err != nil && value != "." && value != "..":
			t.Fatal(err)
		case err == nil:
			u, err := url.Parse(out)
			if err != nil || u.Host != "wms.example" || u.Scheme != "https" || u.User != nil || u.Fragment != "" || dotSegment.MatchString(u.EscapedPath()) {
				t.Fatalf("%q %v", out, err)
			}
			q := u.Query()
			if u.Path != "/a/"+value+"/b" || len(q) != 2 || !slices.Equal(q["c"], []string{value}) {
				t.Fatalf("%q %q", u.Path, q)
			}
		}
		if out, err := inHeader.Expand(data); err == nil {
			if strings.ContainsFunc(out, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
				t.Fatalf("%q", out)
			}
		}
		out, err := inJSON.Expand(data)
		var read struct {
			V string
			L []any
		}
		if err != nil || !json.Valid([]byte(out)) || json.Unmarshal([]byte(out), &read) != nil || len(read.L) != 3 || utf8.ValidString(value) && read.V != value {
			t.Fatalf("%q %v", out, err)
		}
		if out, err := inName.Expand(data); err != nil || strings.ContainsFunc(out, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r)
		}) {
			t.Fatalf("%q %v", out, err)
		}
		if strings.Contains(text, "range") || len(text) > 300 { // 1e9 rounds are the configuration's own fault
			return
		}
		for place := InURL; place <= InName; place++ {
			tt, err := ParseTemplate("x", text, place)
			if err != nil {
				continue
			}
			if _, err := tt.Expand(data); err != nil && !errors.Is(err, ErrValue) {
				t.Fatal(err)
			}
		}
	})
}

// Members under other spellings are other members.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{
		`{"type":"a","orderKey":"k","entity":{"type":"t","id":"i"},"payload":{}}`,
		`{"type":"a","Type":"b","TYPE":"c","entity":{"ID":"x","id":"i"},"Entity":{"id":"j"},"orderkey":"z"}`,
		`{"type":1,"orderKey":null,"entity":[]}`, `{"Type":"b","ENTITY":{"id":"i"},"orderKEY":"k"}`, `[]`, `null`, ``, `{"type":"a`, `{"type":"\ud800"}`, `{"entity":{"id":"\u0000"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want map[string]any
		_ = json.Unmarshal(raw, &want)
		text := func(m map[string]any, name string) string { s, _ := m[name].(string); return s }
		entity, _ := want["entity"].(map[string]any)
		if got := headerOf(raw); got != (header{text(want, "type"), text(want, "orderKey"), text(entity, "type"), text(entity, "id")}) {
			t.Fatalf("%q: %+v", raw, got)
		}
	})
}

// What a consumer gets is what was checked and no other spelling of it.
func FuzzNewCall(f *testing.F) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, seed := range []string{
		`{"type":"a","payload":{"x":1}}`, `{"type":"a","payload":{"x":1},"Payload":{"x":2}}`, `{"Payload":{"x":2}}`, `{"payload":1e400}`, `{"PAYLOAD":1,"payload":"<>&\u2028","schema":3,"Schema":4}`,
		`{"payload":{},"attachments":[{"sha256":"` + sum + `","SHA256":"x","size":3,"Size":4,"name":"n"}],"Attachments":[{}]}`, `{"attachments":[null]}`, `{"attachments":{}}`, `{"entity":"x","Entity":{}}`, `null`, `[]`, ``, `{`,
	} {
		f.Add([]byte(seed), []byte(`{"`+claimedOf("").Transaction.String()+`":{"referenceNumber":"R-1","ReferenceNumber":"R-2"}}`))
	}
	f.Fuzz(func(t *testing.T, raw, prior []byte) {
		d := claimedOf(string(raw))
		d.Prior = prior
		c, err := NewCall(d, nil)
		if err != nil {
			return
		}
		want, got := exact(raw), exact(c.Envelope)
		if !json.Valid(c.Envelope) || got == nil || !bytes.Equal(canonical(got["payload"]), canonical(want["payload"])) || !bytes.Equal(canonical(got["entity"]), canonical(want["entity"])) {
			t.Fatalf("%s became %s", raw, c.Envelope)
		}
		if c.Data()["type"] != textOf(want["type"]) || string(got["id"]) != `"`+d.Transaction.String()+`"` || string(got["consumer"]) != `"wms"` {
			t.Fatalf("%s became %s", raw, c.Envelope)
		}
		if shown := c.shown(); shown != textOf(exact(exact(prior)[d.Transaction.String()])["referenceNumber"]) {
			t.Fatalf("%s shows %s", prior, shown)
		}
	})
}

// exact reads an object without looking at names in another case.
func exact(text []byte) (m map[string]json.RawMessage) {
	_ = json.Unmarshal(text, &m)
	return m
}

func textOf(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}

// canonical is the same for the same value; nothing is null.
func canonical(raw json.RawMessage) []byte {
	if raw == nil {
		return []byte("null")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	_ = d.Decode(&v)
	text, _ := json.Marshal(v)
	return text
}
