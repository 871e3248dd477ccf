package middleware

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// Defaults of [HeaderLimits], in bytes.
const (
	DefaultMaxHeaderBytes = 16 << 10
	DefaultMaxURIBytes    = 8 << 10
)

// HeaderLimits refuses with 431 headers-too-large a request whose header names
// and values sum up to more than maxHeader bytes, or whose target is longer than
// maxURI bytes. (The target too, because net/http answers a request line that
// is longer still in the same way.) Zero means the default.
func HeaderLimits(maxHeader, maxURI int) func(http.Handler) http.Handler {
	if maxHeader == 0 {
		maxHeader = DefaultMaxHeaderBytes
	}
	if maxURI == 0 {
		maxURI = DefaultMaxURIBytes
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			detail := ""
			if len(r.RequestURI) > maxURI {
				detail = fmt.Sprintf("The request target may have at most %d bytes.", maxURI)
			} else if headerSize(r) > maxHeader {
				detail = fmt.Sprintf("The names and values of all headers together may have at most %d bytes.", maxHeader)
			}
			if detail != "" {
				problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeHeadersTooLarge, Detail: detail})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func headerSize(r *http.Request) int {
	n := len("Host") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

// InFlight refuses with 503 overloaded what comes while most requests are
// already being worked on. One value serves all the routes that share the limit.
func InFlight(most int) func(http.Handler) http.Handler {
	var running atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer running.Add(-1)
			if running.Add(1) > int64(most) {
				problem.Write(w, r, &holdfast.Error{
					Code: holdfast.CodeOverloaded, RetryAfter: time.Second,
					Detail: "The gateway is working on as many requests as it can.",
				})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
