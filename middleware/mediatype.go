package middleware

import (
	"mime"
	"net/http"
	"strings"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// JSONBody refuses with 415 a body that is not application/json in UTF-8, or
// that comes in a content coding other than one of identity, gzip and zstd. A
// request without Content-Type is refused too. Parameters other than charset
// mean nothing and are ignored.
func JSONBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		detail := ""
		if !isJSON(r.Header["Content-Type"]) {
			w.Header().Set("Accept-Post", "application/json")
			detail = "The body must be application/json in UTF-8."
		} else if _, ok := contentCoding(r.Header["Content-Encoding"]); !ok {
			w.Header().Set("Accept-Encoding", "gzip, zstd")
			detail = "The body must come plain or in one of the content codings gzip and zstd."
		}
		if detail != "" {
			problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeUnsupportedMediaType, Detail: detail})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	typ, params, err := mime.ParseMediaType(values[0])
	if err != nil || typ != "application/json" {
		return false
	}
	charset, named := params["charset"]
	return !named || strings.EqualFold(charset, "utf-8")
}

type coding int

const (
	identity coding = iota
	gzipCoding
	zstdCoding
)

// contentCoding reads Content-Encoding; ok is false for one that is not
// supported and for several, of which identity counts as one.
func contentCoding(values []string) (c coding, ok bool) {
	if len(values) > 1 {
		return identity, false
	}
	if len(values) == 0 {
		return identity, true
	}
	switch strings.ToLower(strings.Trim(values[0], " \t")) {
	case "", "identity":
		return identity, true
	case "gzip", "x-gzip": // RFC 9110, 8.4.1.3: the same
		return gzipCoding, true
	case "zstd":
		return zstdCoding, true
	}
	return identity, false
}
