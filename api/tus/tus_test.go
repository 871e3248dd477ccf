package tus_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/tus"
	"github.com/holdfast-sync/holdfast/openapi/openapitest"
)

// uploads is a port that keeps octets in memory.
type uploads struct {
	mu   sync.Mutex
	all  map[holdfast.ID]holdfast.Upload
	data map[holdfast.ID][]byte
	held bool  // what is announced is held already
	err  error // of the next call
}

func newUploads() *uploads {
	return &uploads{all: map[holdfast.ID]holdfast.Upload{}, data: map[holdfast.ID][]byte{}}
}

func (u *uploads) failed() error {
	err := u.err
	u.err = nil
	return err
}

func (u *uploads) Create(_ context.Context, one holdfast.Upload) (holdfast.Upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one.ID, one.ExpiresAt = holdfast.NewID(time.Now()), time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	u.all[one.ID] = one
	return one, u.failed()
}

func (u *uploads) Upload(_ context.Context, id holdfast.ID) (holdfast.Upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, ok := u.all[id]
	if !ok {
		return one, &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "There is no such upload."}
	}
	return one, u.failed()
}

func (u *uploads) Append(_ context.Context, id holdfast.ID, offset int64, octets io.Reader) (holdfast.Upload, int64, error) {
	u.mu.Lock()
	one, err := u.all[id], u.failed()
	u.mu.Unlock()
	if err != nil || one.Offset != offset {
		return one, 0, err
	}
	if u.held {
		one.Offset, one.Finished = one.Size, one.Announced
	} else {
		b, _ := io.ReadAll(octets)
		one.Offset += int64(len(b))
		u.data[id] = append(u.data[id], b...)
		if one.Offset == one.Size {
			one.Finished = holdfast.HashOf(u.data[id])
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all[id] = one
	return one, one.Offset - offset, nil
}

func (u *uploads) End(_ context.Context, id holdfast.ID) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, id)
	return u.failed()
}

