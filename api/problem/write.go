package problem

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/redact"
)

// Base is the path that every problem's type begins with.
const Base = "/problems/"

// ContentType of problem documents.
const ContentType = "application/problem+json"

// Document is a problem as it is sent. Pointers are members that only some
// codes have.
type Document struct {
	Type            string       `json:"type"`
	Title           string       `json:"title"`
	Status          int          `json:"status"`
	Detail          string       `json:"detail,omitempty"`
	Instance        string       `json:"instance,omitempty"`
	Code            string       `json:"code"`
	Retryable       bool         `json:"retryable"`
	CorrelationID   string       `json:"correlationId,omitempty"`
	TraceID         string       `json:"traceId,omitempty"`
	Errors          []FieldError `json:"errors,omitempty"`
	ExpectedSeq     *int64       `json:"expectedSeq,omitempty"`
	Epoch           *int64       `json:"epoch,omitempty"`
	Seq             *int64       `json:"seq,omitempty"`
	AcceptedThrough *int64       `json:"acceptedThrough,omitempty"`
	MaxBytes        *int64       `json:"maxBytes,omitempty"`
	MaxTransactions *int64       `json:"maxTransactions,omitempty"`
}

// FieldError is one thing wrong, with its place.
type FieldError struct {
	Pointer   *string `json:"pointer,omitempty"`
	Header    string  `json:"header,omitempty"`
	Parameter string  `json:"parameter,omitempty"`
	Detail    string  `json:"detail"`
}

// unforeseen is what is told of an error that is none of ours: nothing.
var unforeseen = &holdfast.Error{Code: holdfast.CodeInternal, Detail: "Something unforeseen went wrong."}

// explained is the first *holdfast.Error in err's chain.
func explained(err error) *holdfast.Error {
	var e *holdfast.Error
	if errors.As(err, &e) {
		if _, known := kinds[e.Code]; known {
			return e
		}
	}
	return unforeseen
}

// New makes the document of an error, without what a request would add.
func New(err error) Document {
	e := explained(err)
	kind := kinds[e.Code]
	d := Document{
		Type: Base + string(e.Code), Title: kind.Title, Status: kind.Status, Detail: redact.Default.String(e.Detail),
		Code: string(e.Code), Retryable: kind.Retryable,
	}
	for i := range e.Fields {
		f := &e.Fields[i]
		out := FieldError{Header: f.Header, Parameter: f.Parameter, Detail: redact.Default.String(f.Detail)}
		if f.HasPointer {
			out.Pointer = &f.Pointer
		}
		d.Errors = append(d.Errors, out)
	}
	switch e.Code {
	case holdfast.CodeSequenceGap:
		d.ExpectedSeq = &e.ExpectedSeq
		if e.Watermarks != nil {
			d.Epoch = &e.Watermarks.Epoch
		}
	case holdfast.CodeStreamForked:
		d.Seq = &e.Seq
		if e.Watermarks != nil {
			d.AcceptedThrough = &e.Watermarks.AcceptedThrough
		}
	case holdfast.CodeTooLarge:
		d.MaxBytes = &e.MaxBytes
		if e.MaxTransactions > 0 {
			d.MaxTransactions = &e.MaxTransactions
		}
	}
	return d
}

// maxInstance bounds how much of a request's path is told back.
const maxInstance = 256

// instance is the path, cut where it is too long, but never inside a %XX.
func instance(path string) string {
	if len(path) <= maxInstance {
		return path
	}
	path = path[:maxInstance]
	if i := strings.LastIndexByte(path, '%'); i > maxInstance-3 {
		path = path[:i]
	}
	return path
}

// Write answers a request with the problem of err. The writer may tell the
// access log which one it was (SetProblem).
func Write(w http.ResponseWriter, r *http.Request, err error) {
	e := explained(err)
	d := New(e)
	rc := holdfast.RequestContextFrom(r.Context())
	d.CorrelationID = rc.Correlation
	if len(rc.Traceparent) >= 35 {
		d.TraceID = rc.Traceparent[3:35]
	}
	if r.URL != nil {
		d.Instance = instance(r.URL.EscapedPath())
	}
	body, _ := json.Marshal(d) // strings and numbers only: can't fail
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("Holdfast-Protocol", "1")
	if e.Watermarks != nil {
		SetWatermarks(h, *e.Watermarks)
	}
	if seconds := retryAfter(e, d); seconds > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	if d.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	tell(w, err, e.Code)
	w.WriteHeader(d.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// retryAfter is in whole seconds, at least 1 where waiting makes sense, else 0.
func retryAfter(e *holdfast.Error, d Document) int {
	if !d.Retryable || e.Code == holdfast.CodeSequenceGap {
		return 0
	}
	return max(1, int(math.Ceil(float64(e.RetryAfter)/float64(time.Second))))
}

// tell finds whoever wants to know of the problem behind wrapped writers.
func tell(w http.ResponseWriter, err error, code holdfast.Code) {
	for w != nil {
		if listener, ok := w.(interface{ SetCause(error) }); ok && err != nil {
			listener.SetCause(err)
		}
		if listener, ok := w.(interface{ SetProblem(holdfast.Code) }); ok {
			listener.SetProblem(code)
			return
		}
		wrapped, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = wrapped.Unwrap()
	}
}

// SetWatermarks sets the three headers of answers that depend on a stream.
func SetWatermarks(h http.Header, w holdfast.Watermarks) {
	h["Holdfast-Epoch"] = []string{strconv.FormatInt(w.Epoch, 10)}
	h["Holdfast-Accepted-Through"] = []string{strconv.FormatInt(w.AcceptedThrough, 10)}
	h["Holdfast-Durable-Through"] = []string{strconv.FormatInt(w.DurableThrough, 10)}
}
