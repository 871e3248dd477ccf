package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// Desk is where operators look and decide. Its errors are *holdfast.Error.
type Desk interface {
	Deliveries(ctx context.Context, q holdfast.DeliveryQuery) ([]holdfast.Delivery, error)
	Act(ctx context.Context, d holdfast.Deed) (holdfast.Done, error)
	Quarantined(ctx context.Context, q holdfast.QuarantineQuery) ([]holdfast.Quarantined, error)
	Decide(ctx context.Context, d holdfast.Deed) (done holdfast.Done, refused int, err error)
	Repair(ctx context.Context, r holdfast.Repair) error
	Send(ctx context.Context, m holdfast.Message, who string) error
}

// actAtOnce is how many a deed is done to in one request.
const actAtOnce = 1000

// actionJSON is what an operator asks for.
type actionJSON struct {
	Action string         `json:"action"`
	Filter map[string]any `json:"filter"`
	Reason string         `json:"reason"`
	Cursor string         `json:"cursor"`
}

// readAction reads and checks the body of an action; names are those of its filter.
func (s *Server) readAction(r *http.Request, names []string) (holdfast.Deed, url.Values, shape, error) {
	var sh shape
	var a actionJSON
	values := url.Values{}
	if err := s.decode(r, &sh, &a); err != nil || len(sh.fields) > 0 {
		return holdfast.Deed{}, values, sh, err
	}
	deed := holdfast.Deed{Verb: holdfast.Verb(a.Action), Why: a.Reason, Who: whoOf(r)}
	if deed.Verb != holdfast.VerbRetry && deed.Verb != holdfast.VerbSkip && deed.Verb != holdfast.VerbGiveUp {
		sh.pointer("/action", "must be retry, skip or give-up")
	}
	sh.reason(a.Reason)
	if a.Cursor != "" {
		after, err := strconv.ParseInt(a.Cursor, 10, 64)
		if err != nil || after < 1 {
			sh.pointer("/cursor", "must be next of an earlier answer")
		}
		deed.Deliveries.After, deed.Quarantine.After = after, after
	}
	if len(a.Filter) == 0 {
		sh.pointer("/filter", "must narrow what it is done to, for example {\"consumer\": \"orders\"}")
	}
	for name, value := range a.Filter {
		if !slices.Contains(names, name) {
			sh.pointer("/filter/"+name, "is no filter; there are "+strings.Join(names, ", "))
			continue
		}
		switch v := value.(type) {
		case string:
			if v == "" { // of a script whose variable is not set
				sh.pointer("/filter/"+name, "must not be empty")
			}
			values.Set(name, v)
		case json.Number:
			values.Set(name, v.String())
		default:
			sh.pointer("/filter/"+name, "must be a text or a number")
		}
	}
	return deed, values, sh, nil
}

func (s *shape) pointer(at, detail string) {
	s.fields = append(s.fields, holdfast.FieldError{Pointer: at, HasPointer: true, Detail: detail})
}

// maxReason bounds a reason, in bytes.
const maxReason = 1000

func (s *shape) reason(text string) {
	if strings.TrimSpace(text) == "" || len(text) > maxReason {
		s.pointer("/reason", "must say why, in at most 1000 bytes")
	}
}

// inFilter makes pointers of parameters.
func inFilter(fields []holdfast.FieldError) []holdfast.FieldError {
	out := make([]holdfast.FieldError, len(fields))
	for i, f := range fields {
		out[i] = holdfast.FieldError{Pointer: "/filter/" + f.Parameter, HasPointer: true, Detail: f.Detail}
	}
	return out
}

// whoOf names the operator: by the credentials, else, where anybody may call, by the header.
func whoOf(r *http.Request) string {
	if who := holdfast.PrincipalFrom(r.Context()); who.Subject != "" {
		return who.Subject
	}
	if user := holdfast.RequestContextFrom(r.Context()).User; user != "" {
		return user
	}
	return "anonymous"
}

