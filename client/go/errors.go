package client

import (
	"fmt"

	"github.com/holdfast-sync/holdfast"
)

// RefusedError is a transaction that the gateway will not take as it is,
// found by sending ever smaller batches. Nothing from Seq on is held.
type RefusedError struct {
	Stream holdfast.ID
	Seq    int64
	Status int
	Code   holdfast.Code
	Detail string
	Fields []holdfast.FieldError
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("stream %s: transaction %d is refused: %d %s: %s", e.Stream, e.Seq, e.Status, e.Code, e.Detail)
	for _, f := range e.Fields {
		text += fmt.Sprintf("; %s%s%s: %s", f.Pointer, f.Header, f.Parameter, f.Detail)
	}
	return text
}

// ForkedError says that the gateway holds something else under a number or an
// id of this stream: two queues claim one stream. Seq is the first that differs.
type ForkedError struct {
	Stream          holdfast.ID
	Seq             int64
	AcceptedThrough int64
}

func (e *ForkedError) Error() string {
	return fmt.Sprintf("stream %s is forked: the gateway holds another transaction than ours at %d (it holds the stream through %d)",
		e.Stream, e.Seq, e.AcceptedThrough)
}

// DivergedError says that the two sides do not hold the same history: the
// gateway holds more than the source has (AcceptedThrough is beyond Last), or
// the digests at AcceptedThrough differ. Nothing more was sent.
type DivergedError struct {
	Stream          holdfast.ID
	AcceptedThrough int64
	Last            int64 // what the source has
	Ours, Theirs    holdfast.Digest
}

func (e *DivergedError) Error() string {
	if e.AcceptedThrough > e.Last {
		return fmt.Sprintf("stream %s has diverged: the gateway holds it through %d, the source ends at %d", e.Stream, e.AcceptedThrough, e.Last)
	}
	return fmt.Sprintf("stream %s has diverged at %d: our digest is %s, the gateway's is %s", e.Stream, e.AcceptedThrough, e.Ours, e.Theirs)
}

// LostError says that the gateway asks for transactions which the source no
// longer has: First to Last.
type LostError struct {
	Stream      holdfast.ID
	First, Last int64
}

func (e *LostError) Error() string {
	return fmt.Sprintf("stream %s: the gateway asks for %d to %d, which the source no longer has", e.Stream, e.First, e.Last)
}

// CredentialsError is a 401 or 403: nothing can be sent with this token.
type CredentialsError struct {
	Status int
	Code   holdfast.Code
	Detail string
}

func (e *CredentialsError) Error() string {
	return fmt.Sprintf("the gateway answers %d %s: %s", e.Status, e.Code, e.Detail)
}

// BehindError says that the gateway holds less than the source has; sending goes on from there.
type BehindError struct {
	Stream          holdfast.ID
	AcceptedThrough int64
	Last            int64
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("stream %s: the gateway holds it through %d of %d", e.Stream, e.AcceptedThrough, e.Last)
}

// SourceError is a source that could not give a transaction.
type SourceError struct {
	Stream holdfast.ID
	Seq    int64
	Err    error
}

func (e *SourceError) Error() string {
	return fmt.Sprintf("stream %s: reading transaction %d: %v", e.Stream, e.Seq, e.Err)
}

// Unwrap is the cause.
func (e *SourceError) Unwrap() error { return e.Err }
