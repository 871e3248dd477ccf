package tus

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// answerWithin is how long a client may take for its answer.
const answerWithin = 20 * time.Second

// writer makes our answers of tusd's: problem documents, addresses that hold behind any proxy, and the headers that
// tusd does not know.
type writer struct {
	http.ResponseWriter
	r        *http.Request
	told     *told
	maxBytes int64
	status   int
	text     bytes.Buffer // of a refusal, as tusd words it
	refused  bool
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader lets an answer through, or keeps a refusal back.
func (w *writer) WriteHeader(status int) {
	w.status = status
	// tusd's deadline counts from the last octets that came; keeping them may have taken longer.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerWithin))
	if status >= http.StatusBadRequest {
		w.refused = true
		if w.r.Method == http.MethodHead { // tusd writes no body
			w.refuse(w.reason(""))
		}
		return
	}
	h := w.Header()
	if location, err := url.Parse(h.Get("Location")); err == nil && location.Path != "" {
		h.Set("Location", location.Path)
	}
	if u := w.told.upload; u != nil && w.r.Method != http.MethodDelete {
		h.Set("Upload-Expires", u.ExpiresAt.UTC().Format(http.TimeFormat))
		if u.Finished != (holdfast.Hash{}) {
			h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(u.Finished[:])+":") // RFC 9530
		}
	}
	if w.r.Method == http.MethodHead {
		h.Del("Content-Length") // tusd names the file's size, of which no GET at this address would give any
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write takes tusd's words of a refusal, which come in one piece.
func (w *writer) Write(b []byte) (int, error) {
	if !w.refused {
		return w.ResponseWriter.Write(b)
	}
	if w.text.Len() == 0 {
		w.text.Write(b)
		w.refuse(w.reason(w.text.String()))
	}
	return len(b), nil
}

// refuse writes the problem document.
func (w *writer) refuse(err error) {
	h := w.Header()
	for _, name := range []string{"Content-Type", "Content-Length", "X-Content-Type-Options", "Location"} {
		h.Del(name)
	}
	h.Set("Tus-Resumable", "1.0.0")
	if w.r.ContentLength != 0 {
		_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Now().Add(time.Second)) // for what net/http still reads
	}
	problem.Write(w.ResponseWriter, w.r, err)
}

// reasons are tusd's refusals in our words.
var reasons = map[string]holdfast.Error{
	"ERR_UNSUPPORTED_VERSION":         {Code: holdfast.CodeUnsupportedVersion, Detail: "Tus-Resumable must be 1.0.0."},
	"ERR_MAX_SIZE_EXCEEDED":           {Code: holdfast.CodeTooLarge, Detail: "The file has more bytes than are taken here."},
	"ERR_UPLOAD_SIZE_EXCEEDED":        {Code: holdfast.CodeTooLarge, Detail: "More octets came than Upload-Length announced."},
	"ERR_INVALID_CONTENT_TYPE":        {Code: holdfast.CodeUnsupportedMediaType, Detail: "Octets of an upload come as application/offset+octet-stream."},
	"ERR_INVALID_UPLOAD_LENGTH":       header("Upload-Length", "must be a whole number, the same for the whole upload"),
	"ERR_INVALID_UPLOAD_LENGTH_DEFER": header("Upload-Defer-Length", "is not taken: name the length with Upload-Length"),
	"ERR_AMBIGUOUS_UPLOAD_LENGTH":     header("Upload-Defer-Length", "is not taken: name the length with Upload-Length"),
	"ERR_NOT_IMPLEMENTED":             header("Upload-Defer-Length", "is not taken: name the length with Upload-Length"),
	"ERR_INVALID_OFFSET":              header("Upload-Offset", "must be a whole number"),
	"ERR_UPLOAD_NOT_FOUND":            {Code: holdfast.CodeNotFound, Detail: "There is no such upload, or it has ended."},
	"ERR_MISMATCHED_OFFSET":           {Code: holdfast.CodeOffsetMismatch, Detail: "Upload-Offset is not where the upload stands. Ask for it with HEAD."},
	"ERR_LOCK_TIMEOUT":                interrupted("Another request goes on with this upload."),
	"ERR_UPLOAD_LOCKED":               interrupted("Another request goes on with this upload."),
	"ERR_UPLOAD_INTERRUPTED":          interrupted("Another request goes on with this upload."),
	"ERR_READ_TIMEOUT":                interrupted("The connection stood still. What came is kept."),
	"ERR_UNEXPECTED_EOF":              interrupted("The connection broke. What came is kept."),
	"ERR_CONNECTION_RESET":            interrupted("The connection broke. What came is kept."),
	"ERR_SERVER_SHUTDOWN":             interrupted("This node is shutting down. What came is kept."),
}

func header(name, detail string) holdfast.Error {
	return holdfast.Error{
		Code: holdfast.CodeInvalidRequest, Detail: "The request is not of the right shape; errors tells where.",
		Fields: []holdfast.FieldError{{Header: name, Detail: detail}},
	}
}

func interrupted(detail string) holdfast.Error {
	return holdfast.Error{Code: holdfast.CodeUploadInterrupted, Detail: detail + " Ask for the offset, and go on from there.", RetryAfter: time.Second}
}

// statuses are for HEAD, where tusd says nothing.
var statuses = map[int]string{
	http.StatusNotFound: "ERR_UPLOAD_NOT_FOUND", http.StatusPreconditionFailed: "ERR_UNSUPPORTED_VERSION", http.StatusLocked: "ERR_UPLOAD_LOCKED",
}

// reason is what the data store told, else what tusd's words mean.
func (w *writer) reason(text string) error {
	if w.told.err != nil {
		return w.told.err
	}
	code, _, _ := strings.Cut(text, ":")
	if text == "" {
		code = statuses[w.status]
	}
	e, known := reasons[code]
	if !known {
		return &holdfast.Error{Code: holdfast.CodeInternal, Detail: "Something unforeseen went wrong."}
	}
	if e.Code == holdfast.CodeTooLarge {
		e.MaxBytes = w.maxBytes
		if w.told.upload != nil {
			e.MaxBytes = w.told.upload.Size
		}
	}
	return &e
}
