package holdfast

import (
	"errors"
	"fmt"
	"time"
)

// Code names a kind of refusal. On the wire it is the problem's code and the
// last part of its type. The status of each code stands in api/problem.
type Code string

// The codes of protocol version 1.
const (
	CodeInvalidRequest       Code = "invalid-request"
	CodeUnauthenticated      Code = "unauthenticated"
	CodeForbidden            Code = "forbidden"
	CodeNotFound             Code = "not-found"
	CodeMethodNotAllowed     Code = "method-not-allowed"
	CodeRequestInProgress    Code = "request-in-progress"
	CodeSequenceGap          Code = "sequence-gap"
	CodeStreamForked         Code = "stream-forked"
	CodeTooLarge             Code = "too-large"
	CodeUnsupportedMediaType Code = "unsupported-media-type"
	CodeCorrelationIDReused  Code = "correlation-id-reused"
	CodeRateLimited          Code = "rate-limited"
	CodeOverloaded           Code = "overloaded"
	CodeDraining             Code = "draining"
	CodeFenced               Code = "fenced"
	CodeBackendUnavailable   Code = "backend-unavailable"
	CodeOutcomeUnknown       Code = "outcome-unknown"
	CodeRequestTimeout       Code = "request-timeout"
	CodeHeadersTooLarge      Code = "headers-too-large"
	CodeInternal             Code = "internal"
	// Of attachments.
	CodeDigestMismatch      Code = "digest-mismatch"
	CodeOffsetMismatch      Code = "offset-mismatch"
	CodeTooManyUploads      Code = "too-many-uploads"
	CodeUploadInterrupted   Code = "upload-interrupted"
	CodeUnsupportedVersion  Code = "unsupported-version"
	CodeRangeNotSatisfiable Code = "range-not-satisfiable"
	// Of changes, and of operators' decisions.
	CodeCursorExpired Code = "cursor-expired"
	CodeNotApplicable Code = "not-applicable"
	// CodeSchemaViolation is the code of a quarantined transaction's problem.
	CodeSchemaViolation Code = "schema-violation"
)

// Error is the one error type that reaches a caller. Detail and Fields are
// shown; Err is the cause, for the log only.
type Error struct {
	Code   Code
	Detail string
	Fields []FieldError
	// RetryAfter is sent in whole seconds, at least 1, where retrying makes sense.
	RetryAfter time.Duration
	// Watermarks are known for answers that depend on a stream.
	Watermarks *Watermarks
	// ExpectedSeq belongs to sequence-gap, Seq to stream-forked.
	ExpectedSeq int64
	Seq         int64
	// MaxBytes and MaxTransactions belong to too-large.
	MaxBytes        int64
	MaxTransactions int64
	Err             error
}

// FieldError is one thing wrong with a request; exactly one of Pointer, Header
// and Parameter names the place. An empty Pointer with HasPointer is the whole document.
type FieldError struct {
	Pointer    string // JSON pointer (RFC 6901) into the body
	HasPointer bool
	Header     string
	Parameter  string // of the path or query
	Detail     string
}

// Error is the text for logs; it names the code, the detail and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of the first *Error in err's chain, [CodeInternal] when
// there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
