package api

import (
	"net/http"

	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// DescribeUploads tells what the tus server can do.
func (s *Server) DescribeUploads(w http.ResponseWriter, r *http.Request, _ wire.DescribeUploadsParams) {
	s.Uploads.ServeHTTP(w, r)
}

// CreateUpload begins a resumable upload.
func (s *Server) CreateUpload(w http.ResponseWriter, r *http.Request, _ wire.CreateUploadParams) {
	s.upload(w, r, "")
}

// GetUploadOffset tells how far an upload has come.
func (s *Server) GetUploadOffset(w http.ResponseWriter, r *http.Request, id wire.UploadId, _ wire.GetUploadOffsetParams) {
	s.upload(w, r, id)
}

// ContinueUpload takes octets of an upload.
func (s *Server) ContinueUpload(w http.ResponseWriter, r *http.Request, id wire.UploadId, _ wire.ContinueUploadParams) {
	s.upload(w, r, id)
}

// EndUpload forgets an upload.
func (s *Server) EndUpload(w http.ResponseWriter, r *http.Request, id wire.UploadId, _ wire.EndUploadParams) {
	s.upload(w, r, id)
}

// upload checks what is checked of every request, and leaves the rest to tus.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, id string) {
	var sh shape
	if id != "" {
		sh.parameter("uploadId", id)
	}
	if err := s.admitRead(r, &sh); err != nil {
		leaveUnread(w, r)
		problem.Write(w, r, err)
		return
	}
	s.Uploads.ServeHTTP(w, r)
}
