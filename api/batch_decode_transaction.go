package api

import (
	"fmt"
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

// transaction reads one; what of it can't be read stays zero.
func (d *batchDecoder) transaction() {
	var tx holdfast.Transaction
	var seen members
	if !d.is(jsonscan.Object, "", "must be an object") {
		d.unname()
		d.batch.Transactions = append(d.batch.Transactions, tx)
		return
	}
	start := d.s.Pos()
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		d.member(name, &tx, &seen)
	}
	d.require(seen, memberID, "id")
	d.require(seen, memberSeq, "seq")
	d.require(seen, memberType, "type")
	d.require(seen, memberOccurredAt, "occurredAt")
	d.require(seen, memberPayload, "payload")
	if seen&(1<<memberID) == 0 {
		d.unname()
	}
	if tx.Raw = d.s.Since(start); tx.Raw != nil && len(d.fields) == 0 {
		tx.Hash = holdfast.HashOf(tx.Raw)
	}
	d.batch.Transactions = append(d.batch.Transactions, tx)
}

func (d *batchDecoder) member(name jsonscan.Text, tx *holdfast.Transaction, seen *members) {
	first := func(bit int, known string) bool { return d.first(seen, bit, known) }
	switch {
	case name.Is("id"):
		if first(memberID, "id") {
			tx.ID = d.id()
		}
	case name.Is("seq"):
		if first(memberSeq, "seq") {
			tx.Seq = d.number("seq", 1)
		}
	case name.Is("type"):
		if first(memberType, "type") {
			tx.Type = d.kind()
		}
	case name.Is("schema"):
		if first(memberSchema, "schema") {
			tx.Schema = d.number("schema", 1)
		}
	case name.Is("payload"):
		if first(memberPayload, "payload") && d.is(jsonscan.Object, "payload", "must be an object") {
			tx.Payload = d.s.Skip()
		}
	default:
		d.checked(name, tx, seen)
	}
}

// checked reads the members that are checked and then stay in the raw bytes,
// and skips those that the gateway does not know.
func (d *batchDecoder) checked(name jsonscan.Text, tx *holdfast.Transaction, seen *members) {
	switch {
	case name.Is("entity"):
		if d.first(seen, memberEntity, "entity") {
			d.entity()
		}
	case name.Is("orderKey"):
		if d.first(seen, memberOrderKey, "orderKey") {
			d.text("orderKey", maxOrderKey)
		}
	case name.Is("occurredAt"):
		if d.first(seen, memberOccurredAt, "occurredAt") {
			tx.OccurredAt = d.occurredAt()
		}
	case name.Is("attachments"):
		if d.first(seen, memberAttachments, "attachments") {
			tx.Attachments = d.attachments()
		}
	default:
		d.s.Skip()
	}
}

// unname notes that the transaction being read has no id to compare.
func (d *batchDecoder) unname() {
	if d.unnamed == nil {
		d.unnamed = make(map[int]struct{})
	}
	d.unnamed[d.index] = struct{}{}
}

func (d *batchDecoder) id() holdfast.ID {
	if !d.is(jsonscan.String, "id", "must be a string") {
		d.unname()
		return holdfast.ID{}
	}
	b, _ := d.s.Text().Bytes()
	id, err := holdfast.ParseID(b)
	if err != nil {
		d.unname()
		d.wrong("id", "must be a UUID of 36 characters")
	}
	return id
}

// kind reads the type. It spares the allocation when it is that of the
// transaction before.
func (d *batchDecoder) kind() string {
	b := d.name("type", maxType)
	if n := len(d.batch.Transactions); n > 0 && d.batch.Transactions[n-1].Type == string(b) {
		return d.batch.Transactions[n-1].Type
	}
	return string(b)
}

func (d *batchDecoder) occurredAt() time.Time {
	b, ok := d.text("occurredAt", maxOccurredAt)
	if ok && !isTime(b) {
		d.wrong("occurredAt", "must be a time of RFC 3339 with a zone")
	}
	return timeOf(b)
}

func (d *batchDecoder) entity() {
	if !d.is(jsonscan.Object, "entity", "must be an object") {
		return
	}
	d.inEntity = true
	defer func() { d.inEntity = false }()
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		switch {
		case name.Is("type"):
			if d.first(&seen, 0, "type") {
				d.text("type", maxEntityType)
			}
		case name.Is("id"):
			if d.first(&seen, 1, "id") {
				d.text("id", maxEntityID)
			}
		default:
			d.s.Skip()
		}
	}
	d.require(seen, 0, "type")
	d.require(seen, 1, "id")
}

func (d *batchDecoder) attachments() (named []holdfast.AttachmentRef) {
	if !d.is(jsonscan.Array, "attachments", "must be an array") {
		return nil
	}
	n := 0
	for d.s.Enter(); d.s.Element(); n++ {
		if n >= maxAttachments {
			d.s.Skip()
			continue
		}
		d.attachment = n
		named = append(named, d.oneAttachment())
		d.attachment = nowhere
	}
	if n > maxAttachments {
		d.wrong("attachments", fmt.Sprintf("must be at most %d", maxAttachments))
	}
	return named
}
