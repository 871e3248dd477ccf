package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast"
)

// files is a port of one file.
type files struct {
	octets      []byte
	contentType string
	put         []string // digest, size and type of what was put
	first       bool
	err         error
	whole       bool
}

func (f *files) Put(_ context.Context, digest holdfast.Hash, size int64, contentType string, octets io.Reader) (bool, error) {
	b, err := io.ReadAll(octets)
	if err != nil || int64(len(b)) != size {
		return false, &holdfast.Error{Code: holdfast.CodeInvalidRequest}
	}
	f.put = append(f.put, digest.String()+" "+contentType+" "+string(b))
	return f.first, f.err
}

type content struct {
	*bytes.Reader
	holdfast.Attachment
}

func (c content) Describe() holdfast.Attachment { return c.Attachment }
func (content) Close() error                    { return nil }

func (f *files) Open(_ context.Context, digest holdfast.Hash, whole bool) (Content, error) {
	f.whole = whole
	if f.err != nil {
		return nil, f.err
	}
	return content{bytes.NewReader(f.octets), holdfast.Attachment{Digest: digest, Size: int64(len(f.octets)), ContentType: f.contentType}}, nil
}

var (
	fileDigest = holdfast.HashOf([]byte("0123456789"))
	filePath   = "/v1/attachments/" + fileDigest.String()
)

func TestAFileIsPut(t *testing.T) {
	p := &recording{files: files{first: true}}
	_, h := newTestServer(t, p)
	w := do(t, h, "PUT", "/v1/attachments/"+strings.ToUpper(fileDigest.String()), "0123456789", "Content-Type", "image/jpeg")
	if w.Code != 201 || w.Header().Get("Location") != filePath || w.Header().Get("ETag") != `"`+fileDigest.String()+`"` ||
		w.Header().Get("Repr-Digest") != "sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	p.files.first = false
	if w := do(t, h, "PUT", filePath, "0123456789"); w.Code != 200 || w.Header().Get("Location") != "" || w.Body.Len() != 0 {
		t.Fatalf("held: %d %v", w.Code, w.Header())
	}
	if want := []string{fileDigest.String() + " image/jpeg 0123456789", fileDigest.String() + "  0123456789"}; !slices.Equal(p.files.put, want) {
		t.Fatal(p.files.put)
	}
}

func TestWhatCantBePut(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		header []string
		status int
		code   string
		place  string
	}{
		"name":            {"/v1/attachments/abc", nil, 400, "invalid-request", "sha256"},
		"name of no hex":  {"/v1/attachments/" + strings.Repeat("g", 64), nil, 400, "invalid-request", "sha256"},
		"type":            {filePath, []string{"Content-Type", "image"}, 400, "invalid-request", "Content-Type"},
		"long type":       {filePath, []string{"Content-Type", "image/" + strings.Repeat("x", 130)}, 400, "invalid-request", "Content-Type"},
		"odd type":        {filePath, []string{"Content-Type", "image/x; a=\"\xff\""}, 400, "invalid-request", "Content-Type"},
		"part":            {filePath, []string{"Content-Range", "bytes 0-9/20"}, 400, "invalid-request", "Content-Range"},
		"coding":          {filePath, []string{"Content-Encoding", "gzip"}, 415, "unsupported-media-type", ""},
		"what is refused": {filePath, []string{"X-Refuse", "1"}, 422, "digest-mismatch", ""},
	} {
		p := &recording{}
		if name == "what is refused" {
			p.files.err = &holdfast.Error{Code: holdfast.CodeDigestMismatch}
		}
		_, h := newTestServer(t, p)
		w := do(t, h, "PUT", c.path, "0123456789", c.header...)
		var d struct {
			Code   string
			Errors []struct{ Header, Parameter string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != c.status || d.Code != c.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if c.place != "" && (len(d.Errors) != 1 || d.Errors[0].Header+d.Errors[0].Parameter != c.place) {
			t.Errorf("%s: %s", name, w.Body)
		}
		if c.status < 422 && len(p.files.put) > 0 {
			t.Errorf("%s was put", name)
		}
	}
}

func TestAFileIsRead(t *testing.T) {
	p := &recording{files: files{octets: []byte("0123456789"), contentType: "image/jpeg"}}
	_, h := newTestServer(t, p)
	etag := `"` + fileDigest.String() + `"`
	for name, c := range map[string]struct {
		method string
		header []string
		status int
		body   string
		whole  bool
	}{
		"all":                {"GET", nil, 200, "0123456789", true},
		"head":               {"HEAD", nil, 200, "", false},
		"beginning":          {"GET", []string{"Range", "bytes=0-3"}, 206, "0123", false},
		"end":                {"GET", []string{"Range", "bytes=7-"}, 206, "789", false},
		"last":               {"GET", []string{"Range", "bytes=-2"}, 206, "89", false},
		"beyond":             {"GET", []string{"Range", "bytes=10-"}, 416, "", false},
		"unreadable":         {"GET", []string{"Range", "bytes=x"}, 416, "", false},
		"is it another":      {"GET", []string{"If-None-Match", etag}, 304, "", true},
		"it is another":      {"GET", []string{"If-None-Match", `"x"`}, 200, "0123456789", true},
		"range of this":      {"GET", []string{"Range", "bytes=0-0", "If-Range", etag}, 206, "0", false},
		"range of another":   {"GET", []string{"Range", "bytes=0-0", "If-Range", `"x"`}, 200, "0123456789", false},
		"a date says little": {"GET", []string{"If-Modified-Since", "Fri, 20 Nov 2026 10:00:00 GMT", "If-Unmodified-Since", "Fri, 20 Nov 1970 10:00:00 GMT", "If-Match", `"x"`}, 200, "0123456789", true},
	} {
		w := do(t, h, c.method, filePath, "", c.header...)
		if w.Code != c.status || c.status < 400 && w.Body.String() != c.body || p.files.whole != c.whole {
			t.Errorf("%s: %d %q whole %t", name, w.Code, w.Body, p.files.whole)
			continue
		}
		head := w.Header()
		switch c.status {
		case 200:
			if head.Get("Content-Type") != "image/jpeg" || head.Get("X-Content-Type-Options") != "nosniff" || head.Get("Content-Disposition") != "attachment" ||
				head.Get("Content-Length") != "10" || !strings.Contains(head.Get("Content-Security-Policy"), "sandbox") || !strings.Contains(head.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %v", name, head)
			}
		case 416:
			if head.Get("Content-Range") != "bytes */10" || !strings.Contains(w.Body.String(), "range-not-satisfiable") || head.Get("ETag") != "" {
				t.Errorf("%s: %v %s", name, head, w.Body)
			}
		}
	}
	w := do(t, h, "GET", filePath, "", "Range", "bytes=0-1,8-9")
	if w.Code != 206 || !strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/byteranges") || !strings.Contains(w.Body.String(), "89") {
		t.Errorf("two ranges: %d %v", w.Code, w.Header())
	}
	p.files.contentType = "nonsense; ="
	if w := do(t, h, "GET", filePath, ""); w.Header().Get("Content-Type") != "application/octet-stream" {
		t.Error(w.Header())
	}
	p.files.err = &holdfast.Error{Code: holdfast.CodeNotFound}
	for path, status := range map[string]int{filePath: 404, "/v1/attachments/x": 400} {
		if w := do(t, h, "GET", path, ""); w.Code != status {
			t.Error(path, w.Code)
		}
	}
}

