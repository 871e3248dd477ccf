package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// Audit answers an auditor's questions. Its errors are *holdfast.Error.
type Audit interface {
	Events(ctx context.Context, q holdfast.AuditQuery) (holdfast.AuditPage, error)
	Export(ctx context.Context, f holdfast.AuditFilter) (iter.Seq2[holdfast.AuditEvent, error], error)
	Timeline(ctx context.Context, about holdfast.AuditSubject) (holdfast.AuditStory, error)
	Daily(ctx context.Context, date time.Time, shop string) (holdfast.AuditReport, error)
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// GetAuditEvents answers a page, or streams all.
func (s *Server) GetAuditEvents(w http.ResponseWriter, r *http.Request, _ wire.GetAuditEventsParams) {
	values := r.URL.Query()
	fields := unknownParameters(values, append(AuditFilterNames(), "order", "limit", "cursor", "format"))
	filter, wrong := ParseAuditFilter(values)
	fields = append(fields, wrong...)
	q := holdfast.AuditQuery{Filter: filter, Limit: defaultPage, Cursor: values.Get("cursor")}
	q.Descending = values.Get("order") == "desc"
	if order := values.Get("order"); order != "" && order != "asc" && order != "desc" {
		fields = append(fields, holdfast.FieldError{Parameter: "order", Detail: "must be asc or desc"})
	}
	if text := values.Get("limit"); text != "" {
		var err error
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > maxPage {
			fields = append(fields, holdfast.FieldError{Parameter: "limit", Detail: "must be a number of 1 to 1000"})
		}
	}
	format, wrong := formatOf(r, "json", "csv", "ndjson")
	fields = append(fields, wrong...)
	if format != "json" && (values.Has("limit") || values.Has("cursor") || q.Descending) {
		fields = append(fields, holdfast.FieldError{Parameter: "format", Detail: "csv and ndjson give all, oldest first: without limit, cursor and order=desc"})
	}
	if err := s.admitAudit(r, fields); err != nil {
		problem.Write(w, r, err)
		return
	}
	if format != "json" {
		s.export(w, r, filter, format)
		return
	}
	page, err := s.Audit.Events(r.Context(), q)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, AppendAuditPage(nil, page))
}

// admitAudit refuses what is wrong with the question, then asks for admission.
func (s *Server) admitAudit(r *http.Request, fields []holdfast.FieldError) error {
	sh := shape{fields: fields}
	sh.context(holdfast.RequestContextFrom(r.Context()))
	if err := sh.err(); err != nil {
		return err
	}
	return s.Admission.Admit(r.Context())
}

// AppendAuditPage writes a page as JSON.
func AppendAuditPage(b []byte, page holdfast.AuditPage) []byte {
	b = appendEvents(append(b, '{'), page.Events)
	if page.Cursor != "" {
		b = append(b, `,"cursor":"`...)
		b = append(b, page.Cursor...) // base64
		b = append(b, '"')
	}
	b = append(b, `,"more":`...)
	b = strconv.AppendBool(b, page.More)
	return append(b, '}')
}

func appendEvents(b []byte, events []holdfast.AuditEvent) []byte {
	b = append(b, `"events":[`...)
	for i := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = events[i].AppendJSON(b)
	}
	return append(b, ']')
}

// exportWrite is how long a client may take for one piece of an export.
const exportWrite = 30 * time.Second

