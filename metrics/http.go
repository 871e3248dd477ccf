package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-sync/holdfast"
)

type httpMetrics struct {
	requests, received, sent *prometheus.CounterVec
	duration                 *prometheus.HistogramVec
	inFlight                 prometheus.Gauge
	problems, authFailures   *prometheus.CounterVec
	rateLimited              prometheus.Counter
}

func newHTTP(codes []holdfast.Code) httpMetrics {
	m := httpMetrics{
		requests: counter("http_requests_total", "Requests that were answered.", "method", "route", "status"),
		received: counter("http_request_bytes_total", "Bytes of the bodies of requests, as they came.", "method", "route"),
		sent:     counter("http_response_bytes_total", "Bytes of the bodies of answers.", "method", "route"),
		duration: histogram("http_request_duration_seconds", "Time from the headers of a request to the end of its answer.", seconds, "method", "route", "status_class"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "http_requests_in_flight", Help: "Requests that are being worked on.",
		}),
		problems:     counter("problems_total", "Answers with a problem document.", "code"),
		authFailures: counter("auth_failures_total", "Requests whose caller was not found out.", "code"),
		rateLimited: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "rate_limited_total", Help: "Requests beyond the limit of their device.",
		}),
	}
	for _, code := range append([]holdfast.Code{"other"}, codes...) {
		m.problems.WithLabelValues(string(code))
	}
	for _, code := range []holdfast.Code{holdfast.CodeUnauthenticated, holdfast.CodeBackendUnavailable, "other"} {
		m.authFailures.WithLabelValues(string(code))
	}
	return m
}

func (m *httpMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.received, m.sent, m.duration, m.inFlight, m.problems, m.authFailures, m.rateLimited}
}

// RequestBegan is to be followed by [Metrics.RequestAnswered].
func (m *Metrics) RequestBegan() { m.http.inFlight.Inc() }

// Request is what is counted of one.
type Request struct {
	// Method and Route come from a bounded set: known methods, patterns of routes.
	// Without a route it is empty.
	Method, Route string
	// Status is 0 when there was no answer.
	Status            int
	Problem           holdfast.Code
	BytesIn, BytesOut int64
	Took              time.Duration
}

// RequestAnswered counts one.
func (m *Metrics) RequestAnswered(r Request) {
	m.http.inFlight.Dec()
	route := r.Route
	if route == "" {
		route = "none"
	}
	status, class := statusOf(r.Status)
	m.http.requests.WithLabelValues(r.Method, route, status).Inc()
	m.http.duration.WithLabelValues(r.Method, route, class).Observe(r.Took.Seconds())
	m.http.received.WithLabelValues(r.Method, route).Add(float64(r.BytesIn))
	m.http.sent.WithLabelValues(r.Method, route).Add(float64(r.BytesOut))
	if r.Problem != "" {
		m.http.problems.WithLabelValues(m.code(r.Problem)).Inc()
	}
}

func statusOf(status int) (text, class string) {
	if status < 100 || status > 599 {
		return "none", "none"
	}
	return strconv.Itoa(status), strconv.Itoa(status/100) + "xx"
}

func (m *Metrics) code(c holdfast.Code) string {
	if !m.codes[c] {
		return "other"
	}
	return string(c)
}

// AuthFailed counts a caller who was not found out.
func (m *Metrics) AuthFailed(c holdfast.Code) {
	switch c {
	case holdfast.CodeUnauthenticated, holdfast.CodeBackendUnavailable:
	default:
		c = "other"
	}
	m.http.authFailures.WithLabelValues(string(c)).Inc()
}

// RateLimited counts a request beyond its device's limit.
func (m *Metrics) RateLimited() { m.http.rateLimited.Inc() }
