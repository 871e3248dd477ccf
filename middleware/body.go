package middleware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// BodyLimits bounds what request bodies may cost. Zero values mean the defaults.
type BodyLimits struct {
	// MaxBytes of one body, decoded. Default 4 MiB.
	MaxBytes int64
	// MaxTransactions of one batch; told with 413, checked by the handler. Default 1000.
	MaxTransactions int64
	// MaxMemory of all bodies together that are being read or worked on, encoded
	// and decoded. Default 64 times MaxBytes; at least 4 times.
	MaxMemory int64
	// MemoryWait is how long a request waits for its part of MaxMemory. Default 250 ms.
	MemoryWait time.Duration
	// ReadTimeout is for the whole body. Default 30 s.
	ReadTimeout time.Duration
}

func (l BodyLimits) withDefaults() BodyLimits {
	if l.MaxBytes == 0 {
		l.MaxBytes = 4 << 20
	}
	if l.MaxTransactions == 0 {
		l.MaxTransactions = 1000
	}
	if l.MaxMemory == 0 {
		l.MaxMemory = 64 * l.MaxBytes
	}
	if l.MemoryWait == 0 {
		l.MemoryWait = 250 * time.Millisecond
	}
	if l.ReadTimeout == 0 {
		l.ReadTimeout = 30 * time.Second
	}
	return l
}

// Validate says which limit can't be.
func (l BodyLimits) Validate() error {
	l = l.withDefaults()
	if l.MaxBytes < 1 || l.MaxTransactions < 1 || l.MemoryWait < 0 || l.ReadTimeout < 0 {
		return errors.New("limits of request bodies must be positive")
	}
	if l.MaxMemory < 4*l.MaxBytes {
		return fmt.Errorf("memory for request bodies must be at least 4 times the %d bytes of one", l.MaxBytes)
	}
	return nil
}

// Bodies reads request bodies. One value serves all the routes that share its memory.
type Bodies struct {
	limits BodyLimits
	budget *budget
}

// NewBodies checks the limits and makes the memory budget.
func NewBodies(limits BodyLimits) (*Bodies, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	limits = limits.withDefaults()
	return &Bodies{limits: limits, budget: newBudget(limits.MaxMemory, limits.MemoryWait)}, nil
}

// Body is a whole request body, decoded, in a buffer of its own: what points
// into it may be kept.
type Body struct {
	bytes.Reader
	octets []byte
}

// Bytes is the whole body, whatever was read of it.
func (b *Body) Bytes() []byte { return b.octets }

// Close does nothing.
func (b *Body) Close() error { return nil }

// BodyBytes is the whole decoded body of a request that came through
// [Bodies.Handler], nil for any other.
func BodyBytes(r *http.Request) []byte {
	if b, ok := r.Body.(*Body); ok {
		return b.octets
	}
	return nil
}

// Handler replaces the request's body by a [Body]: read to its end, within the
// limits and the time, gzip and zstd taken off, and the coding's header with it.
// It answers 413 too-large, 400 for a body that breaks off or breaks its coding, 408
// for a client that is too slow, 503 overloaded when there is no memory; behind
// each of these the connection is closed, because the rest of the body is still
// in it. Which codings are taken is [JSONBody]'s question, to be asked before.
func (b *Bodies) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &share{of: b.budget}
		defer s.giveAll()
		octets, err := b.read(w, r, s)
		if err != nil {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second)) // for what net/http still reads
			w.Header().Set("Connection", "close")
			problem.Write(w, r, err)
			return
		}
		body := &Body{octets: octets}
		body.Reset(octets)
		inner := r.WithContext(r.Context())
		inner.Body = body
		inner.ContentLength = int64(len(octets))
		inner.TransferEncoding = nil
		if len(r.Header["Content-Encoding"]) > 0 {
			inner.Header = r.Header.Clone()
			inner.Header.Del("Content-Encoding")
			inner.Header.Del("Content-Length")
		}
		next.ServeHTTP(w, inner)
	})
}

func (b *Bodies) read(w http.ResponseWriter, r *http.Request, s *share) ([]byte, error) {
	limit := b.limits.MaxBytes
	c, _ := contentCoding(r.Header["Content-Encoding"])
	encodedLimit := limit
	if c != identity {
		encodedLimit += limit/1024 + 1024 // what a coding may add to bytes that don't shrink
	}
	if r.ContentLength > encodedLimit {
		return nil, b.tooLarge()
	}
	encoded, err := b.receive(w, r, s, encodedLimit)
	if err == nil && c != identity {
		var decoded []byte
		switch c {
		case gzipCoding:
			decoded, err = gunzip(r.Context(), encoded, s, limit)
		case zstdCoding:
			decoded, err = unzstd(r.Context(), encoded, s, limit)
		}
		s.give(int64(cap(encoded)))
		encoded = decoded
	}
	if errors.Is(err, errTooLong) {
		return nil, b.tooLarge()
	}
	return encoded, err
}

// receive reads the body as it was sent. The deadline is lifted behind it, so
// that it does not end the request.
func (b *Bodies) receive(w http.ResponseWriter, r *http.Request, s *share, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return []byte{}, nil
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(b.limits.ReadTimeout))
	first := int64(4 << 10)
	if r.ContentLength >= 0 {
		first = min(r.ContentLength+1, 64<<10) // 1 more: the end is seen without growing
	}
	octets, err := growing(r.Context(), r.Body, s, min(first, limit+1), limit)
	if err != nil {
		return nil, b.receiving(r.Context(), err)
	}
	_ = control.SetReadDeadline(time.Time{})
	return octets, nil
}

// receiving translates what can go wrong on the connection.
func (b *Bodies) receiving(ctx context.Context, err error) error {
	var timeout net.Error
	var own *holdfast.Error
	var tooMuch *http.MaxBytesError
	switch {
	case errors.As(err, &own), errors.Is(err, errTooLong):
		return err
	case errors.As(err, &tooMuch):
		return errTooLong
	case errors.As(err, &timeout) && timeout.Timeout():
		return &holdfast.Error{
			Code: holdfast.CodeRequestTimeout, Err: err,
			Detail: fmt.Sprintf("The body did not arrive within %s.", b.limits.ReadTimeout),
		}
	case ctx.Err() != nil, errors.Is(err, io.ErrUnexpectedEOF):
		return &holdfast.Error{Code: holdfast.CodeInvalidRequest, Detail: "The body broke off.", Err: err}
	}
	return &holdfast.Error{Code: holdfast.CodeInvalidRequest, Detail: "The body can't be read.", Err: err}
}

func (b *Bodies) tooLarge() error {
	return &holdfast.Error{
		Code: holdfast.CodeTooLarge, MaxBytes: b.limits.MaxBytes, MaxTransactions: b.limits.MaxTransactions,
		Detail: "The body is larger than this gateway takes; send less at a time.",
	}
}
