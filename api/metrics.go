package api

import (
	"net/http"
	"strconv"

	"github.com/holdfast-sync/holdfast/api/problem"
)

// metricsType is Prometheus' text format.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// GetMetrics serves what was counted; without anybody who counts there is no such route.
func (s *Server) GetMetrics(w http.ResponseWriter, r *http.Request) {
	if s.Metrics == nil {
		NotFound(w, r)
		return
	}
	WriteMetrics(w, r, s.Metrics)
}

// WriteMetrics answers with what was counted.
func WriteMetrics(w http.ResponseWriter, r *http.Request, m Metrics) {
	body, err := m.Text()
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", metricsType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}
