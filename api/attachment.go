package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// Attachments are the files. Their errors are *holdfast.Error.
type Attachments interface {
	// Put keeps a file that comes whole; first is false when it was held. size is -1 when it is not known.
	Put(ctx context.Context, digest holdfast.Hash, size int64, contentType string, octets io.Reader) (first bool, err error)
	// Open opens one; whole says that it is likely to be read from the first octet to the last.
	Open(ctx context.Context, digest holdfast.Hash, whole bool) (Content, error)
}

// Content is a file that can be read.
type Content interface {
	io.ReadSeekCloser
	Describe() holdfast.Attachment
}

// stalled is how long a client may give or take nothing before its connection is given up.
const stalled = 20 * time.Second

// digestOf reads a name of 64 hexadecimal digits.
func (s *shape) digestOf(name, text string) holdfast.Hash {
	digest, ok := holdfast.ParseHash(text)
	if !ok {
		s.fields = append(s.fields, holdfast.FieldError{Parameter: name, Detail: "must be 64 hexadecimal digits"})
	}
	return digest
}

// PutAttachment keeps a file that comes in one request.
func (s *Server) PutAttachment(w http.ResponseWriter, r *http.Request, name wire.Sha256Path, _ wire.PutAttachmentParams) {
	var sh shape
	digest := sh.digestOf("sha256", name)
	contentType := sh.contentType(r.Header)
	if len(r.Header.Values("Content-Range")) > 0 {
		sh.header("Content-Range", "can't be taken: a file comes whole, or as a resumable upload") // RFC 9110, 14.4
	}
	err := s.admitRead(r, &sh)
	if err == nil && r.Header.Get("Content-Encoding") != "" {
		err = &holdfast.Error{Code: holdfast.CodeUnsupportedMediaType, Detail: "A file is taken as it is, without a content coding."}
	}
	first := false
	if err == nil {
		body := &patient{ReadCloser: r.Body, control: http.NewResponseController(w)}
		first, err = s.Attachments.Put(r.Context(), digest, r.ContentLength, contentType, body)
		err = body.explain(err)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(stalled)) // keeping the octets may have taken long
	if err != nil {
		leaveUnread(w, r)
		problem.Write(w, r, err)
		return
	}
	describe(w.Header(), digest)
	if !first {
		leaveUnread(w, r)
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Location", "/v1/attachments/"+digest.String())
	w.WriteHeader(http.StatusCreated)
}

// contentType reads the media type that a file is kept with; empty when none is told.
func (s *shape) contentType(h http.Header) string {
	text := h.Get("Content-Type")
	if text == "" {
		return ""
	}
	kind, _, err := mime.ParseMediaType(text)
	odd := strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
	if err != nil || odd || !strings.Contains(kind, "/") || len(text) > maxContentType {
		s.header("Content-Type", "must be a media type of at most "+strconv.Itoa(maxContentType)+" printable ASCII characters")
	}
	return text
}

// leaveUnread lets a client that has asked for it (Expect: 100-continue) keep its octets; of
// others, net/http reads a little and ends the connection.
func leaveUnread(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
	}
}

// patient reads a body as long as something comes.
type patient struct {
	io.ReadCloser
	control *http.ResponseController
	late    bool
}

// Read gives the client a little time for the next octets, and us twice that for the answer.
func (p *patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(stalled))
	_ = p.control.SetWriteDeadline(time.Now().Add(4 * stalled))
	n, err := p.ReadCloser.Read(b)
	if os.IsTimeout(err) {
		p.late = true
	}
	return n, err
}

func (p *patient) explain(err error) error {
	if err != nil && p.late {
		return &holdfast.Error{Code: holdfast.CodeRequestTimeout, Detail: "Nothing came for " + stalled.String() + ".", Err: err}
	}
	return err
}

// describe sets what every answer about a file has: a strong ETag, and its digest (RFC 9530).
func describe(h http.Header, digest holdfast.Hash) {
	h.Set("ETag", `"`+digest.String()+`"`)
	h.Set("Repr-Digest", ReprDigest(digest))
}

// ReprDigest is a digest as RFC 9530 writes it.
func ReprDigest(digest holdfast.Hash) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":"
}