// serve starts a server; do sends a request and holds the answer against the document.
func serve(t *testing.T, u *uploads) (do func(method, path, body string, header ...string) (*http.Response, string)) {
	t.Helper()
	h, err := tus.New(tus.Config{Uploads: u, MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Holdfast-Protocol", "1")
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return func(method, path, body string, header ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
			if header[i+1] == "" {
				r.Header.Del(header[i])
			}
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := openapitest.Answer(r, res.StatusCode, res.Header, b); err != nil {
			t.Error(err)
		}
		return res, string(b)
	}
}

const octets = "application/offset+octet-stream"

func meta(pairs ...string) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(all, ",")
}

func TestAnUploadInPieces(t *testing.T) {
	u := newUploads()
	do := serve(t, u)
	sum := holdfast.HashOf([]byte("0123456789"))
	res, _ := do("POST", "/v1/attachments", "", "Upload-Length", "10", "Upload-Metadata", meta("filename", "dock ü.jpg", "filetype", "image/jpeg", "sha256", sum.String()))
	at := res.Header.Get("Location")
	if res.StatusCode != 201 || !strings.HasPrefix(at, tus.Base) || res.Header.Get("Upload-Expires") != "Sun, 22 Nov 2026 10:00:00 GMT" || res.Header.Get("Tus-Resumable") != "1.0.0" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	for _, one := range u.all {
		if one.Announced != sum || one.ContentType != "image/jpeg" || one.Size != 10 {
			t.Fatalf("%+v", one)
		}
	}
	for i, piece := range []string{"0123", "456789"} {
		res, _ := do("PATCH", at, piece, "Content-Type", octets, "Upload-Offset", fmt.Sprint(i*4))
		if want := fmt.Sprint(i*6 + 4); res.StatusCode != 204 || res.Header.Get("Upload-Offset") != want || (res.Header.Get("Repr-Digest") != "") != (i == 1) {
			t.Fatalf("%d %v", res.StatusCode, res.Header)
		}
		res, _ = do("HEAD", at, "")
		if res.StatusCode != 200 || res.Header.Get("Upload-Length") != "10" || res.Header.Get("Cache-Control") != "no-store" || !strings.Contains(res.Header.Get("Upload-Metadata"), "sha256 ") {
			t.Fatalf("%d %v", res.StatusCode, res.Header)
		}
	}
	// Who missed the last answer may send again, from wherever.
	res, _ = do("PATCH", at, "456789", "Content-Type", octets, "Upload-Offset", "4")
	if res.StatusCode != 204 || res.Header.Get("Upload-Offset") != "10" || res.Header.Get("Repr-Digest") == "" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	if res, _ := do("DELETE", at, ""); res.StatusCode != 204 || len(u.all) != 0 {
		t.Fatal(res.StatusCode)
	}
	if res, _ := do("HEAD", at, ""); res.StatusCode != 404 {
		t.Fatal(res.StatusCode)
	}
}

func TestCreationWithOctets(t *testing.T) {
	u := newUploads()
	do := serve(t, u)
	res, _ := do("POST", "/v1/attachments", "0123456789", "Upload-Length", "10", "Content-Type", octets)
	if res.StatusCode != 201 || res.Header.Get("Upload-Offset") != "10" || res.Header.Get("Repr-Digest") == "" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	res, _ = do("POST", "/v1/attachments", "", "Upload-Length", "0")
	if res.StatusCode != 201 || res.Header.Get("Repr-Digest") != "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:" {
		t.Fatalf("of nothing: %d %v", res.StatusCode, res.Header)
	}
}

func TestWhatIsHeldNeedsNoOctets(t *testing.T) {
	u := newUploads()
	u.held = true
	do := serve(t, u)
	sum := holdfast.HashOf([]byte("0123456789"))
	res, _ := do("POST", "/v1/attachments", "", "Upload-Length", "10", "Upload-Metadata", meta("sha256", sum.String()))
	res, _ = do("PATCH", res.Header.Get("Location"), "0", "Content-Type", octets, "Upload-Offset", "0")
	if res.StatusCode != 204 || res.Header.Get("Upload-Offset") != "10" || res.Header.Get("Repr-Digest") == "" || len(u.data) != 0 {
		t.Fatalf("%d %v %v", res.StatusCode, res.Header, u.data)
	}
}

func TestDiscovery(t *testing.T) {
	do := serve(t, newUploads())
	res, _ := do("OPTIONS", "/v1/attachments", "", "Tus-Resumable", "")
	h := res.Header
	if res.StatusCode != 204 || h.Get("Tus-Version") != "1.0.0" || h.Get("Tus-Extension") != "creation,creation-with-upload,expiration,termination" || h.Get("Tus-Max-Size") != "1000" {
		t.Fatalf("%d %v", res.StatusCode, h)
	}
}

func TestRefusals(t *testing.T) {
	u := newUploads()
	do := serve(t, u)
	res, _ := do("POST", "/v1/attachments", "", "Upload-Length", "10")
	at := res.Header.Get("Location")
	full := func(name string) string { return meta(name, strings.Repeat("x", 5000)) }
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		code, place        string
	}{
		"version":           {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Tus-Resumable", ""}, 412, "unsupported-version", ""},
		"other version":     {"PATCH", at, "0", []string{"Upload-Offset", "0", "Content-Type", octets, "Tus-Resumable", "0.2.2"}, 412, "unsupported-version", ""},
		"no length":         {"POST", "/v1/attachments", "", nil, 400, "invalid-request", "Upload-Length"},
		"negative length":   {"POST", "/v1/attachments", "", []string{"Upload-Length", "-1"}, 400, "invalid-request", "Upload-Length"},
		"deferred length":   {"POST", "/v1/attachments", "", []string{"Upload-Defer-Length", "1"}, 400, "invalid-request", "Upload-Defer-Length"},
		"too large":         {"POST", "/v1/attachments", "", []string{"Upload-Length", "1001"}, 413, "too-large", ""},
		"metadata":          {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", "filename ===="}, 400, "invalid-request", "Upload-Metadata"},
		"metadata twice":    {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", meta("a", "1", "a", "2")}, 400, "invalid-request", "Upload-Metadata"},
		"metadata, empty":   {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", "a MQ==,,b MQ=="}, 400, "invalid-request", "Upload-Metadata"},
		"metadata, long":    {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", full("a")}, 400, "invalid-request", "Upload-Metadata"},
		"sha256":            {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", meta("sha256", "x")}, 400, "invalid-request", "Upload-Metadata"},
		"filetype":          {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", meta("filetype", strings.Repeat("x", 129))}, 400, "invalid-request", "Upload-Metadata"},
		"filetype of none":  {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", meta("filetype", "image")}, 400, "invalid-request", "Upload-Metadata"},
		"filetype, two":     {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", meta("filetype", "text/html\r\nX: y")}, 400, "invalid-request", "Upload-Metadata"},
		"filetype, zero":    {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Metadata", meta("filetype", "text/html; a=\"\x00\"")}, 400, "invalid-request", "Upload-Metadata"},
		"concatenation":     {"POST", "/v1/attachments", "", []string{"Upload-Length", "1", "Upload-Concat", "partial"}, 400, "invalid-request", "Upload-Concat"},
		"more than length":  {"POST", "/v1/attachments", "01", []string{"Upload-Length", "1", "Content-Type", octets}, 413, "too-large", ""},
		"type":              {"PATCH", at, "0", []string{"Upload-Offset", "0", "Content-Type", "text/plain"}, 415, "unsupported-media-type", ""},
		"no offset":         {"PATCH", at, "0", []string{"Content-Type", octets}, 400, "invalid-request", "Upload-Offset"},
		"offset":            {"PATCH", at, "0", []string{"Upload-Offset", "5", "Content-Type", octets}, 409, "offset-mismatch", ""},
		"beyond the length": {"PATCH", at, "01234567890", []string{"Upload-Offset", "0", "Content-Type", octets}, 413, "too-large", ""},
		"unknown":           {"PATCH", tus.Base + "0192f3c0-4bf9-7f35-b34d-a3ce929d0e0e", "0", []string{"Upload-Offset", "0", "Content-Type", octets}, 404, "not-found", ""},
		"unknown, ended":    {"DELETE", tus.Base + "0192f3c0-4bf9-7f35-b34d-a3ce929d0e0e", "", nil, 404, "not-found", ""},
	} {
		res, body := do(c.method, c.path, c.body, c.header...)
		var d struct {
			Code     string
			MaxBytes int64
			Errors   []struct{ Header string }
		}
		if err := json.Unmarshal([]byte(body), &d); err != nil || res.StatusCode != c.status || d.Code != c.code || res.Header.Get("Tus-Resumable") != "1.0.0" {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
			continue
		}
		if c.place != "" && (len(d.Errors) != 1 || d.Errors[0].Header != c.place) {
			t.Errorf("%s: %s", name, body)
		}
		if c.status == 413 && d.MaxBytes == 0 {
			t.Errorf("%s: %s", name, body)
		}
	}
	if len(u.data[u.only(t)]) != 0 {
		t.Error("a refusal kept octets")
	}
}

func TestHeadersThatContradictThemselves(t *testing.T) {
	h, err := tus.New(tus.Config{Uploads: newUploads(), MaxBytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	for want, lengths := range map[int][]string{400: {"1", "2"}, 201: {"2", "2"}} {
		r := httptest.NewRequest("POST", "/v1/attachments", http.NoBody)
		r.Header = http.Header{"Tus-Resumable": {"1.0.0"}, "Upload-Length": lengths}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%v: %d %s", lengths, w.Code, w.Body)
		}
	}
}

// only is the upload of the tests above that was not refused: the first.
func (u *uploads) only(t *testing.T) holdfast.ID {
	t.Helper()
	for id, one := range u.all {
		if one.Size == 10 {
			return id
		}
	}
	t.Fatal("no upload")
	return holdfast.ID{}
}

// What the uploads say is told as it is.
func TestErrorsOfTheUploads(t *testing.T) {
	u := newUploads()
	do := serve(t, u)
	res, _ := do("POST", "/v1/attachments", "", "Upload-Length", "10")
	at := res.Header.Get("Location")
	for _, code := range []holdfast.Code{holdfast.CodeBackendUnavailable, holdfast.CodeTooManyUploads, holdfast.CodeForbidden, holdfast.CodeUploadInterrupted} {
		for _, method := range []string{"POST", "HEAD", "PATCH"} {
			u.err = &holdfast.Error{Code: code, Detail: "as it is", RetryAfter: 3 * time.Second}
			path := at
			if method == "POST" {
				path = "/v1/attachments"
			}
			res, body := do(method, path, "", "Upload-Length", "10", "Upload-Offset", "0", "Content-Type", octets)
			if method != "HEAD" && !strings.Contains(body, `"code":"`+string(code)+`"`) || res.StatusCode < 400 || code != holdfast.CodeForbidden && res.Header.Get("Retry-After") != "3" {
				t.Errorf("%s %s: %d %s", method, code, res.StatusCode, body)
			}
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add("filename ZG9jay5qcGc=,sha256 " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("a"), 64)))
	f.Add("a,b,,")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return // no header holds it
		}
		u := newUploads()
		h, err := tus.New(tus.Config{Uploads: u, MaxBytes: 10})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/v1/attachments", http.NoBody)
		r.Header = http.Header{"Tus-Resumable": {"1.0.0"}, "Upload-Length": {"5"}, "Upload-Metadata": {text}}
		w := httptest.NewRecorder()
		w.Header().Set("Holdfast-Protocol", "1")
		h.ServeHTTP(w, r)
		if w.Code != 201 && w.Code != 400 || (w.Code == 201) != (len(u.all) == 1) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if err := openapitest.Answer(r, w.Code, w.Header(), w.Body.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
}
