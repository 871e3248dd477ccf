package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/holdfast-sync/holdfast"
	client "github.com/holdfast-sync/holdfast/client/go"
)

// line is one envelope as read.
type line struct {
	stream holdfast.ID
	origin client.Origin
	raw    []byte // the transaction's octets, within the line
	transaction
}

type transaction struct {
	id         holdfast.ID
	seq        int64
	occurredAt time.Time
}

// readLine judges a line. What the gateway would refuse for certain is refused
// here, so that a file is sent whole or not at all; the rest is the gateway's.
func readLine(text []byte) (line, error) {
	var l line
	if !utf8.Valid(text) {
		return l, errors.New("not valid UTF-8")
	}
	members, err := object(text)
	if err != nil {
		return l, err
	}
	var stream string
	read := map[string]*string{
		"stream": &stream, "store": &l.origin.Store, "user": &l.origin.User, "device": &l.origin.Device,
		"session": &l.origin.Session, "appVersion": &l.origin.AppVersion,
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		if name == "transaction" {
			l.raw = value
			continue
		}
		target, known := read[name]
		if !known {
			return l, fmt.Errorf("an envelope has no member %q", name)
		}
		if err := json.Unmarshal(value, target); err != nil {
			return l, fmt.Errorf("%s is not a string", name)
		}
	}
	if l.stream, err = holdfast.ParseID(stream); err != nil {
		return l, fmt.Errorf("stream: %w", err)
	}
	if err := l.origin.Validate(); err != nil {
		return l, err
	}
	if l.raw == nil {
		return l, errors.New("there is no transaction")
	}
	l.transaction, err = readTransaction(l.raw)
	return l, err
}

// readTransaction reads what every transaction must have.
func readTransaction(raw []byte) (transaction, error) {
	var t transaction
	members, err := object(raw)
	if err != nil {
		return t, fmt.Errorf("transaction: %w", err)
	}
	var id, kind, at string
	for _, m := range []struct {
		name   string
		target any
	}{{"id", &id}, {"seq", &t.seq}, {"type", &kind}, {"occurredAt", &at}} {
		value, ok := members[m.name]
		if !ok {
			return t, fmt.Errorf("transaction: %s is missing", m.name)
		}
		if err := json.Unmarshal(value, m.target); err != nil || string(value) == "null" {
			return t, fmt.Errorf("transaction: %s is not of its type", m.name)
		}
	}
	if t.id, err = holdfast.ParseID(id); err != nil {
		return t, fmt.Errorf("transaction: id: %w", err)
	}
	if t.occurredAt, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return t, errors.New("transaction: occurredAt is not a time of RFC 3339")
	}
	if kind == "" {
		return t, errors.New("transaction: type is empty")
	}
	if payload, ok := members["payload"]; !ok || payload[0] != '{' {
		return t, errors.New("transaction: payload is not an object")
	}
	return t, nil
}

// object splits a JSON object into its members, names exactly as spelled.
func object(text []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	err := json.Unmarshal(text, &members)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("not valid JSON at byte %d: %s", syntax.Offset, syntax.Error())
	case err != nil || members == nil:
		return nil, errors.New("not a JSON object")
	}
	return members, nil
}

// locate is where raw, a part of text that encoding/json copied out, stands.
// The member may stand twice; the last one counts, as with encoding/json.
func locate(text, raw []byte) int { return bytes.LastIndex(text, raw) }