// decode reads a JSON body of known members.
func (s *Server) decode(r *http.Request, sh *shape, into any) error {
	limits := s.Limits
	body, err := io.ReadAll(io.LimitReader(r.Body, limits.MaxBytes+1))
	if err != nil {
		return sh.body(err)
	}
	if int64(len(body)) > limits.MaxBytes {
		return &holdfast.Error{Code: holdfast.CodeTooLarge, Detail: "The body is too large.", MaxBytes: limits.MaxBytes, MaxTransactions: int64(limits.MaxTransactions)}
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	err = decoder.Decode(into)
	if err == nil && decoder.More() {
		err = errors.New("json: something follows")
	}
	var kind *json.UnmarshalTypeError
	switch name, unknown := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); {
	case err == nil:
	case unknown:
		sh.pointer("/"+strings.Trim(name, `"`), "is no member of this request")
	case errors.As(err, &kind):
		sh.pointer("/"+strings.ReplaceAll(kind.Field, ".", "/"), "is of a wrong type")
	default:
		sh.pointer("", "must be one JSON object")
	}
	return nil
}

// ActOnDeliveries does a deed to what a filter finds.
func (s *Server) ActOnDeliveries(w http.ResponseWriter, r *http.Request, _ wire.ActOnDeliveriesParams) {
	deed, values, sh, err := s.readAction(r, DeliveryFilterNames())
	q, wrong := ParseDeliveryFilter(values)
	q.After, q.Limit = deed.Deliveries.After, actAtOnce
	deed.Deliveries = q
	sh.fields = append(sh.fields, inFilter(wrong)...)
	if err == nil {
		err = s.admitAudit(r, sh.fields)
	}
	var done holdfast.Done
	if err == nil {
		done, err = s.Desk.Act(r.Context(), deed)
	}
	s.answer(w, r, err, func() ([]byte, error) { return appendDone(done, 0), nil })
}

// ActOnQuarantine does a deed to quarantined transactions.
func (s *Server) ActOnQuarantine(w http.ResponseWriter, r *http.Request, _ wire.ActOnQuarantineParams) {
	deed, values, sh, err := s.readAction(r, QuarantineFilterNames())
	q, wrong := ParseQuarantineFilter(values)
	q.After, q.Limit = deed.Quarantine.After, actAtOnce
	deed.Quarantine = q
	sh.fields = append(sh.fields, inFilter(wrong)...)
	if err == nil {
		err = s.admitAudit(r, sh.fields)
	}
	var done holdfast.Done
	var refused int
	if err == nil {
		done, refused, err = s.Desk.Decide(r.Context(), deed)
	}
	s.answer(w, r, err, func() ([]byte, error) { return appendDone(done, refused), nil })
}

func appendDone(done holdfast.Done, refused int) []byte {
	b := fmt.Appendf(nil, `{"count":%d,"refused":%d,"more":%t`, done.Count, refused, done.More)
	if done.More {
		b = fmt.Appendf(b, `,"next":"%d"`, done.Last)
	}
	return append(b, '}')
}

// RepairTransaction gives a transaction another payload.
func (s *Server) RepairTransaction(w http.ResponseWriter, r *http.Request, streamID wire.StreamId, place string, _ wire.RepairTransactionParams) {
	var sh shape
	var body struct {
		Payload json.RawMessage `json:"payload"`
		Reason  string          `json:"reason"`
	}
	repair := holdfast.Repair{Stream: sh.parameter("streamId", streamID), Seq: sh.seq(place), Who: whoOf(r)}
	err := s.decode(r, &sh, &body)
	repair.Payload, repair.Why = body.Payload, body.Reason
	if err == nil {
		if len(body.Payload) == 0 || body.Payload[0] != '{' {
			sh.pointer("/payload", "must be a JSON object")
		}
		sh.reason(body.Reason)
		err = s.admitAudit(r, sh.fields)
	}
	if err == nil {
		err = s.Desk.Repair(r.Context(), repair)
	}
	s.answer(w, r, err, func() ([]byte, error) { return appendDone(holdfast.Done{Count: 1}, 0), nil })
}

// seq reads a place in a stream.
func (s *shape) seq(text string) int64 {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 1 || text[0] == '+' {
		s.fields = append(s.fields, holdfast.FieldError{Parameter: "seq", Detail: "must be a whole number from 1"})
	}
	return seq
}
