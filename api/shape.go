package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// shape gathers what is wrong with a request before anything is done, so that
// one 400 tells all of it.
type shape struct{ fields []holdfast.FieldError }

// context takes over what is wrong with the context headers.
func (s *shape) context(rc holdfast.RequestContext) { s.fields = append(s.fields, rc.Invalid...) }

func (s *shape) parameter(name, text string) holdfast.ID {
	id, err := holdfast.ParseID(text)
	if err != nil {
		s.fields = append(s.fields, holdfast.FieldError{Parameter: name, Detail: "must be a UUID of 36 characters"})
	}
	return id
}

func (s *shape) header(name, detail string) {
	s.fields = append(s.fields, holdfast.FieldError{Header: name, Detail: detail})
}

// body takes over what is wrong with the body; what is no matter of shape (too
// large) goes first and is returned.
func (s *shape) body(err error) error {
	var e *holdfast.Error
	if errors.As(err, &e) && e.Code == holdfast.CodeInvalidRequest {
		fields := e.Fields
		if len(fields) == 0 { // wrong as a whole
			fields = []holdfast.FieldError{{HasPointer: true, Detail: e.Detail}}
		}
		s.fields = append(s.fields, fields...)
		return nil
	}
	return err
}

// err is nil when nothing was wrong.
func (s *shape) err() error {
	if len(s.fields) == 0 {
		return nil
	}
	return &holdfast.Error{
		Code: holdfast.CodeInvalidRequest, Fields: s.fields[:min(len(s.fields), maxFieldErrors)],
		Detail: "The request is not of the right shape; errors tells where.",
	}
}

// Headers that carry a correlation id: ours and the standard one
// (draft-ietf-httpapi-idempotency-key-header).
const (
	correlationHeader = "Correlation-Id"
	idempotencyHeader = "Idempotency-Key"
)

// correlation reads the correlation id of a POST, which has to be there.
func (s *shape) correlation(h http.Header) holdfast.ID {
	var ids []holdfast.ID
	for _, name := range []string{correlationHeader, idempotencyHeader} {
		for _, value := range h.Values(name) {
			value = strings.Trim(value, " \t")
			if n := len(value); name == idempotencyHeader && n >= 2 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			id, err := holdfast.ParseID(value)
			if err != nil {
				s.header(name, "must be a UUID of 36 characters")
				return holdfast.ID{}
			}
			if len(ids) > 0 && ids[0] != id {
				s.header(name, "does not agree with the other correlation id of the request")
				return holdfast.ID{}
			}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		s.header(correlationHeader, "is required: a UUID, the same on every retry")
		return holdfast.ID{}
	}
	return ids[0]
}

// maxQueue bounds what a device can claim of its queue.
const maxQueue = 1 << 40

// queueOf reads Holdfast-Queue (depth=12, oldest=340); one that can't be read is
// ignored.
func queueOf(line string) (q holdfast.Queue, ok bool) {
	if len(line) > 128 {
		return q, false
	}
	var seen [2]bool
	for part := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " \t"), "=")
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil || n > maxQueue {
			if name == "depth" || name == "oldest" {
				return q, false
			}
			continue // a newer client's member
		}
		switch name {
		case "depth":
			q.Depth, seen[0] = int64(n), true
		case "oldest":
			q.Oldest, seen[1] = time.Duration(min(n, maxQueue>>8))*time.Second, true
		}
	}
	return q, seen[0] && seen[1]
}

// prefersReplicated says whether the client would rather wait for durability
// (Prefer: durability=replicated, wait=5; RFC 7240). What can't be read is ignored.
func prefersReplicated(h http.Header) bool {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			value = strings.Trim(strings.Trim(value, " \t"), `"`)
			if strings.EqualFold(strings.Trim(name, " \t"), "durability") {
				return strings.EqualFold(value, "replicated")
			}
		}
	}
	return false
}
