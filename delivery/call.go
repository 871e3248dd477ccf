package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Call is one attempt to deliver a transaction.
type Call struct {
	store.ClaimedDelivery
	// Key is the idempotency key: the same for the same transaction and consumer, whatever happens.
	Key string
	// Envelope is what a consumer gets that asks for nothing else: a JSON object.
	Envelope []byte
	// Files are those of the transaction; Open reads one from any site.
	Files []File
	Open  func(ctx context.Context, digest holdfast.Hash) (io.ReadCloser, error)
	data  map[string]any
}

// File belongs to a transaction.
type File struct {
	SHA256      string        `json:"sha256"`
	Size        int64         `json:"size"`
	ContentType string        `json:"contentType,omitempty"`
	Name        string        `json:"name,omitempty"`
	Digest      holdfast.Hash `json:"-"`
}

// envelope is the default body, in this order.
type envelope struct {
	ID          string            `json:"id"`
	Stream      string            `json:"stream"`
	Seq         int64             `json:"seq"`
	Type        string            `json:"type"`
	Schema      int64             `json:"schema,omitempty"`
	OccurredAt  string            `json:"occurredAt,omitempty"`
	Entity      json.RawMessage   `json:"entity,omitempty"`
	OrderKey    string            `json:"orderKey,omitempty"`
	Payload     json.RawMessage   `json:"payload"`
	Attachments []File            `json:"attachments,omitempty"`
	Context     map[string]string `json:"context"`
	References  map[string]string `json:"references,omitempty"`
	Prior       json.RawMessage   `json:"prior,omitempty"`
	Epoch       int64             `json:"epoch"`
	Consumer    string            `json:"consumer"`
	Repaired    bool              `json:"repaired,omitempty"`
}

// NewCall makes a call of what was claimed.
func NewCall(d store.ClaimedDelivery, open func(context.Context, holdfast.Hash) (io.ReadCloser, error)) (*Call, error) {
	m := membersOf(d.Raw)
	e := envelope{Type: m.text("type"), OccurredAt: m.text("occurredAt"), Entity: m["entity"], OrderKey: m.text("orderKey"), Payload: m["payload"]}
	_ = json.Unmarshal(m["schema"], &e.Schema) // intake has read it before
	if err := e.files(m["attachments"]); err != nil {
		return nil, err
	}
	e.ID, e.Stream, e.Seq, e.Epoch, e.Consumer = d.Transaction.String(), d.Stream.String(), d.Seq, d.Epoch, d.Consumer
	e.Context, e.References, e.Prior = contextOf(&d), d.References, priorOf(d.Prior, e.ID)
	if d.Repaired != nil {
		e.Payload, e.Repaired = d.Repaired, true
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return &Call{ClaimedDelivery: d, Key: e.ID + ":" + d.Consumer, Envelope: text, Files: e.Attachments, Open: open}, nil
}

// files reads the attachments that the transaction names.
func (e *envelope) files(text json.RawMessage) error {
	var all []members
	if len(text) > 0 {
		if err := json.Unmarshal(text, &all); err != nil {
			return err
		}
	}
	for _, m := range all {
		f := File{SHA256: m.text("sha256"), ContentType: m.text("contentType"), Name: m.text("name")}
		_ = json.Unmarshal(m["size"], &f.Size)
		var ok bool
		if f.Digest, ok = holdfast.ParseHash(f.SHA256); !ok {
			return errors.New("an attachment has no sha256")
		}
		f.SHA256 = f.Digest.String()
		e.Attachments = append(e.Attachments, f)
	}
	return nil
}

// contextOf is the context of the request that brought the transaction.
func contextOf(d *store.ClaimedDelivery) map[string]string {
	all := map[string]string{
		"correlationId": d.Context.Correlation, "storeId": d.Context.Shop, "userId": d.Context.User, "deviceId": d.Context.Device,
		"sessionId": d.Context.Session, "appVersion": d.Context.AppVersion, "traceparent": d.Context.Traceparent,
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

// priorOf is the outcome that the person has been shown already.
func priorOf(prior []byte, id string) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(prior, &all) != nil {
		return nil
	}
	return all[id]
}

// Data is what templates see: the envelope's members, and with them key, attempt and referenceNumber (of the nearest earlier
// consumer that answered one).
func (c *Call) Data() map[string]any {
	if c.data != nil {
		return c.data
	}
	decoder := json.NewDecoder(bytes.NewReader(c.Envelope))
	decoder.UseNumber()
	_ = decoder.Decode(&c.data) // it was encoded a moment ago
	if c.data["references"] == nil {
		c.data["references"] = map[string]any{} // nobody has answered one yet
	}
	c.data["key"], c.data["attempt"], c.data["referenceNumber"] = c.Key, c.Attempts, c.ReferenceNumber()
	return c.data
}

// ReferenceNumber is that of the nearest earlier consumer that answered one; empty without.
func (c *Call) ReferenceNumber() string {
	for _, name := range c.After {
		if r := c.References[name]; r != "" {
			return r
		}
	}
	return ""
}

// shown is the reference that the person has been shown before a failover; empty without.
func (c *Call) shown() string {
	return membersOf(priorOf(c.Prior, c.Transaction.String())).text("referenceNumber")
}

// missing are the files that are held nowhere.
func (m *Machine) missing(ctx context.Context, c *Call) ([]string, error) {
	if len(c.Files) == 0 {
		return nil, nil
	}
	named, err := m.cfg.Store.Named(ctx, store.NamedQuery{Stream: c.Stream, AfterSeq: c.Seq - 1, AfterDigest: lastHash, Below: 1, Limit: len(c.Files)})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, n := range named {
		if n.Seq == c.Seq {
			all = append(all, n.Digest.String())
		}
	}
	slices.Sort(all)
	return all, nil
}

// lastHash is behind every other one.
var lastHash = func() (h holdfast.Hash) {
	for i := range h {
		h[i] = 0xff
	}
	return h
}()
