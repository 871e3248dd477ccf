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
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
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

// DeliveryFilterNames are the query parameters of a list of deliveries, and the members of an action's filter.
func DeliveryFilterNames() []string {
	return []string{"consumer", "status", "store", "type", "stream", "seq", "code", "since", "until"}
}

// QuarantineFilterNames are those of a list of quarantined transactions.
func QuarantineFilterNames() []string {
	return []string{"store", "type", "stream", "seq", "since", "until"}
}

// filterReader reads parameters and gathers what is wrong with them.
type filterReader struct {
	values url.Values
	fields []holdfast.FieldError
}

func (f *filterReader) wrong(name, detail string) {
	f.fields = append(f.fields, holdfast.FieldError{Parameter: name, Detail: detail})
}

func (f *filterReader) text(name string) string {
	text := f.values.Get(name)
	if len(text) > 256 {
		f.wrong(name, "must be at most 256 characters")
	}
	return text
}

func (f *filterReader) stream() (id holdfast.ID) {
	if text := f.values.Get("stream"); text != "" {
		var err error
		if id, err = holdfast.ParseID(text); err != nil {
			f.wrong("stream", "must be a UUID of 36 characters")
		}
	}
	return id
}

func (f *filterReader) number(name string, most int64) (n int64) {
	if text := f.values.Get(name); text != "" {
		var err error
		if n, err = strconv.ParseInt(text, 10, 64); err != nil || n < 1 || n > most {
			f.wrong(name, fmt.Sprintf("must be a whole number from 1 to %d", most))
		}
	}
	return n
}

func (f *filterReader) time(name string) (at time.Time) {
	if text := f.values.Get(name); text != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			f.wrong(name, "must be a time such as 2026-11-20T10:15:00Z")
		}
	}
	return at
}

const mostSeq = 1<<63 - 1

// statuses are those that deliveries may have.
var statuses = []holdfast.DeliveryStatus{
	holdfast.DeliveryWaiting, holdfast.DeliveryDelivering, holdfast.DeliveryQuarantined, holdfast.DeliveryHeld, holdfast.DeliveryDelivered,
	holdfast.DeliverySkipped, holdfast.DeliveryFailed,
}

// ParseDeliveryFilter reads [DeliveryFilterNames].
func ParseDeliveryFilter(values url.Values) (holdfast.DeliveryQuery, []holdfast.FieldError) {
	f := filterReader{values: values}
	q := holdfast.DeliveryQuery{
		Consumer: f.text("consumer"), Shop: f.text("store"), Type: f.text("type"), Code: f.text("code"), Stream: f.stream(),
		Seq: f.number("seq", mostSeq), Since: f.time("since"), Until: f.time("until"),
	}
	if text := f.text("status"); text != "" {
		for one := range strings.SplitSeq(text, ",") {
			if status := holdfast.DeliveryStatus(one); slices.Contains(statuses, status) {
				q.Statuses = append(q.Statuses, status)
			} else {
				f.wrong("status", "must be of waiting, delivering, quarantined, held, delivered, skipped and failed, with commas between them")
			}
		}
	}
	return q, f.fields
}

// ParseQuarantineFilter reads [QuarantineFilterNames].
func ParseQuarantineFilter(values url.Values) (holdfast.QuarantineQuery, []holdfast.FieldError) {
	f := filterReader{values: values}
	return holdfast.QuarantineQuery{
		Shop: f.text("store"), Type: f.text("type"), Stream: f.stream(), Seq: f.number("seq", mostSeq), Since: f.time("since"), Until: f.time("until"),
	}, f.fields
}

// page reads limit and cursor.
func pageOf(values url.Values) (after int64, limit int, fields []holdfast.FieldError) {
	f := filterReader{values: values}
	after = f.number("cursor", mostSeq)
	if limit = int(f.number("limit", maxPage)); limit == 0 {
		limit = defaultPage
	}
	return after, limit, f.fields
}