// GetAttachment gives a file as a download, or a stretch of it.
func (s *Server) GetAttachment(w http.ResponseWriter, r *http.Request, name wire.Sha256Path, _ wire.GetAttachmentParams) {
	var sh shape
	digest := sh.digestOf("sha256", name)
	if err := s.admitRead(r, &sh); err != nil {
		problem.Write(w, r, err)
		return
	}
	content, err := s.Attachments.Open(r.Context(), digest, r.Method == http.MethodGet && r.Header.Get("Range") == "")
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	defer content.Close()
	a := content.Describe()
	h := w.Header()
	describe(h, digest)
	h.Set("Content-Type", "application/octet-stream")
	if _, _, err := mime.ParseMediaType(a.ContentType); err == nil {
		h.Set("Content-Type", a.ContentType)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	serveFile(w, r, content, a.Size)
}

// serveFile answers with a file that never changes, or the stretches that are asked for.
func serveFile(w http.ResponseWriter, r *http.Request, content io.ReadSeeker, size int64) {
	bare := r.WithContext(r.Context())
	bare.Header = r.Header.Clone()
	for _, name := range []string{"If-Match", "If-Unmodified-Since", "If-Modified-Since"} {
		bare.Header.Del(name)
	}
	out := &download{ResponseWriter: w, r: r, size: size, control: http.NewResponseController(w)}
	http.ServeContent(out, bare, "", time.Time{}, content)
}

// download makes problem documents of http.ServeContent's refusals, and waits for a slow client as
// long as it takes something.
type download struct {
	http.ResponseWriter
	r       *http.Request
	size    int64
	control *http.ResponseController
	refused bool
}

// Unwrap is for http.ResponseController.
func (d *download) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// WriteHeader answers 416 in our own words.
func (d *download) WriteHeader(status int) {
	if status < http.StatusBadRequest {
		d.ResponseWriter.WriteHeader(status)
		return
	}
	d.refused = true
	for _, name := range []string{"ETag", "Repr-Digest", "Content-Disposition", "Content-Security-Policy", "Cache-Control", "Content-Length"} {
		d.Header().Del(name)
	}
	d.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(d.size, 10))
	code := holdfast.CodeRangeNotSatisfiable
	if status != http.StatusRequestedRangeNotSatisfiable {
		code = holdfast.CodeInternal
	}
	problem.Write(d.ResponseWriter, d.r, &holdfast.Error{Code: code, Detail: "The file has " + strconv.FormatInt(d.size, 10) + " bytes."})
}

// Write passes octets on, unless the answer is a refusal.
func (d *download) Write(b []byte) (int, error) {
	if d.refused {
		return len(b), nil
	}
	_ = d.control.SetWriteDeadline(time.Now().Add(stalled))
	return d.ResponseWriter.Write(b)
}

// ListStreamAttachments tells which files a stream's transactions name.
func (s *Server) ListStreamAttachments(w http.ResponseWriter, r *http.Request, streamID wire.StreamId, _ wire.ListStreamAttachmentsParams) {
	var sh shape
	stream := sh.parameter("streamId", streamID)
	q := sh.named(r)
	if err := s.admitRead(r, &sh); err != nil {
		problem.Write(w, r, err)
		return
	}
	q.Stream = stream
	named, watermarks, err := s.Streams.Attachments(r.Context(), q)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	s.heard(r, stream)
	problem.SetWatermarks(w.Header(), watermarks)
	out := wire.StreamAttachments{Attachments: make([]wire.NamedAttachment, len(named))}
	for i, n := range named {
		out.Attachments[i] = wire.NamedAttachment{Seq: n.Seq, Id: n.Transaction.String(), Sha256: n.Digest.String(), Size: n.Size, Copies: n.Copies}
	}
	if len(named) == q.Limit {
		last := named[len(named)-1]
		next := strconv.FormatInt(last.Seq, 10) + "." + last.Digest.String()
		out.Next = &next
	}
	body, _ := json.Marshal(out) // numbers and texts: can't fail
	writeJSON(w, http.StatusOK, body)
}

// The pages of a stream's attachments.
const (
	namedPage = 100
	namedMost = 1000
)

func (s *shape) named(r *http.Request) holdfast.NamedQuery {
	values := r.URL.Query()
	q := holdfast.NamedQuery{Limit: namedPage}
	wrong := func(name, detail string) {
		s.fields = append(s.fields, holdfast.FieldError{Parameter: name, Detail: detail})
	}
	switch values.Get("missing") {
	case "", "0", "false":
	case "1", "true":
		q.Below = 1
	default:
		wrong("missing", "must be 1 or 0")
	}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > namedMost {
			wrong("limit", "must be a whole number from 1 to 1000")
		}
		q.Limit = n
	}
	if text := values.Get("after"); text != "" {
		seq, digest, _ := strings.Cut(text, ".")
		var err error
		var ok bool
		q.AfterSeq, err = strconv.ParseInt(seq, 10, 64)
		if q.AfterDigest, ok = holdfast.ParseHash(digest); err != nil || !ok || q.AfterSeq < 1 {
			wrong("after", "must be next of a page before")
		}
	}
	return q
}
