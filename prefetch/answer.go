package prefetch

import (
	"context"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"path"
)

// maxHeaderText bounds what of an upstream's headers is kept.
const maxHeaderText = 500

// validators are those of an answer; one that is too long is as none.
func (u *upstream) validators(h http.Header) validators {
	return validators{Origin: u.origin, ETag: short(h.Get("ETag")), LastModified: short(h.Get("Last-Modified"))}
}

func short(text string) string {
	if len(text) > maxHeaderText {
		return ""
	}
	return text
}

// upstreamType is the content type of an answer, or nothing.
func upstreamType(h http.Header) string {
	text := short(h.Get("Content-Type"))
	if _, _, err := mime.ParseMediaType(text); err != nil {
		return ""
	}
	return text
}

// labelled adds what is told about octets; given is the content type somebody gave with them.
func (r Resource) labelled(e Entry, given string) Entry {
	e.Version, e.ContentType = r.Version, r.ContentType
	if e.Version == "" {
		e.Version = hex.EncodeToString(e.SHA256[:6])
	}
	for _, other := range []string{given, mime.TypeByExtension(path.Ext(e.Name)), "application/octet-stream"} {
		if e.ContentType == "" {
			e.ContentType = other
		}
	}
	return e
}

// moving tells of every octet that comes.
type moving struct {
	io.Reader
	moved func()
}

// Read tells that something came.
func (m moving) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if n > 0 {
		m.moved()
	}
	return n, err
}

// plainReader gives errors without addresses.
type plainReader struct {
	ctx context.Context //nolint:containedctx // of one answer
	r   io.Reader
}

// Read reads.
func (p plainReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err == nil || err == io.EOF { // the end, and not something that was caused by one
		return n, err
	}
	return n, plain(p.ctx, err)
}
