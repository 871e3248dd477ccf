package middleware

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// The two forms in which net/http (Go 1.26, server.go) answers without a handler.
// (*conn).serve writes the first for a request that it can't read: 431, 501, 505
// and the kinds of 400. sendExpectationFailed writes the second, an answer with
// headers but without a handler, for an Expect that it does not know.
var (
	statusLine    = []byte("HTTP/1.1 ")
	errorHeaders  = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	continueLine  = []byte("HTTP/1.1 100 Continue\r\n")
	expectFailed  = []byte("417 Expectation Failed\r\nConnection: close\r\n")
	codingRefused = []byte("Unsupported transfer encoding")
	protocolLine  = []byte("\r\n" + ProtocolHeader + ":")
)

// maxRawAnswer is longer than any of them.
const maxRawAnswer = 512

// rawAnswers are what is sent instead, made once.
type rawAnswers struct {
	unreadable, headersTooLarge, codingUnknown, versionUnknown, expectUnknown []byte
	overloaded                                                                []byte
}

func newRawAnswers() *rawAnswers {
	invalid := func(detail string) []byte {
		return rawAnswer(&holdfast.Error{Code: holdfast.CodeInvalidRequest, Detail: detail})
	}
	return &rawAnswers{
		unreadable:      invalid("The request line, the Host or another header is not as HTTP wants it."),
		codingUnknown:   invalid("The transfer coding is not supported: chunked is, or a Content-Length."),
		versionUnknown:  invalid("The version of HTTP is not supported: HTTP/1.1 is."),
		expectUnknown:   invalid("The expectation is not supported: Expect may only be 100-continue."),
		headersTooLarge: rawAnswer(&holdfast.Error{Code: holdfast.CodeHeadersTooLarge, Detail: "The request line and headers are too long."}),
		overloaded: rawAnswer(&holdfast.Error{
			Code: holdfast.CodeOverloaded, RetryAfter: time.Second, Detail: "The gateway has as many connections as it can.",
		}),
	}
}

// instead is what to send in place of p, nil when p is no answer of net/http itself.
func (a *rawAnswers) instead(p []byte) []byte {
	if len(p) > maxRawAnswer || len(p) < len(statusLine)+3 || !bytes.HasPrefix(p, statusLine[:7]) {
		return nil
	}
	// HTTP/1.0 is named by the answer to an Expect in a request of that version.
	if bytes.HasPrefix(p[len(statusLine):], expectFailed) && bytes.HasSuffix(p, []byte("\r\n\r\n")) && !bytes.Contains(p, protocolLine) {
		return a.expectUnknown
	}
	if !bytes.HasPrefix(p, statusLine) {
		return nil
	}
	status, body, found := bytes.Cut(p[len(statusLine):], errorHeaders)
	if !found || bytes.ContainsAny(status, "\r\n") || (!bytes.Equal(status, body) && !bytes.Equal(body, codingRefused)) {
		return nil
	}
	switch string(status[:3]) {
	case "400":
		return a.unreadable
	case "431":
		return a.headersTooLarge
	case "501":
		return a.codingUnknown
	case "505":
		return a.versionUnknown
	}
	return nil
}

// rawAnswer writes an error as it goes over the wire, with the connection's end.
func rawAnswer(err *holdfast.Error) []byte {
	w := &rawWriter{header: make(http.Header), status: http.StatusOK}
	r := &http.Request{Method: http.MethodGet, Header: make(http.Header)}
	Protocol(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, err) })).ServeHTTP(w, r)
	w.header.Set("Connection", "close")
	w.header.Set("Content-Length", strconv.Itoa(w.body.Len()))
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&out)
	out.WriteString("\r\n")
	out.Write(w.body.Bytes())
	return out.Bytes()
}

// rawWriter is a ResponseWriter into memory.
type rawWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is what is written before the body.
func (w *rawWriter) Header() http.Header { return w.header }

// WriteHeader notes the status.
func (w *rawWriter) WriteHeader(status int) { w.status = status }

// Write collects the body.
func (w *rawWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
