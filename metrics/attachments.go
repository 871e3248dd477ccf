package metrics

import "github.com/prometheus/client_golang/prometheus"

// attachmentEvents is everything that is counted of files.
var attachmentEvents = []string{"stored", "held", "read", "copied", "expired", "restarted", "mismatch", "damaged"}

type attachmentMetrics struct{ events, bytes *prometheus.CounterVec }

func newAttachments() attachmentMetrics {
	m := attachmentMetrics{
		events: counter("attachments_total", "What became of files: stored, held already, read, copied to a further site; uploads expired or begun anew; digests that did not match; damaged copies.", "event"),
		bytes:  counter("attachment_bytes_total", "The bytes of these.", "event"),
	}
	for _, event := range attachmentEvents {
		m.events.WithLabelValues(event)
		m.bytes.WithLabelValues(event)
	}
	return m
}

func (m *attachmentMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.events, m.bytes}
}

// Attachment counts something that happened to a file. The site is not counted: component_up tells how sites are.
func (m *Metrics) Attachment(event, _ string, bytes int64) {
	m.attachments.events.WithLabelValues(event).Inc()
	m.attachments.bytes.WithLabelValues(event).Add(float64(bytes))
}
