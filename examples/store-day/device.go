package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// line is an envelope of holdfast send.
type line struct {
	Stream      holdfast.ID `json:"stream"`
	Store       string      `json:"store"`
	Device      string      `json:"device"`
	User        string      `json:"user"`
	Session     string      `json:"session"`
	AppVersion  string      `json:"appVersion"`
	Transaction transaction `json:"transaction"`

	at time.Time
}

type transaction struct {
	ID          holdfast.ID  `json:"id"`
	Seq         int64        `json:"seq"`
	Type        string       `json:"type"`
	Schema      int          `json:"schema"`
	Entity      *entity      `json:"entity,omitempty"`
	OrderKey    string       `json:"orderKey,omitempty"`
	OccurredAt  string       `json:"occurredAt"`
	Payload     any          `json:"payload"`
	Attachments []attachment `json:"attachments,omitempty"`
}

type entity struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type attachment struct {
	SHA256      string `json:"sha256"`
	Size        int    `json:"size"`
	ContentType string `json:"contentType"`
	Name        string `json:"name"`
}

// device is one tablet on one day.
type device struct {
	dice
	store   *store
	name    string
	stream  holdfast.ID
	app     string
	user    string
	session string
	now     time.Time
	lines   []line
}

// store is what the devices of a store share.
type store struct {
	number string
	index  int
	open   time.Time
	close  time.Time
}

func newStore(o options, index int) *store {
	return &store{
		number: fmt.Sprintf("%04d", 42+index), index: index,
		open: o.date.Add(6 * time.Hour), close: o.date.Add(21 * time.Hour),
	}
}

func newDevice(o options, s *store, number int) *device {
	d := &device{
		dice: newDice(o.seed, uint64(s.index), uint64(number)), store: s,
		name: fmt.Sprintf("ipad-%s-%02d", s.number, number), app: "4.2.0",
	}
	if d.one(4) {
		d.app = "4.1.7" // an update reaches a fleet in days, not at once
	}
	installed := o.date.AddDate(0, 0, -d.between(3, 200)).Add(d.about(9 * time.Hour))
	d.stream = d.uuid(installed)
	return d
}

// did records what the associate has just done.
func (d *device) did(kind string, schema int, about *entity, orderKey string, payload any, files ...attachment) {
	if n := len(d.lines); n > 0 && !d.now.After(d.lines[n-1].at) {
		d.now = d.lines[n-1].at.Add(time.Millisecond)
	}
	d.lines = append(d.lines, line{
		Stream: d.stream, Store: d.store.number, Device: d.name, User: d.user, Session: d.session, AppVersion: d.app,
		Transaction: transaction{
			ID: d.uuid(d.now), Seq: int64(len(d.lines)) + 1, Type: kind, Schema: schema, Entity: about, OrderKey: orderKey,
			OccurredAt: d.now.Format("2006-01-02T15:04:05.000Z07:00"), Payload: payload, Attachments: files,
		},
		at: d.now,
	})
}

func (d *device) wait(mean time.Duration) { d.now = d.now.Add(d.about(mean)) }

// file is a picture taken a moment ago.
func (d *device) file(contentType, name string, low, high int) attachment {
	return attachment{SHA256: d.hash(), Size: d.between(low, high), ContentType: contentType, Name: name}
}

// encode writes the JSON of one line; & and < stay as they are.
func (l *line) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(l)
	return b.Bytes(), err
}
