// Package tus serves resumable uploads (tus 1.0, https://tus.io/protocols/resumable-upload) with
// tusd's handler over a data store of our own: uploads are kept by whoever implements [Uploads], so that any
// node can go on with them. Refusals are problem documents like everywhere else.
package tus

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog" // tusd's

	"github.com/holdfast-sync/holdfast"
)

// Uploads keeps files that come in pieces. Its errors are *holdfast.Error.
type Uploads interface {
	// Create begins one; Size, Announced, ContentType and Metadata are given.
	Create(ctx context.Context, u holdfast.Upload) (holdfast.Upload, error)
	// Upload tells how far one has come.
	Upload(ctx context.Context, id holdfast.ID) (holdfast.Upload, error)
	// Append takes what comes from an offset on; kept counts it. The upload is as it is afterwards.
	Append(ctx context.Context, id holdfast.ID, offset int64, octets io.Reader) (u holdfast.Upload, kept int64, err error)
	// End forgets one.
	End(ctx context.Context, id holdfast.ID) error
}

// Base is the path of uploads.
const Base = "/v1/attachments/uploads/"

// Config is what the handler works with.
type Config struct {
	Uploads  Uploads
	MaxBytes int64 // of a file
	// Stalled is how long a client may send nothing before its connection is given up; default 20 s.
	Stalled time.Duration
	// Stopping is done when the node is about to stop: uploads keep what has come then, and are answered
	// upload-interrupted. Nil: never.
	Stopping context.Context //nolint:containedctx // of the node
}

// extensions that there are; tusd does not know of expiration.
const extensions = "creation,creation-with-upload,expiration,termination"

// New makes the handler of /v1/attachments (OPTIONS, POST) and of what is below [Base] (HEAD, PATCH, DELETE).
func New(c Config) (http.Handler, error) {
	if c.Uploads == nil || c.MaxBytes < 1 {
		return nil, errors.New("tus: uploads and a limit are needed")
	}
	if c.Stalled == 0 {
		c.Stalled = 20 * time.Second
	}
	if c.Stopping == nil {
		c.Stopping = context.Background()
	}
	composer := handler.NewStoreComposer()
	data := dataStore{c.Uploads}
	composer.UseCore(data)
	composer.UseTerminater(data)
	// A later request of the same client at this node makes an earlier one keep what it has, and end. Between
	// nodes the upload's generation sees to it that the later one wins.
	composer.UseLocker(memorylocker.New())
	unrouted, err := handler.NewUnroutedHandler(handler.Config{
		StoreComposer: composer, BasePath: Base, MaxSize: c.MaxBytes, NetworkTimeout: c.Stalled,
		Cors: &handler.CorsConfig{Disable: true}, Logger: quiet(), DisableDownload: true, DisableConcatenation: true,
	})
	if err != nil {
		return nil, err
	}
	route := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			unrouted.PostFile(w, r)
		case http.MethodHead:
			unrouted.HeadFile(w, r)
		case http.MethodPatch:
			unrouted.PatchFile(w, r)
		case http.MethodDelete:
			unrouted.DelFile(w, r)
		}
	})
	return &server{inner: unrouted.Middleware(route), maxBytes: c.MaxBytes, stopping: c.Stopping}, nil
}

// quiet drops tusd's own lines: the access log tells of the request, and the data store of what went wrong.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
}

type server struct {
	inner    http.Handler
	maxBytes int64
	stopping context.Context //nolint:containedctx // of the node
}

// ServeHTTP checks what tusd would take, and hands over.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := &told{}
	out := &writer{ResponseWriter: w, r: r, told: t, maxBytes: s.maxBytes}
	ctx, interrupt := context.WithCancelCause(context.WithValue(r.Context(), toldKey{}, t))
	defer interrupt(nil)
	defer context.AfterFunc(s.stopping, func() { interrupt(handler.ErrServerShutdown) })() // tusd ends the body then
	if r.Method == http.MethodPatch {
		if at, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64); err == nil && at >= 0 {
			ctx = context.WithValue(ctx, offsetKey{}, at)
		}
	}
	inner := r.WithContext(ctx)
	inner.Header = r.Header.Clone()
	inner.Header.Del("X-HTTP-Method-Override") // a proxy's rules see one method, and so do we
	if r.Method == http.MethodOptions {
		w.Header().Set("Tus-Resumable", "1.0.0")
		w.Header().Set("Tus-Version", "1.0.0")
		w.Header().Set("Tus-Extension", extensions)
		w.Header().Set("Tus-Max-Size", itoa(s.maxBytes))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if rest, below := strings.CutPrefix(r.URL.Path, Base); below {
		u := *r.URL // tusd takes the whole path for the id
		u.Path = "/" + strings.ToLower(rest)
		inner.URL = &u
	}
	if err := checkHeaders(r); err != nil {
		out.refuse(err)
		return
	}
	s.inner.ServeHTTP(out, inner)
}

// told is what the data store and the answer know of each other's part of one request.
type told struct {
	upload *holdfast.Upload // as it is now
	err    error            // that the data store gave
}

type toldKey struct{}

// offsetKey is where the offset of a PATCH waits.
type offsetKey struct{}

func toldOf(ctx context.Context) *told {
	if t, ok := ctx.Value(toldKey{}).(*told); ok {
		return t
	}
	return &told{}
}

// maxMetadata bounds Upload-Metadata, in bytes.
const maxMetadata = 4096

// checkHeaders refuses what tusd would pass over.
func checkHeaders(r *http.Request) error {
	for _, name := range []string{"Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Defer-Length"} {
		for _, value := range r.Header.Values(name) {
			if value != r.Header.Get(name) {
				return refusal(name, "is given twice, and differs")
			}
		}
	}
	if r.Method != http.MethodPost {
		return nil
	}
	if r.Header.Get("Upload-Concat") != "" {
		return refusal("Upload-Concat", "is not taken: a file is one upload")
	}
	return checkMetadata(r.Header)
}

func refusal(name, detail string) error {
	e := header(name, detail)
	return &e
}

// checkMetadata refuses pairs that can't be read, keys that come twice, a sha256 or filetype that is none.
func checkMetadata(h http.Header) error {
	wrong := func(detail string) error { return refusal("Upload-Metadata", detail) }
	text := h.Get("Upload-Metadata")
	if len(text) > maxMetadata || len(h.Values("Upload-Metadata")) > 1 {
		return wrong("must be one line of at most 4096 bytes")
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		decoded, err := base64.StdEncoding.DecodeString(value)
		switch {
		case text == "":
			return nil
		case key == "" || err != nil:
			return wrong("must be pairs of a key and a base64 value, separated by commas")
		case seen[key]:
			return wrong("names a key twice")
		case key == "sha256":
			if _, ok := holdfast.ParseHash(string(decoded)); !ok {
				return wrong("sha256 must be 64 hexadecimal digits")
			}
		case key == "filetype" && len(decoded) > 0 && !mediaType(string(decoded)):
			return wrong("filetype must be a media type of at most 128 characters")
		}
		seen[key] = true
	}
	return nil
}

// mediaType says whether a text is one that can be kept: type/subtype and parameters, in printable ASCII.
func mediaType(text string) bool {
	kind, _, err := mime.ParseMediaType(text)
	return err == nil && strings.Contains(kind, "/") && len(text) <= 128 &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