// deliveryJSON is a delivery on the wire.
type deliveryJSON struct {
	Cursor          string                  `json:"cursor,omitempty"`
	Stream          string                  `json:"stream,omitempty"`
	Seq             int64                   `json:"seq,omitempty"`
	ID              string                  `json:"id,omitempty"`
	Type            string                  `json:"type,omitempty"`
	Store           string                  `json:"store,omitempty"`
	Consumer        string                  `json:"consumer"`
	Status          holdfast.DeliveryStatus `json:"status"`
	WaitsFor        string                  `json:"waitsFor,omitempty"`
	Attempts        int64                   `json:"attempts"`
	ReferenceNumber string                  `json:"referenceNumber,omitempty"`
	Code            string                  `json:"code,omitempty"`
	Detail          string                  `json:"detail,omitempty"`
	Node            string                  `json:"node,omitempty"`
	CreatedAt       *time.Time              `json:"createdAt,omitempty"`
	DueAt           *time.Time              `json:"dueAt,omitempty"`
	DoneAt          *time.Time              `json:"doneAt,omitempty"`
}

func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// waitsFor says why a waiting delivery waits.
func waitsFor(d *holdfast.Delivery) string {
	switch {
	case d.Status != holdfast.DeliveryWaiting:
		return ""
	case d.Behind:
		return "order"
	case d.Waits > 0:
		return "consumers"
	case d.Code == "attachments-missing":
		return "attachments"
	case d.Attempts > 0:
		return "retry"
	}
	return "turn"
}

// outcomeOf is what belongs to a delivery beside the transaction.
func outcomeOf(d *holdfast.Delivery) deliveryJSON {
	out := deliveryJSON{
		Consumer: d.Consumer, Status: d.Status, WaitsFor: waitsFor(d), Attempts: d.Attempts, ReferenceNumber: d.Reference, Code: d.Code, Detail: d.Detail,
		CreatedAt: timeOrNone(d.CreatedAt), DoneAt: timeOrNone(d.DoneAt),
	}
	if d.Status == holdfast.DeliveryWaiting {
		out.DueAt = timeOrNone(d.DueAt)
	}
	return out
}

func deliveryOf(d *holdfast.Delivery) deliveryJSON {
	out := outcomeOf(d)
	out.Cursor, out.Stream, out.Seq, out.ID = strconv.FormatInt(d.Position, 10), d.Stream.String(), d.Seq, d.Transaction.String()
	out.Type, out.Store, out.Node = d.Type, d.Shop, d.Node
	return out
}

// AppendDeliveries writes a list as JSON; next continues behind it.
func AppendDeliveries(all []holdfast.Delivery, limit int) ([]byte, error) {
	out := struct {
		Deliveries []deliveryJSON `json:"deliveries"`
		Next       string         `json:"next,omitempty"`
	}{Deliveries: make([]deliveryJSON, len(all))}
	for i := range all {
		out.Deliveries[i] = deliveryOf(&all[i])
	}
	if len(all) == limit && limit > 0 {
		out.Next = out.Deliveries[len(all)-1].Cursor
	}
	return json.Marshal(out)
}

// ListDeliveries tells what stands where.
func (s *Server) ListDeliveries(w http.ResponseWriter, r *http.Request, _ wire.ListDeliveriesParams) {
	values := r.URL.Query()
	fields := unknownParameters(values, append(DeliveryFilterNames(), "cursor", "limit"))
	q, wrong := ParseDeliveryFilter(values)
	fields = append(fields, wrong...)
	q.After, q.Limit, wrong = pageOf(values)
	if err := s.admitAudit(r, append(fields, wrong...)); err != nil {
		problem.Write(w, r, err)
		return
	}
	all, err := s.Desk.Deliveries(r.Context(), q)
	s.answer(w, r, err, func() ([]byte, error) { return AppendDeliveries(all, q.Limit) })
}

// answer writes a document, or why there is none.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error, document func() ([]byte, error)) {
	var body []byte
	if err == nil {
		body, err = document()
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, body)
}

