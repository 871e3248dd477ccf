package holdfast

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// auditTimeFormat has all of the microseconds that are kept, always.
const auditTimeFormat = "2006-01-02T15:04:05.000000Z"

// AppendJSON appends the event as one JSON object: what NDJSON exports, the API
// and the seal's hashes are made of. Members stand in a fixed order and empty
// ones are left out, so an event's octets are the same in every version; a new
// member may only ever be added where older events have none.
func (e *AuditEvent) AppendJSON(dst []byte) []byte {
	o := jsonObject{append(dst, '{')}
	o.text("id", e.ID.String())
	o.number("position", e.Position)
	o.text("at", e.At.UTC().Format(auditTimeFormat))
	if !e.ClientAt.IsZero() {
		o.text("clientAt", e.ClientAt.UTC().Format(time.RFC3339Nano))
	}
	o.text("action", string(e.Action))
	o.text("outcome", string(e.Outcome))
	o.text("code", string(e.Code))
	o.text("actorKind", e.Actor.Kind)
	o.text("actor", e.Actor.ID)
	o.text("actorScope", string(e.Actor.Scope))
	o.text("targetKind", e.Target.Kind)
	o.text("target", e.Target.ID)
	o.text("storeId", e.Context.Shop)
	o.text("userId", e.Context.User)
	o.text("deviceId", e.Context.Device)
	o.text("sessionId", e.Context.Session)
	o.text("appVersion", e.Context.AppVersion)
	o.text("correlationId", e.Context.Correlation)
	o.text("traceparent", e.Context.Traceparent)
	o.text("traceId", e.Trace())
	o.id("streamId", e.Stream)
	o.number("firstSeq", e.First)
	o.number("lastSeq", e.Last)
	o.id("transactionId", e.Transaction)
	o.text("consumer", e.Consumer)
	o.text("referenceNumber", e.Reference)
	o.text("address", e.Address)
	o.text("node", e.Node)
	o.number("epoch", e.Epoch)
	if len(e.Details) > 0 {
		o.raw("details", e.Details)
	}
	return append(o.b, '}')
}

// jsonObject is a JSON object that is being written.
type jsonObject struct{ b []byte }

func (o *jsonObject) name(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), `":`...)
}

func (o *jsonObject) text(name, value string) {
	if value == "" {
		return
	}
	o.name(name)
	o.b = appendJSONString(o.b, value)
}

func (o *jsonObject) number(name string, value int64) {
	if value == 0 {
		return
	}
	o.name(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

func (o *jsonObject) id(name string, id ID) {
	if !id.IsZero() {
		o.text(name, id.String())
	}
}

// raw puts a JSON value on one line; what is none becomes a text.
func (o *jsonObject) raw(name string, value []byte) {
	o.name(name)
	var compact bytes.Buffer
	if json.Compact(&compact, value) == nil {
		o.b = append(o.b, compact.Bytes()...)
		return
	}
	o.b = appendJSONString(o.b, string(value))
}

// appendJSONString writes a JSON text: quotes, backslashes and control characters are
// escaped, nothing else.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
		i++
	}
	return append(b, '"')
}

// AuditColumns are those of a CSV export.
var AuditColumns = []string{
	"at", "action", "outcome", "code", "storeId", "userId", "deviceId", "sessionId", "correlationId", "traceId", "actorKind", "actor", "targetKind", "target",
	"streamId", "firstSeq", "lastSeq", "transactionId", "consumer", "referenceNumber", "clientAt", "appVersion", "address", "node", "epoch", "id", "position", "details",
}

// Row is the event in the order of [AuditColumns]. A value that a spreadsheet would take for
// a formula gets a ' in front (OWASP, CSV injection).
func (e *AuditEvent) Row() []string {
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	id := func(id ID) string {
		if id.IsZero() {
			return ""
		}
		return id.String()
	}
	client := ""
	if !e.ClientAt.IsZero() {
		client = e.ClientAt.UTC().Format(time.RFC3339Nano)
	}
	row := []string{
		e.At.UTC().Format(auditTimeFormat), string(e.Action), string(e.Outcome), string(e.Code), e.Context.Shop, e.Context.User, e.Context.Device, e.Context.Session,
		e.Context.Correlation, e.Trace(), e.Actor.Kind, e.Actor.ID, e.Target.Kind, e.Target.ID, id(e.Stream), number(e.First), number(e.Last), id(e.Transaction),
		e.Consumer, e.Reference, client, e.Context.AppVersion, e.Address, e.Node, number(e.Epoch), e.ID.String(), number(e.Position), string(e.Details),
	}
	for i, cell := range row {
		row[i] = SafeCell(cell)
	}
	return row
}

// SafeCell is a cell of a CSV file that no spreadsheet takes for a formula: one that
// begins like one gets a ' in front (OWASP, CSV injection).
func SafeCell(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}
