package holdfast

import "context"

// RequestContext is who and what a request is about. It is logged, stored with
// what the request causes, and passed on. Each value is at most 128 printable
// ASCII characters; an empty value was not given.
type RequestContext struct {
	Correlation string `json:"correlationId,omitempty"`
	Shop        string `json:"storeId,omitempty"` // "store" on the wire
	User        string `json:"userId,omitempty"`
	Device      string `json:"deviceId,omitempty"`
	Session     string `json:"sessionId,omitempty"`
	AppVersion  string `json:"appVersion,omitempty"`
	Traceparent string `json:"traceparent,omitempty"` // W3C Trace Context
	// Invalid says which context headers of the request can't be taken. It is
	// answered with 400 at the turn of that check, and never stored.
	Invalid []FieldError `json:"-"`
	// Contradiction names the header that says otherwise than the credentials.
	// It is answered with 403 at the turn of the owner's check, and never stored.
	Contradiction string `json:"-"`
	// SeenEpoch is the request's Holdfast-Epoch, 0 for none; it is treated like
	// a batch's own epoch, and never stored.
	SeenEpoch int64 `json:"-"`
}

// Owner is the device and shop that the request speaks for.
func (c RequestContext) Owner() Owner { return Owner{Device: c.Device, Shop: c.Shop} }

type requestContextKey struct{}

// WithRequestContext returns a context that carries rc.
func WithRequestContext(ctx context.Context, rc RequestContext) context.Context {
	return context.WithValue(ctx, requestContextKey{}, rc)
}

// RequestContextFrom returns what [WithRequestContext] put there, else the zero value.
func RequestContextFrom(ctx context.Context) RequestContext {
	rc, _ := ctx.Value(requestContextKey{}).(RequestContext)
	return rc
}

// Trace is the trace id of a traceparent (W3C Trace Context, section 3.2.2.3: 32
// hex digits), empty when there is none or it can't be read.
func (c RequestContext) Trace() string {
	const version, id = 3, 32 // "00-" and the trace id
	if len(c.Traceparent) < version+id+1 || c.Traceparent[version-1] != '-' || c.Traceparent[version+id] != '-' {
		return ""
	}
	return c.Traceparent[version : version+id]
}
