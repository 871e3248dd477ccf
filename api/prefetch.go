package api

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// Prefetch is what apps should hold before they go offline. Its errors are *holdfast.Error.
type Prefetch interface {
	List() []Resource
	Open(ctx context.Context, name string, digest holdfast.Hash) (io.ReadSeekCloser, Resource, error)
}

// Resource is one thing that an app should hold.
type Resource struct {
	Name        string
	Version     string
	Size        int64
	SHA256      holdfast.Hash
	ContentType string
	Required    bool
	UpdatedAt   time.Time
}

// resourceJSON is one on the wire.
type resourceJSON struct {
	Name        string     `json:"name"`
	Version     string     `json:"version"`
	Size        int64      `json:"size"`
	SHA256      string     `json:"sha256"`
	URL         string     `json:"url"`
	Required    bool       `json:"required"`
	ContentType string     `json:"contentType,omitempty"`
	UpdatedAt   *time.Time `json:"updatedAt,omitempty"`
}

// ListPrefetch tells what there is; it never waits.
func (s *Server) ListPrefetch(w http.ResponseWriter, r *http.Request, _ wire.ListPrefetchParams) {
	if err := s.admitAudit(r, unknownParameters(r.URL.Query(), nil)); err != nil {
		problem.Write(w, r, err)
		return
	}
	out := struct {
		Resources []resourceJSON `json:"resources"`
	}{Resources: []resourceJSON{}}
	if s.Prefetch != nil {
		for _, e := range s.Prefetch.List() {
			out.Resources = append(out.Resources, resourceJSON{
				Name: e.Name, Version: e.Version, Size: e.Size, SHA256: e.SHA256.String(), Required: e.Required, ContentType: e.ContentType,
				URL: "/v1/prefetch/" + e.SHA256.String() + "?name=" + url.QueryEscape(e.Name), UpdatedAt: timeOrNone(e.UpdatedAt),
			})
		}
	}
	s.answer(w, r, nil, func() ([]byte, error) { return json.Marshal(out) })
}

// GetPrefetch gives a resource, or a stretch of it.
func (s *Server) GetPrefetch(w http.ResponseWriter, r *http.Request, sha256 wire.Sha256Path, _ wire.GetPrefetchParams) {
	var sh shape
	digest := sh.digestOf("sha256", sha256)
	name := r.URL.Query().Get("name")
	sh.fields = append(sh.fields, unknownParameters(r.URL.Query(), []string{"name"})...)
	if name == "" || len(name) > 512 {
		sh.fields = append(sh.fields, holdfast.FieldError{Parameter: "name", Detail: "must be the name of a resource"})
	}
	err := s.admitRead(r, &sh)
	if err == nil && s.Prefetch == nil {
		err = &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "There is no such resource."}
	}
	var content io.ReadSeekCloser
	var e Resource
	if err == nil {
		content, e, err = s.Prefetch.Open(r.Context(), name, digest)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	defer content.Close()
	h := w.Header()
	describe(h, digest)
	h.Set("Content-Type", "application/octet-stream")
	if _, _, err := mime.ParseMediaType(e.ContentType); err == nil {
		h.Set("Content-Type", e.ContentType)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	serveFile(w, r, content, e.Size)
}
