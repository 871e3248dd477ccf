package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

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
