package api

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// maxText bounds free text and names in a filter.
const maxText = 256

// auditTexts are the filter's parameters that are compared as they are.
var auditTexts = map[string]func(*holdfast.AuditFilter) *string{
	"store":       func(f *holdfast.AuditFilter) *string { return &f.Shop },
	"user":        func(f *holdfast.AuditFilter) *string { return &f.User },
	"device":      func(f *holdfast.AuditFilter) *string { return &f.Device },
	"session":     func(f *holdfast.AuditFilter) *string { return &f.Session },
	"correlation": func(f *holdfast.AuditFilter) *string { return &f.Correlation },
	"trace":       func(f *holdfast.AuditFilter) *string { return &f.Trace },
	"actor":       func(f *holdfast.AuditFilter) *string { return &f.Actor },
	"actorKind":   func(f *holdfast.AuditFilter) *string { return &f.ActorKind },
	"target":      func(f *holdfast.AuditFilter) *string { return &f.Target },
	"targetKind":  func(f *holdfast.AuditFilter) *string { return &f.TargetKind },
	"consumer":    func(f *holdfast.AuditFilter) *string { return &f.Consumer },
	"reference":   func(f *holdfast.AuditFilter) *string { return &f.Reference },
	"address":     func(f *holdfast.AuditFilter) *string { return &f.Address },
	"node":        func(f *holdfast.AuditFilter) *string { return &f.Node },
	"q":           func(f *holdfast.AuditFilter) *string { return &f.Text },
}

// AuditFilterNames are the parameters of a filter.
func AuditFilterNames() []string {
	names := []string{"since", "until", "action", "outcome", "code", "stream", "seq", "transaction"}
	for name := range auditTexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ParseAuditFilter reads a filter from query parameters and tells what is wrong with it.
func ParseAuditFilter(values url.Values) (f holdfast.AuditFilter, wrong []holdfast.FieldError) {
	bad := func(name, detail string) { wrong = append(wrong, holdfast.FieldError{Parameter: name, Detail: detail}) }
	for _, name := range AuditFilterNames() {
		if len(values[name]) > 1 {
			bad(name, "is given more than once")
		}
		if len(values.Get(name)) > maxText {
			bad(name, "must be at most 256 bytes")
		}
	}
	for name, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := values.Get(name); text != "" {
			t, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				bad(name, "must be a time of RFC 3339 with a zone")
			}
			*at = t.UTC()
		}
	}
	for name, member := range auditTexts {
		*member(&f) = values.Get(name)
	}
	for one := range strings.SplitSeq(values.Get("action"), ",") {
		if one != "" {
			f.Actions = append(f.Actions, holdfast.AuditAction(one))
		}
	}
	for one := range strings.SplitSeq(values.Get("outcome"), ",") {
		switch outcome := holdfast.AuditOutcome(one); outcome {
		case "":
		case holdfast.OutcomeSuccess, holdfast.OutcomeFailure, holdfast.OutcomeDenied:
			f.Outcomes = append(f.Outcomes, outcome)
		default:
			bad("outcome", "must be success, failure or denied")
		}
	}
	f.Code = holdfast.Code(values.Get("code"))
	for name, id := range map[string]*holdfast.ID{"stream": &f.Stream, "transaction": &f.Transaction} {
		if text := values.Get(name); text != "" {
			var err error
			if *id, err = holdfast.ParseID(text); err != nil {
				bad(name, "must be a UUID of 36 characters")
			}
		}
	}
	if text := values.Get("seq"); text != "" {
		var err error
		if f.Seq, err = strconv.ParseInt(text, 10, 64); err != nil || f.Seq < 1 {
			bad("seq", "must be a whole number from 1")
		} else if values.Get("stream") == "" {
			bad("seq", "needs a stream")
		}
	}
	slices.SortFunc(wrong, func(a, b holdfast.FieldError) int { return strings.Compare(a.Parameter, b.Parameter) })
	return f, wrong
}

// unknownParameters finds what nobody would heed: a filter that is misspelt must not
// answer with everything.
func unknownParameters(values url.Values, known []string) (wrong []holdfast.FieldError) {
	for name := range values {
		if !slices.Contains(known, name) {
			wrong = append(wrong, holdfast.FieldError{Parameter: name[:min(len(name), 64)], Detail: "is no parameter of this"})
		}
	}
	slices.SortFunc(wrong, func(a, b holdfast.FieldError) int { return strings.Compare(a.Parameter, b.Parameter) })
	return wrong
}

// formatOf is what the parameter format asks for, else the first that Accept takes.
func formatOf(r *http.Request, formats ...string) (string, []holdfast.FieldError) {
	if asked := r.URL.Query().Get("format"); asked != "" {
		if slices.Contains(formats, asked) {
			return asked, nil
		}
		return formats[0], []holdfast.FieldError{{Parameter: "format", Detail: "must be " + strings.Join(formats, ", ")}}
	}
	kinds := map[string]string{"text/csv": "csv", "application/x-ndjson": "ndjson", "text/html": "html", "application/json": "json"}
	for one := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, _, err := mime.ParseMediaType(one)
		if err == nil && slices.Contains(formats, kinds[kind]) {
			return kinds[kind], nil
		}
	}
	return formats[0], nil
}

// contextValue is the rule of the context headers.
func contextValue(text string) bool {
	return len(text) <= 128 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
