package middleware

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/holdfast-sync/holdfast"
)

// maxContextValue is the length of a context value, in characters.
const maxContextValue = 128

const (
	detailNotPrintable = "must be at most 128 printable ASCII characters"
	detailTwice        = "is given twice with different values"
	detailEpoch        = "must be a whole number from 0 to 9223372036854775807, in digits only"
)

// RequestContext reads the context headers into the context
// ([holdfast.RequestContextFrom]). It refuses nothing: what can't be taken is
// left out and listed in Invalid, for the handler to answer at the turn of that
// check.
//
// Spaces and tabs around a value are not part of it, an empty header counts as
// none, and a header may be repeated with the same value. Correlation is filled
// with the UUID of Correlation-Id or Idempotency-Key, for logs; whether there had
// to be one and whether it is right is the handler's question.
func RequestContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := readRequestContext(r.Header)
		next.ServeHTTP(w, r.WithContext(holdfast.WithRequestContext(r.Context(), rc)))
	})
}

func readRequestContext(h http.Header) holdfast.RequestContext {
	var rc holdfast.RequestContext
	for _, f := range [...]struct {
		header string
		value  *string
	}{
		{"X-Store-Id", &rc.Shop},
		{"X-User-Id", &rc.User},
		{"X-Device-Id", &rc.Device},
		{"X-Session-Id", &rc.Session},
		{"X-App-Version", &rc.AppVersion},
	} {
		value, detail := contextValue(h[f.header])
		*f.value = value
		rc.Invalid = refuse(rc.Invalid, f.header, detail)
	}
	epoch, detail := seenEpoch(h["Holdfast-Epoch"])
	rc.SeenEpoch = epoch
	rc.Invalid = refuse(rc.Invalid, "Holdfast-Epoch", detail)
	rc.Correlation = correlation(h)
	rc.Traceparent = traceparent(h["Traceparent"])
	return rc
}

func refuse(invalid []holdfast.FieldError, header, detail string) []holdfast.FieldError {
	if detail == "" {
		return invalid
	}
	return append(invalid, holdfast.FieldError{Header: header, Detail: detail})
}

// contextValue is the one value of a context header, or what is wrong with it.
func contextValue(values []string) (value, detail string) {
	value, detail = single(values)
	if detail != "" {
		return "", detail
	}
	if len(value) > maxContextValue {
		return "", detailNotPrintable
	}
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7e {
			return "", detailNotPrintable
		}
	}
	return value, ""
}

// single is the one value among the repetitions of a header, empty for none.
func single(values []string) (value, detail string) {
	for _, v := range values {
		v = strings.Trim(v, " \t")
		switch {
		case v == "":
		case value == "":
			value = v
		case v != value:
			return "", detailTwice
		}
	}
	return value, ""
}

// seenEpoch reads Holdfast-Epoch: digits only, 0 for none.
func seenEpoch(values []string) (epoch int64, detail string) {
	value, detail := single(values)
	if detail != "" || value == "" {
		return 0, detail
	}
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return 0, detailEpoch
		}
	}
	epoch, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, detailEpoch
	}
	return epoch, ""
}

// correlation is the lower-case UUID that both headers agree on, else empty.
func correlation(h http.Header) string {
	own, detailOwn := single(h["Correlation-Id"])
	standard, detailStandard := single(h["Idempotency-Key"])
	if detailOwn != "" || detailStandard != "" {
		return ""
	}
	if n := len(standard); n >= 2 && standard[0] == '"' && standard[n-1] == '"' {
		standard = standard[1 : n-1]
	}
	if own == "" {
		own = standard
	}
	id, err := holdfast.ParseID(own)
	if err != nil || (standard != "" && !strings.EqualFold(standard, own)) {
		return ""
	}
	return id.String()
}

// traceparent reads the header of W3C Trace Context level 1: version, 32 digits
// of trace id, 16 of parent id, 2 of flags, lower case, neither id zero. A later
// version is read by its first four parts and kept as version 00 with the one
// flag that version has. Anything else is no traceparent.
func traceparent(values []string) string {
	if len(values) != 1 {
		return ""
	}
	v := strings.Trim(values[0], " \t")
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return ""
	}
	version, trace, parent, flags := v[:2], v[3:35], v[36:52], v[53:55]
	if !lowerHex(version) || !lowerHex(trace) || !lowerHex(parent) || !lowerHex(flags) {
		return ""
	}
	if version == "ff" || zeros(trace) || zeros(parent) {
		return ""
	}
	if version == "00" {
		if len(v) != 55 {
			return ""
		}
		return v
	}
	if len(v) > 55 && v[55] != '-' {
		return ""
	}
	sampled := "00"
	if strings.IndexByte("13579bdf", flags[1]) >= 0 {
		sampled = "01"
	}
	return "00-" + trace + "-" + parent + "-" + sampled
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

func zeros(s string) bool { return strings.Trim(s, "0") == "" }