func TestAStreamsAttachments(t *testing.T) {
	p := &recording{receipt: accepted, attachments: []holdfast.NamedAttachment{
		{AttachmentRef: holdfast.AttachmentRef{Digest: fileDigest, Size: 10}, Transaction: holdfast.ID{1}, Seq: 4, Copies: 1},
		{AttachmentRef: holdfast.AttachmentRef{Digest: fileDigest, Size: 10}, Transaction: holdfast.ID{2}, Seq: 5},
	}}
	_, h := newTestServer(t, p)
	w := do(t, h, "GET", base+"/attachments", "")
	if w.Code != 200 || p.named.Below != 0 || p.named.Limit != 100 || w.Header().Get("Holdfast-Accepted-Through") != "91" || strings.Contains(w.Body.String(), "next") {
		t.Fatalf("%d %+v %s", w.Code, p.named, w.Body)
	}
	w = do(t, h, "GET", base+"/attachments?missing=1&limit=2", "")
	var d struct {
		Attachments []struct {
			Seq, Size, Copies int64
			SHA256            string
		}
		Next string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || len(d.Attachments) != 2 || d.Attachments[0].SHA256 != fileDigest.String() || d.Attachments[0].Copies != 1 || p.named.Below != 1 {
		t.Fatalf("%+v %v %+v", d, err, p.named)
	}
	do(t, h, "GET", base+"/attachments?after="+d.Next, "")
	if p.named.AfterSeq != 5 || p.named.AfterDigest != fileDigest {
		t.Fatalf("%+v", p.named)
	}
	for _, bad := range []string{"missing=2", "limit=0", "limit=1001", "limit=x", "after=5", "after=x." + fileDigest.String(), "after=0." + fileDigest.String()} {
		if w := do(t, h, "GET", base+"/attachments?"+bad, ""); w.Code != 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

func TestUploadsAreChecked(t *testing.T) {
	p := &recording{}
	_, h := newTestServer(t, p)
	for path, want := range map[string]int{"/v1/attachments/uploads/" + someID: 503, "/v1/attachments/uploads/x": 400} {
		for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
			p.calls = nil
			if w := do(t, h, method, path, ""); w.Code != want || slices.Contains(p.calls, "uploads "+method) != (want == 503) {
				t.Errorf("%s %s: %d %v", method, path, w.Code, p.calls)
			}
		}
	}
	p.admit = &holdfast.Error{Code: holdfast.CodeRateLimited}
	if w := do(t, h, "POST", "/v1/attachments", ""); w.Code != http.StatusTooManyRequests {
		t.Error(w.Code)
	}
}
