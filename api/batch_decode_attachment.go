package api

import (
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

func (d *batchDecoder) oneAttachment() {
	if !d.is(jsonscan.Object, "", "must be an object") {
		return
	}
	var seen members
	d.s.Enter()
	for name, more := d.s.Member(); more; name, more = d.s.Member() {
		d.attachmentMember(name, &seen)
	}
	d.require(seen, memberSHA256, "sha256")
	d.require(seen, memberSize, "size")
	d.require(seen, memberContentType, "contentType")
}

func (d *batchDecoder) attachmentMember(name jsonscan.Text, seen *members) {
	switch {
	case name.Is("sha256"):
		if d.first(seen, memberSHA256, "sha256") {
			d.sha256()
		}
	case name.Is("size"):
		if d.first(seen, memberSize, "size") {
			d.number("size", 0)
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

func (d *batchDecoder) sha256() {
	if !d.is(jsonscan.String, "sha256", "must be a string") {
		return
	}
	if b, _ := d.s.Text().Bytes(); !isHash(b) {
		d.wrong("sha256", "must be 64 hexadecimal digits")
	}
}

// isHash says whether b is a SHA-256 in hexadecimal digits of either case.
func isHash(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(b) == 2*len(holdfast.Hash{})
}
