package middleware

import "net/http"

// ProtocolHeader is the header that every answer carries, and ProtocolVersion
// its value: a client takes an answer without it for somebody else's.
const (
	ProtocolHeader  = "Holdfast-Protocol"
	ProtocolVersion = "1"
)

// Protocol marks every answer as one of this protocol and keeps browsers from
// guessing at it, caching it, framing it or telling others where it came from.
// A handler may set another Cache-Control or Content-Security-Policy. It belongs
// outermost.
func Protocol(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set(ProtocolHeader, ProtocolVersion)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