// quarantinedJSON is a quarantined transaction on the wire.
type quarantinedJSON struct {
	Cursor     string          `json:"cursor"`
	Stream     string          `json:"stream"`
	Seq        int64           `json:"seq"`
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Store      string          `json:"store,omitempty"`
	AcceptedAt time.Time       `json:"acceptedAt"`
	Problem    json.RawMessage `json:"problem"`
	Decision   holdfast.Verb   `json:"decision,omitempty"`
	Who        string          `json:"who,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	DecidedAt  *time.Time      `json:"decidedAt,omitempty"`
}

// AppendQuarantined writes a list as JSON; next continues behind it.
func AppendQuarantined(all []holdfast.Quarantined, limit int) ([]byte, error) {
	out := struct {
		Quarantined []quarantinedJSON `json:"quarantined"`
		Next        string            `json:"next,omitempty"`
	}{Quarantined: make([]quarantinedJSON, len(all))}
	for i := range all {
		q := &all[i]
		out.Quarantined[i] = quarantinedJSON{
			Cursor: strconv.FormatInt(q.Number, 10), Stream: q.Stream.String(), Seq: q.Seq, ID: q.Transaction.String(), Type: q.Type, Store: q.Shop,
			AcceptedAt: q.AcceptedAt, Problem: q.Problem, Decision: q.Verb, Who: q.Who, Reason: q.Why, DecidedAt: timeOrNone(q.DecidedAt),
		}
	}
	if len(all) == limit && limit > 0 {
		out.Next = out.Quarantined[len(all)-1].Cursor
	}
	return json.Marshal(out)
}

// ListQuarantine tells what is set aside.
func (s *Server) ListQuarantine(w http.ResponseWriter, r *http.Request, _ wire.ListQuarantineParams) {
	values := r.URL.Query()
	fields := unknownParameters(values, append(QuarantineFilterNames(), "decided", "cursor", "limit"))
	q, wrong := ParseQuarantineFilter(values)
	fields = append(fields, wrong...)
	q.After, q.Limit, wrong = pageOf(values)
	fields = append(fields, wrong...)
	switch values.Get("decided") {
	case "true":
		q.All = true
	case "", "false":
	default:
		fields = append(fields, holdfast.FieldError{Parameter: "decided", Detail: "must be true or false"})
	}
	if err := s.admitAudit(r, fields); err != nil {
		problem.Write(w, r, err)
		return
	}
	all, err := s.Desk.Quarantined(r.Context(), q)
	s.answer(w, r, err, func() ([]byte, error) { return AppendQuarantined(all, q.Limit) })
}

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

// maxMessage bounds a message, in bytes; maxMessageLife is how long it may wait for its reader.
const (
	maxMessage     = 64 << 10
	maxMessageLife = 90 * 24 * time.Hour
)

// SendMessage says something to a device, a store or a user. The correlation id is the message's id.
func (s *Server) SendMessage(w http.ResponseWriter, r *http.Request, _ wire.SendMessageParams) {
	var sh shape
	var body struct {
		To struct {
			Device string `json:"device"`
			Store  string `json:"store"`
			User   string `json:"user"`
		} `json:"to"`
		Body      json.RawMessage `json:"body"`
		ExpiresAt time.Time       `json:"expiresAt"`
	}
	m := holdfast.Message{ID: sh.correlation(r.Header)}
	err := s.decode(r, &sh, &body)
	m.Device, m.Shop, m.User, m.Body, m.ExpiresAt = body.To.Device, body.To.Store, body.To.User, body.Body, body.ExpiresAt
	if err == nil {
		sh.message(&m)
		err = s.admitAudit(r, sh.fields)
	}
	if err == nil {
		err = s.Desk.Send(r.Context(), m, whoOf(r))
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, []byte(`{"id":"`+m.ID.String()+`"}`))
}

func (s *shape) message(m *holdfast.Message) {
	given := 0
	for _, target := range []string{m.Device, m.Shop, m.User} {
		if target != "" {
			given++
		}
		if len(target) > 128 {
			s.pointer("/to", "must be at most 128 characters")
		}
	}
	if given != 1 {
		s.pointer("/to", "must name one device, store or user")
	}
	if len(m.Body) == 0 || len(m.Body) > maxMessage {
		s.pointer("/body", "must be a JSON value of at most 64 KiB")
	}
	if m.ExpiresAt.IsZero() {
		m.ExpiresAt = time.Now().Add(30 * 24 * time.Hour)
	}
	if left := time.Until(m.ExpiresAt); left < 0 || left > maxMessageLife {
		s.pointer("/expiresAt", "must be within the next 90 days")
	}
}

// seq reads a place in a stream.
func (s *shape) seq(text string) int64 {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 1 || text[0] == '+' {
		s.fields = append(s.fields, holdfast.FieldError{Parameter: "seq", Detail: "must be a whole number from 1"})
	}
	return seq
}
