package middleware

import (
	"net/http"
	"testing"

	"github.com/holdfast-sync/holdfast"
)

func TestMediaType(t *testing.T) {
	for _, c := range []struct {
		name     string
		typ      []string
		encoding []string
		status   int
	}{
		{"plain", []string{"application/json"}, nil, 200},
		{"charset", []string{"application/json; charset=utf-8"}, nil, 200},
		{"charset in quotes and any case", []string{`Application/JSON;Charset="UTF-8"`}, nil, 200},
		{"other parameter", []string{"application/json; v=1"}, nil, 200},
		{"other charset", []string{"application/json; charset=latin1"}, nil, 415},
		{"none", nil, nil, 415},
		{"empty", []string{""}, nil, 415},
		{"twice", []string{"application/json", "application/json"}, nil, 415},
		{"list", []string{"application/json, text/plain"}, nil, 415},
		{"form", []string{"application/x-www-form-urlencoded"}, nil, 415},
		{"text", []string{"text/json"}, nil, 415},
		{"suffix", []string{"application/problem+json"}, nil, 415},
		{"broken", []string{"application/json; charset"}, nil, 415},
		{"charset twice", []string{"application/json; charset=utf-8; charset=latin1"}, nil, 415},
		{"identity", []string{"application/json"}, []string{"identity"}, 200},
		{"gzip", []string{"application/json"}, []string{" GZip "}, 200},
		{"x-gzip", []string{"application/json"}, []string{"x-gzip"}, 200},
		{"zstd", []string{"application/json"}, []string{"zstd"}, 200},
		{"no coding", []string{"application/json"}, []string{""}, 200},
		{"br", []string{"application/json"}, []string{"br"}, 415},
		{"deflate", []string{"application/json"}, []string{"deflate"}, 415},
		{"several in one", []string{"application/json"}, []string{"gzip, gzip"}, 415},
		{"several", []string{"application/json"}, []string{"gzip", "zstd"}, 415},
		{"identity among several", []string{"application/json"}, []string{"identity, gzip"}, 415},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request("POST", "/", "{}")
			r.Header["Content-Type"], r.Header["Content-Encoding"] = c.typ, c.encoding
			w := do(JSONBody(answers("ok")), r)
			if w.Code != c.status {
				t.Fatalf("status %d, want %d", w.Code, c.status)
			}
			if c.status == 415 {
				wantProblem(t, w, 415, holdfast.CodeUnsupportedMediaType)
				if w.Header().Get("Accept-Post") == "" && w.Header().Get("Accept-Encoding") == "" {
					t.Fatal("the answer does not say what would be taken")
				}
			}
		})
	}
}

func FuzzMediaType(f *testing.F) {
	f.Add("application/json; charset=utf-8", "gzip")
	f.Add("application/json;", "GZIP ")
	f.Fuzz(func(t *testing.T, typ, encoding string) {
		h := http.Header{"Content-Type": {typ}, "Content-Encoding": {encoding}}
		isJSON(h["Content-Type"])
		if c, ok := contentCoding(h["Content-Encoding"]); !ok && c != identity {
			t.Fatalf("%q is refused as %d", encoding, c)
		}
	})
}
