package middleware

import (
	"io"
	"net/http"

	"github.com/holdfast-sync/holdfast"
)

// responseWriter remembers what was answered. There is one per request,
// whichever middleware needs it first makes it.
type responseWriter struct {
	http.ResponseWriter
	status  int // 0: nothing was written yet
	bytes   int64
	problem holdfast.Code
	cause   error // of the problem, for the log alone
}

// recording returns w itself when it already remembers.
func recording(w http.ResponseWriter) *responseWriter {
	if rw, ok := w.(*responseWriter); ok {
		return rw
	}
	return &responseWriter{ResponseWriter: w}
}

// SetProblem notes the code of the problem document that is being written.
func (w *responseWriter) SetProblem(code holdfast.Code) { w.problem = code }

// SetCause notes why, which the answer does not tell.
func (w *responseWriter) SetCause(err error) { w.cause = err }

// WriteHeader notes the first final status.
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the body.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom keeps the way to sendfile open.
func (w *responseWriter) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	n, err := io.Copy(w.ResponseWriter, src)
	w.bytes += n
	return n, err
}

// Flush sends what is buffered, where the connection can.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush with its error, for http.ResponseController.
func (w *responseWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseWriter) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}
