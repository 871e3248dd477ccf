package api

import (
	"bytes"
	"strconv"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

// The known members of a transaction, as bits.
const (
	memberID = iota
	memberSeq
	memberType
	memberSchema
	memberEntity
	memberOrderKey
	memberOccurredAt
	memberPayload
	memberAttachments
)

// required are the members without which a transaction is none.
var required = [...]struct {
	bit  int
	name string
}{{memberID, "id"}, {memberSeq, "seq"}, {memberType, "type"}, {memberOccurredAt, "occurredAt"}, {memberPayload, "payload"}}

func (d *batchDecoder) transaction() {
	if d.s.Kind() != jsonscan.Object {
		d.s.Skip()
		d.wrong("", "must be an object")
		return
	}
	start := d.s.Pos()
	var tx holdfast.Transaction
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		d.member(name, &tx, &seen)
	}
	for _, r := range required {
		if !seen.has(r.bit) {
			d.wrong(r.name, "is required")
		}
	}
	tx.Raw = d.s.Since(start)
	if len(d.fields) == 0 && d.s.Err() == nil {
		tx.Hash = holdfast.HashOf(tx.Raw)
		d.batch.Transactions = append(d.batch.Transactions, tx)
	}
}

func (d *batchDecoder) member(name jsonscan.Text, tx *holdfast.Transaction, seen *members) {
	switch {
	case name.Is("id"):
		d.once(seen, memberID, "id")
		tx.ID = d.id()
	case name.Is("seq"):
		d.once(seen, memberSeq, "seq")
		tx.Seq = d.number("seq", 1)
	case name.Is("type"):
		d.once(seen, memberType, "type")
		tx.Type = d.interned(d.text("type", maxType))
	case name.Is("schema"):
		d.once(seen, memberSchema, "schema")
		tx.Schema = d.number("schema", 1)
	case name.Is("entity"):
		d.once(seen, memberEntity, "entity")
		d.entity()
	case name.Is("orderKey"):
		d.once(seen, memberOrderKey, "orderKey")
		d.text("orderKey", maxOrderKey)
	case name.Is("occurredAt"):
		d.once(seen, memberOccurredAt, "occurredAt")
		d.occurredAt()
	case name.Is("payload"):
		d.once(seen, memberPayload, "payload")
		if d.s.Kind() != jsonscan.Object {
			d.wrong("payload", "must be an object")
		}
		tx.Payload = d.s.Skip()
	case name.Is("attachments"):
		d.once(seen, memberAttachments, "attachments")
		d.attachments()
	default:
		d.s.Skip()
	}
}

func (d *batchDecoder) id() holdfast.ID {
	if d.s.Kind() != jsonscan.String {
		d.s.Skip()
		d.wrong("id", "must be a string")
		return holdfast.ID{}
	}
	b, _ := d.s.Text().Bytes()
	id, err := holdfast.ParseID(b)
	if err != nil {
		d.wrong("id", "must be a UUID of 36 characters")
	}
	return id
}

// interned spares the allocation when the type is that of the transaction before.
func (d *batchDecoder) interned(b []byte) string {
	if n := len(d.batch.Transactions); n > 0 && d.batch.Transactions[n-1].Type == string(b) {
		return d.batch.Transactions[n-1].Type
	}
	return string(b)
}

// occurredAt is an RFC 3339 time with a zone. A leap second is not one: devices
// have no such seconds.
func (d *batchDecoder) occurredAt() {
	b := d.text("occurredAt", 64)
	if b == nil {
		return
	}
	if _, err := time.Parse(time.RFC3339Nano, string(b)); err != nil {
		d.wrong("occurredAt", "must be a time of RFC 3339 with a zone")
	}
}

func (d *batchDecoder) entity() {
	if d.s.Kind() != jsonscan.Object {
		d.s.Skip()
		d.wrong("entity", "must be an object")
		return
	}
	d.inner = "/entity"
	defer func() { d.inner = "" }()
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		switch {
		case name.Is("type"):
			d.once(&seen, 0, "type")
			d.text("type", maxEntityType)
		case name.Is("id"):
			d.once(&seen, 1, "id")
			d.text("id", maxEntityID)
		default:
			d.s.Skip()
		}
	}
	for bit, name := range [...]string{"type", "id"} {
		if !seen.has(bit) {
			d.wrong(name, "is required")
		}
	}
}

func (d *batchDecoder) attachments() {
	if d.s.Kind() != jsonscan.Array {
		d.s.Skip()
		d.wrong("attachments", "must be an array")
		return
	}
	n := 0
	defer func() { d.inner = "" }()
	for d.s.Enter(); d.s.Element(); n++ {
		d.inner = "/attachments/" + strconv.Itoa(n)
		d.attachment()
	}
	d.inner = ""
	if n > maxAttachments {
		d.wrong("attachments", "must be at most "+strconv.Itoa(maxAttachments))
	}
}

func (d *batchDecoder) attachment() {
	if d.s.Kind() != jsonscan.Object {
		d.s.Skip()
		d.wrong("", "must be an object")
		return
	}
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		switch {
		case name.Is("sha256"):
			d.once(&seen, 0, "sha256")
			if b := d.text("sha256", 64); b != nil && !isHash(b) {
				d.wrong("sha256", "must be 64 hexadecimal digits")
			}
		case name.Is("size"):
			d.once(&seen, 1, "size")
			d.number("size", 0)
		case name.Is("contentType"):
			d.once(&seen, 2, "contentType")
			d.text("contentType", maxContentType)
		case name.Is("name"):
			d.once(&seen, 3, "name")
			d.text("name", maxName)
		default:
			d.s.Skip()
		}
	}
	for bit, name := range [...]string{"sha256", "size", "contentType"} {
		if !seen.has(bit) {
			d.wrong(name, "is required")
		}
	}
}

func isHash(b []byte) bool {
	return len(b) == 64 && len(bytes.Trim(b, "0123456789abcdefABCDEF")) == 0
}