// export streams, in constant memory. An export that fails on the way is broken off,
// so that nobody takes it for whole.
func (s *Server) export(w http.ResponseWriter, r *http.Request, filter holdfast.AuditFilter, format string) {
	events, err := s.Audit.Export(r.Context(), filter)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	kind, name := "application/x-ndjson", "audit.ndjson"
	if format == "csv" {
		kind, name = "text/csv; charset=utf-8", "audit.csv"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	control := http.NewResponseController(w)
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	err = WriteAuditEvents(w, format, events, func() {
		_ = control.SetWriteDeadline(time.Now().Add(exportWrite))
	})
	if err != nil {
		s.Logger.WithError(err).WithField("correlationId", holdfast.RequestContextFrom(r.Context()).Correlation).Warn("an export broke off")
		panic(http.ErrAbortHandler)
	}
}

// WriteAuditEvents writes events as csv (RFC 4180, with a heading) or ndjson; each is
// called before every event.
func WriteAuditEvents(w interface{ Write([]byte) (int, error) }, format string, events iter.Seq2[holdfast.AuditEvent, error], each func()) error {
	var line []byte
	table := csv.NewWriter(w)
	if format == "csv" {
		if err := table.Write(holdfast.AuditColumns); err != nil {
			return err
		}
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		each()
		if format == "csv" {
			if err := table.Write(e.Row()); err != nil {
				return err
			}
			continue
		}
		line = append(e.AppendJSON(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// GetAuditTimeline tells a story.
func (s *Server) GetAuditTimeline(w http.ResponseWriter, r *http.Request, _ wire.GetAuditTimelineParams) {
	values := r.URL.Query()
	fields := unknownParameters(values, []string{"session", "correlation", "transaction"})
	about, err := AuditSubjectOf(values.Get("session"), values.Get("correlation"), values.Get("transaction"))
	var wrong *holdfast.Error
	if errors.As(err, &wrong) {
		fields = append(fields, wrong.Fields...)
	}
	if err := s.admitAudit(r, fields); err != nil {
		problem.Write(w, r, err)
		return
	}
	story, err := s.Audit.Timeline(r.Context(), about)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, AppendAuditStory(nil, story))
}

// AuditSubjectOf checks that exactly one subject is named.
func AuditSubjectOf(session, correlation, transaction string) (about holdfast.AuditSubject, err error) {
	named := 0
	for _, text := range []string{session, correlation, transaction} {
		if text != "" {
			named++
		}
	}
	refuse := func(parameter, detail string) error {
		return &holdfast.Error{
			Code: holdfast.CodeInvalidRequest, Detail: detail, Fields: []holdfast.FieldError{{Parameter: parameter, Detail: detail}},
		}
	}
	if named != 1 {
		return about, refuse("session", "exactly one of session, correlation and transaction must be named")
	}
	about.Session, about.Correlation = session, correlation
	if transaction != "" {
		if about.Transaction, err = holdfast.ParseID(transaction); err != nil {
			return about, refuse("transaction", "must be a UUID of 36 characters")
		}
	}
	return about, nil
}

// AppendAuditStory writes a story as JSON.
func AppendAuditStory(b []byte, story holdfast.AuditStory) []byte {
	b = appendEvents(append(b, '{'), story.Events)
	if len(story.Places) > 0 {
		b = append(b, `,"places":[`...)
		for i, p := range story.Places {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"streamId":"`...)
			b = p.Stream.AppendTo(b)
			b = append(b, `","seq":`...)
			b = strconv.AppendInt(b, p.Seq, 10)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = append(b, `,"cut":`...)
	b = strconv.AppendBool(b, story.Cut)
	return append(b, '}')
}

// GetAuditDailyReport makes the report of a day.
func (s *Server) GetAuditDailyReport(w http.ResponseWriter, r *http.Request, _ wire.GetAuditDailyReportParams) {
	values := r.URL.Query()
	fields := unknownParameters(values, []string{"date", "store", "format"})
	date, err := time.Parse(time.DateOnly, values.Get("date"))
	if err != nil {
		fields = append(fields, holdfast.FieldError{Parameter: "date", Detail: "must be a day, YYYY-MM-DD"})
	}
	if !contextValue(values.Get("store")) {
		fields = append(fields, holdfast.FieldError{Parameter: "store", Detail: "must be at most 128 printable ASCII characters"})
	}
	format, wrong := formatOf(r, "json", "csv", "html")
	if err := s.admitAudit(r, append(fields, wrong...)); err != nil {
		problem.Write(w, r, err)
		return
	}
	report, err := s.Audit.Daily(r.Context(), date, values.Get("store"))
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	switch format {
	case "json":
		body, _ := json.Marshal(report) // numbers and texts: can't fail
		writeJSON(w, http.StatusOK, body)
	case "csv":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		_ = WriteReportCSV(w, report)
	case "html":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = WriteReportHTML(w, report)
	}
}
