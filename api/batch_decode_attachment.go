package api

import (
	"encoding/hex"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

// The known members of an attachment, as bits.
const (
	memberSHA256 = iota
	memberSize
	memberContentType
	memberName
)

// oneAttachment reads one; what of it can't be read stays zero.
func (d *batchDecoder) oneAttachment() (ref holdfast.AttachmentRef) {
	if !d.is(jsonscan.Object, "", "must be an object") {
		return ref
	}
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		d.attachmentMember(name, &ref, &seen)
	}
	d.require(seen, memberSHA256, "sha256")
	d.require(seen, memberSize, "size")
	d.require(seen, memberContentType, "contentType")
	return ref
}

func (d *batchDecoder) attachmentMember(name jsonscan.Text, ref *holdfast.AttachmentRef, seen *members) {
	switch {
	case name.Is("sha256"):
		if d.first(seen, memberSHA256, "sha256") {
			ref.Digest = d.sha256()
		}
	case name.Is("size"):
		if d.first(seen, memberSize, "size") {
			ref.Size = d.number("size", 0)
		}
	case name.Is("contentType"):
		if d.first(seen, memberContentType, "contentType") {
			d.name("contentType", maxContentType)
		}
	case name.Is("name"):
		if d.first(seen, memberName, "name") {
			d.text("name", maxName)
		}
	default:
		d.s.Skip()
	}
}

func (d *batchDecoder) sha256() (h holdfast.Hash) {
	if !d.is(jsonscan.String, "sha256", "must be a string") {
		return h
	}
	b, _ := d.s.Text().Bytes()
	if len(b) != hex.EncodedLen(len(h)) {
		d.wrong("sha256", "must be 64 hexadecimal digits")
	} else if _, err := hex.Decode(h[:], b); err != nil {
		d.wrong("sha256", "must be 64 hexadecimal digits")
	}
	return h
}
