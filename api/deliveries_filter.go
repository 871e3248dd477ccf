package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
)

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
