package schemas_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-sync/holdfast/schemas"
)

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// one registers one schema as version 1 of the type "t".
func one(t *testing.T, schema string) *schemas.Registry {
	t.Helper()
	r, err := schemas.Open(schemas.Config{
		Dir:   folder(t, map[string]string{"s.json": schema}),
		Types: []schemas.Type{{Type: "t", Version: 1, File: "s.json"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Retryable *bool  `json:"retryable"`
	Errors    []struct{ Pointer, Detail string }
}

func decode(t *testing.T, text []byte) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("not a problem: %v in %s", err, text)
	}
	return p
}

// lines are the errors as "pointer: detail".
func lines(p problem) []string {
	out := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		out[i] = e.Pointer + ": " + e.Detail
	}
	return out
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		schema, payload string
		want            []string // nil: acceptable
	}{
		"acceptable":        {`{"required":["a"]}`, `{"a":1,"other":2}`, nil},
		"required":          {`{"required":["b","a"]}`, `{}`, []string{"/payload/a: is required", "/payload/b: is required"}},
		"required, inner":   {`{"properties":{"l":{"items":{"required":["sku"]}}}}`, `{"l":[{"sku":1},{}]}`, []string{"/payload/l/1/sku: is required"}},
		"type":              {`{"properties":{"a":{"type":["integer","null"]}}}`, `{"a":"secret"}`, []string{"/payload/a: must be null or integer"}},
		"1.0 is an integer": {`{"properties":{"a":{"type":"integer"}}}`, `{"a":1.0}`, nil},
		"enum":              {`{"properties":{"a":{"enum":["x","y"]}}}`, `{"a":"secret"}`, []string{"/payload/a: is not one of the values allowed"}},
		"const":             {`{"properties":{"a":{"const":3}}}`, `{"a":4}`, []string{"/payload/a: is not one of the values allowed"}},
		"pattern":           {`{"properties":{"a":{"pattern":"^x"}}}`, `{"a":"secret"}`, []string{"/payload/a: must match the pattern"}},
		"format is asserted": {
			`{"properties":{"a":{"format":"date-time"},"b":{"format":"uuid"}}}`, `{"a":"secret","b":"secret"}`,
			[]string{"/payload/a: must have the format date-time", "/payload/b: must have the format uuid"},
		},
		"unknown format": {`{"properties":{"a":{"format":"shoe-size"}}}`, `{"a":"secret"}`, nil},
		"lengths": {
			`{"properties":{"a":{"minLength":3},"b":{"maxLength":2}}}`, `{"a":"x","b":"äöü"}`,
			[]string{"/payload/a: must have at least 3 characters", "/payload/b: must have at most 2 characters"},
		},
		"limits": {
			`{"properties":{"a":{"minimum":1.5},"b":{"maximum":10},"c":{"exclusiveMinimum":0},"d":{"exclusiveMaximum":0},"e":{"multipleOf":0.01}}}`,
			`{"a":1,"b":11,"c":0,"d":0,"e":0.001}`,
			[]string{
				"/payload/a: must be at least 1.5", "/payload/b: must be at most 10", "/payload/c: must be more than 0",
				"/payload/d: must be less than 0", "/payload/e: must be a multiple of 0.01",
			},
		},
		"items": {
			`{"properties":{"a":{"minItems":2},"b":{"maxItems":1},"c":{"uniqueItems":true},"d":{"contains":{"const":1}}}}`,
			`{"a":[],"b":[1,2],"c":[1,2,1.0],"d":[]}`,
			[]string{
				"/payload/a: must have at least 2 items", "/payload/b: must have at most 1 items",
				"/payload/c: repeats item 0 as item 2", "/payload/d: has too few or too many items of a kind",
			},
		},
		"tuples of draft 7": {
			`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"items":[{}],"additionalItems":false}}}`,
			`{"a":[1,2]}`,
			[]string{"/payload/a: has more items than are allowed"},
		},
		"members": {
			`{"minProperties":3,"properties":{"a":{"maxProperties":0},"b":{"additionalProperties":false}}}`,
			`{"a":{"secret":1},"b":{"secret":1}}`,
			[]string{"/payload: must have at least 3 members", "/payload/a: must have at most 0 members", "/payload/b: has members that are not allowed"},
		},
		"dependent": {
			`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, []string{"/payload/b: is required"},
		},
		"dependencies of draft 7": {
			`{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"a":["b"]}}`, `{"a":1}`,
			[]string{"/payload/b: is required"},
		},
		"names the schema does not know": {
			`{"additionalProperties":{"type":"object","additionalProperties":{"type":"string"}}}`, `{"+49170555":{"secret":1}}`,
			[]string{"/payload/*/*: must be string"},
		},
		"names that look like indexes": {
			`{"additionalProperties":{"items":{"type":"string"}}}`, `{"4917055512":["x",5]}`,
			[]string{"/payload/*/1: must be string"},
		},
		"property names": {
			`{"propertyNames":{"maxLength":3}}`, `{"secret":1}`, []string{"/payload/*: has a name that is not allowed"},
		},
		"escaped pointers": {
			`{"properties":{"a/b~c":{"type":"string"}}}`, `{"a/b~c":1}`, []string{"/payload/a~1b~0c: must be string"},
		},
		"choices are one violation": {
			`{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]},"b":{"oneOf":[{"type":"integer"},{"minimum":1}]},"c":{"not":{"type":"null"}},"d":false}}`,
			`{"a":1,"b":2,"c":null,"d":1}`,
			[]string{
				"/payload/a: matches none of the alternatives", "/payload/b: must match exactly one of the alternatives",
				"/payload/c: is what must not be", "/payload/d: must not be there",
			},
		},
		"all of":              {`{"allOf":[{"required":["a"]},{"$ref":"#/$defs/d"}],"$defs":{"d":{"required":["b"]}}}`, `{}`, []string{"/payload/a: is required", "/payload/b: is required"}},
		"unevaluated":         {`{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}`, `{"a":1,"secret":2}`, []string{"/payload/*: must not be there"}},
		"huge exponent":       {`{"properties":{"a":{"maximum":10}}}`, `{"a":1e400000000}`, []string{"/payload: holds a number of more than 400 digits, or is nested more than 64 levels deep"}},
		"huge small exponent": {`{}`, `{"a":[1E-400000000]}`, []string{"/payload: holds a number of more than 400 digits, or is nested more than 64 levels deep"}},
		"exponent of an exponent": {
			`{}`, `{"a":1e99999999999999999999999999}`, []string{"/payload: holds a number of more than 400 digits, or is nested more than 64 levels deep"},
		},
		"many digits":            {`{}`, `{"a":` + strings.Repeat("7", 500) + `}`, []string{"/payload: holds a number of more than 400 digits, or is nested more than 64 levels deep"}},
		"as large as a float":    {`{"properties":{"a":{"type":"number"}}}`, `{"a":1.7976931348623157e+308}`, nil},
		"exact decimals":         {`{"properties":{"a":{"maximum":9007199254740993}}}`, `{"a":9007199254740993}`, nil},
		"as long as may be":      {`{}`, `{"a":[1e399,1e-399,` + strings.Repeat("7", 400) + `]}`, nil},
		"one longer":             {`{}`, `{"a":1e400}`, []string{"/payload: holds a number of more than 400 digits, or is nested more than 64 levels deep"}},
		"digits in strings":      {`{}`, `{"a":"1e400000000 \" 1e400000000"}`, nil},
		"the last of duplicates": {`{"properties":{"a":{"type":"string"}}}`, `{"a":1,"a":"x"}`, nil},
		"lone surrogate":         {`{"properties":{"a":{"maxLength":1}}}`, `{"a":"\ud800"}`, nil},
		"recursive":              {`{"properties":{"next":{"$ref":"#"}},"additionalProperties":false}`, `{"next":{"next":{"x":1}}}`, []string{"/payload/next/next: has members that are not allowed"}},
		"not JSON":               {`{}`, `{"a":`, []string{"/payload: holds a number of more than 400 digits, or is nested more than 64 levels deep"}},
		"false":                  {`false`, `{}`, []string{"/payload: must not be there"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := one(t, c.schema).Check("t", 1, []byte(c.payload))
			if c.want == nil {
				if got != nil {
					t.Fatalf("not accepted: %s", got)
				}
				return
			}
			if got == nil {
				t.Fatal("accepted")
			}
			if l := lines(decode(t, got)); strings.Join(l, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(l, "\n  "), strings.Join(c.want, "\n  "))
			}
			for _, leak := range []string{"secret", "49170"} {
				if strings.Contains(string(got), leak) {
					t.Errorf("the problem tells of the payload: %s", got)
				}
			}
		})
	}
}

func TestProblemIsRFC9457(t *testing.T) {
	p := decode(t, one(t, `false`).Check("t", 1, []byte(`{}`)))
	if p.Type != "/problems/schema-violation" || p.Code != "schema-violation" || p.Status != 422 || p.Title == "" || p.Detail == "" {
		t.Errorf("%+v", p)
	}
	if p.Retryable == nil || *p.Retryable {
		t.Error("retryable must be there and false")
	}
}

func TestUnregistered(t *testing.T) {
	dir := folder(t, map[string]string{"s.json": `{}`})
	config := schemas.Config{Dir: dir, Types: []schemas.Type{{Type: "t", Version: 1, File: "s.json"}}}
	for setting, want := range map[string][2]string{
		"": {}, schemas.Accept: {}, schemas.Quarantine: {"/type: is not registered", "/schema: is not registered"},
	} {
		config.Unregistered = setting
		r, err := schemas.Open(config)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range []struct {
			typ     string
			version int64
		}{{"other", 1}, {"t", 2}} {
			got := r.Check(k.typ, k.version, []byte(`{"a":1e400000000}`))
			if want[i] == "" {
				if got != nil {
					t.Errorf("%q: %s", setting, got)
				}
				continue
			}
			if l := lines(decode(t, got)); len(l) != 1 || l[0] != want[i] {
				t.Errorf("%q: %v, want %s", setting, l, want[i])
			}
		}
	}
}

func TestVersionZeroIsWithoutVersion(t *testing.T) {
	r, err := schemas.Open(schemas.Config{
		Dir: folder(t, map[string]string{"no.json": `false`, "yes.json": `true`}),
		Types: []schemas.Type{
			{Type: "t", File: "no.json"},
			{Type: "t", Version: 1, File: "yes.json"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Check("t", 0, []byte(`{}`)) == nil || r.Check("t", 1, []byte(`{}`)) != nil {
		t.Error("the versions are mixed up")
	}
}

func TestRefs(t *testing.T) {
	dir := folder(t, map[string]string{
		"a/order.json":  `{"properties":{"lines":{"items":{"$ref":"../b/line.json#/$defs/line"}}}}`,
		"b/line.json":   `{"$defs":{"line":{"required":["sku"]}}}`,
		"by-id.json":    `{"$id":"https://example.com/by-id","properties":{"a":{"$ref":"other"}}}`,
		"other-id.json": `{"$id":"https://example.com/other","type":"string"}`,
		"sp ace.json":   `{"$ref":"b/line.json#/$defs/line"}`,
	})
	r, err := schemas.Open(schemas.Config{Dir: dir, Types: []schemas.Type{
		{Type: "order", Version: 1, File: "a/order.json"},
		{Type: "by-id", Version: 1, File: filepath.Join(dir, "by-id.json")},
		{Type: "other", Version: 1, File: "other-id.json"},
		{Type: "space", Version: 1, File: "./sp ace.json"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for typ, c := range map[string][2]string{
		"order": {`{"lines":[{}]}`, "/payload/lines/0/sku: is required"},
		"by-id": {`{"a":1}`, "/payload/a: must be string"},
		"space": {`{}`, "/payload/sku: is required"},
	} {
		if got := r.Check(typ, 1, []byte(c[0])); got == nil || lines(decode(t, got))[0] != c[1] {
			t.Errorf("%s: %s", typ, got)
		}
	}
}

func TestBrokenSchemasStopTheStartWithOneLine(t *testing.T) {
	outside := folder(t, map[string]string{"s.json": `{}`})
	for name, c := range map[string]struct {
		file, content, want string
	}{
		"missing":          {"no.json", ``, "schemas: no.json: can't be read: no such file or directory"},
		"not JSON":         {"s.json", `{"a":`, "schemas: s.json: is not JSON: unexpected EOF"},
		"not a schema":     {"s.json", `{"type":"shoe"}`, "schemas: s.json: "},
		"bad pattern":      {"s.json", `{"properties":{"a":{"pattern":"(?<=x)"}}}`, "schemas: s.json: "},
		"huge number":      {"s.json", `{"maximum":1e400000000}`, "schemas: s.json: holds a number of more than 400 digits, or is nested more than 64 levels deep"},
		"network":          {"s.json", `{"$ref":"http://127.0.0.1:1/x.json"}`, "schemas: s.json: $ref http://127.0.0.1:1/x.json: refers to what is neither a file below the configuration's folder nor the $id of a registered schema; the network is never asked"},
		"file URL":         {"s.json", `{"$ref":"file:///etc/passwd"}`, "schemas: s.json: $ref file:///etc/passwd: refers to"},
		"own metaschema":   {"s.json", `{"$schema":"https://example.com/meta"}`, "schemas: s.json: $ref https://example.com/meta: refers to"},
		"outside":          {"../s.json", ``, "schemas: ../s.json: is not below "},
		"outside absolute": {filepath.Join(outside, "s.json"), ``, "is not below "},
		"dangling ref":     {"s.json", `{"$ref":"none.json"}`, "schemas: s.json: $ref none.json: can't be read: no such file or directory"},
		"dangling pointer": {"s.json", `{"$ref":"#/$defs/x"}`, "schemas: s.json: "},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if c.content != "" {
				files["s.json"] = c.content
			}
			_, err := schemas.Open(schemas.Config{Dir: folder(t, files), Types: []schemas.Type{{Type: "t", Version: 1, File: c.file}}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

func TestSymbolicLinksOutOfTheFolderAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	outside := folder(t, map[string]string{"s.json": `{}`})
	if err := os.Symlink(filepath.Join(outside, "s.json"), filepath.Join(dir, "s.json")); err != nil {
		t.Fatal(err)
	}
	_, err := schemas.Open(schemas.Config{Dir: dir, Types: []schemas.Type{{Type: "t", Version: 1, File: "s.json"}}})
	if err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Fatal(err)
	}
}

func TestContradictoryConfig(t *testing.T) {
	for want, c := range map[string]schemas.Config{
		"unregistered must be":            {Unregistered: "maybe"},
		"an entry has no type":            {Types: []schemas.Type{{File: "s.json"}}},
		"t has a version below 0":         {Types: []schemas.Type{{Type: "t", Version: -1, File: "s.json"}}},
		"t version 1 has no file":         {Types: []schemas.Type{{Type: "t", Version: 1}}},
		"t version 1 is registered twice": {Types: []schemas.Type{{Type: "t", Version: 1, File: "a"}, {Type: "t", Version: 1, File: "b"}}},
		"no such file or directory":       {Dir: filepath.Join(t.TempDir(), "none"), Types: []schemas.Type{{Type: "t", File: "a"}}},
	} {
		if _, err := schemas.Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestViolationsAreCapped(t *testing.T) {
	r := one(t, `{"properties":{"a":{"items":{"type":"string"}}}}`)
	got := r.Check("t", 1, []byte(`{"a":[`+strings.Repeat("1,", 1000)+`1]}`))
	if n := len(decode(t, got).Errors); n != 20 {
		t.Errorf("%d places", n)
	}
}

// A payload of a few megabytes can break a schema in a million places; what it
// may cost is bounded by the number of its values.
func TestManyValues(t *testing.T) {
	r := one(t, `{"properties":{"a":{"items":{"type":"string"}}}}`)
	list := func(item string, n int) []byte {
		return []byte(`{"a":[` + strings.Repeat(item+",", n-1) + item + `]}`)
	}
	const most = 100_000 - 2 // the object and the list are values too
	if got := r.Check("t", 1, list(`""`, most)); got != nil {
		t.Errorf("as many as may be: %s", got)
	}
	for n, want := range map[int]string{
		most:     "/payload/a/0: must be string",
		most + 1: "/payload: holds more than 100000 values",
		1 << 20:  "/payload: holds more than 100000 values",
	} {
		if l := lines(decode(t, r.Check("t", 1, list("1", n)))); l[0] != want {
			t.Errorf("%d values: %v", n, l)
		}
	}
}

// Large payloads wait for each other and none is forgotten.
func TestManyLargePayloadsAtOnce(t *testing.T) {
	r := one(t, `{"properties":{"a":{"type":"integer"}}}`)
	payload := []byte(`{"a":"` + strings.Repeat("x", 70<<10) + `"}`)
	var wg sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			if r.Check("t", 1, payload) == nil {
				t.Error("accepted")
			}
		})
	}
	wg.Wait()
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1e5}`, `{"a":[1,2,{"b":null}]}`, `{"a":"\ud800"}`, `1e400000000`, `"`, `-`, `{"a":{"a":{"c":[]}}}`} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	schema := `{"properties":{"a":{"anyOf":[{"type":"string","minLength":2},{"$ref":"#"},{"items":{"multipleOf":0.5}}]}},"additionalProperties":{"uniqueItems":true,"maximum":10}}`
	if err := os.WriteFile(filepath.Join(dir, "s.json"), []byte(schema), 0o600); err != nil {
		f.Fatal(err)
	}
	r, err := schemas.Open(schemas.Config{Dir: dir, Types: []schemas.Type{{Type: "t", Version: 1, File: "s.json"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got := r.Check("t", 1, payload)
		if got == nil {
			return
		}
		for _, e := range decode(t, got).Errors {
			if !strings.HasPrefix(e.Pointer, "/payload") || e.Detail == "" {
				t.Errorf("%+v", e)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	schema := `{"required":["order","lines"],"properties":{"order":{"type":"string"},"lines":{"items":{"required":["sku","qty"],"properties":{"qty":{"type":"integer","minimum":1}}}}}}`
	if err := os.WriteFile(filepath.Join(dir, "s.json"), []byte(schema), 0o600); err != nil {
		b.Fatal(err)
	}
	r, err := schemas.Open(schemas.Config{Dir: dir, Types: []schemas.Type{{Type: "t", Version: 1, File: "s.json"}}})
	if err != nil {
		b.Fatal(err)
	}
	payload := fmt.Appendf(nil, `{"order":"A-17","lines":[{"sku":"1","qty":2},{"sku":"2","qty":1}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if r.Check("t", 1, payload) != nil {
			b.Fatal("not accepted")
		}
	}
}
