package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Operations of a store that are counted.
var operations = []string{
	"append", "view", "held", "transaction", "epoch", "save_queues", "queue", "token", "ping",
	"attachment", "keep_attachment", "named", "create_upload", "upload", "claim_upload", "save_upload", "finish_upload",
}

// Failures of a store that are told apart; "other" is a bug or a full disk's worst.
var failures = []string{"conflict", "unavailable", "outcome_unknown", "overloaded", "schema", "other"}

type storeMetrics struct {
	backend                     string
	duration                    map[string]prometheus.Observer
	errors                      *prometheus.CounterVec
	groupDuration               *prometheus.HistogramVec
	groupBatches, groupContents prometheus.Observer
	collectors                  []prometheus.Collector
}

func newStore(backend string) storeMetrics {
	duration := histogram("store_operation_duration_seconds", "Time that an operation of the store took, with its wait for a turn.", seconds, "backend", "operation")
	batches := histogram("store_group_batches", "Batches in one commit.", counts, "backend")
	contents := histogram("store_group_transactions", "Transactions in one commit.", counts, "backend")
	m := storeMetrics{
		backend: backend, duration: make(map[string]prometheus.Observer, len(operations)),
		errors:        counter("store_errors_total", "Operations of the store that failed. A conflict is somebody else's progress and no fault.", "backend", "operation", "error"),
		groupDuration: histogram("store_group_duration_seconds", "Time of one commit, with its fsync.", seconds, "backend", "result"),
		groupBatches:  batches.WithLabelValues(backend), groupContents: contents.WithLabelValues(backend),
	}
	for _, operation := range operations {
		m.duration[operation] = duration.WithLabelValues(backend, operation)
	}
	for _, operation := range []string{"append", "view"} {
		for _, failure := range failures {
			m.errors.WithLabelValues(backend, operation, failure)
		}
	}
	for _, result := range []string{"ok", "error"} {
		m.groupDuration.WithLabelValues(backend, result)
	}
	m.collectors = []prometheus.Collector{duration, m.errors, m.groupDuration, batches, contents}
	return m
}

func (m *storeMetrics) all() []prometheus.Collector { return m.collectors }

// StoreDone counts an operation of the store. Failure is empty when it succeeded.
func (m *Metrics) StoreDone(operation, failure string, took time.Duration) {
	if d := m.store.duration[operation]; d != nil {
		d.Observe(took.Seconds())
	}
	if failure != "" {
		m.store.errors.WithLabelValues(m.store.backend, operation, failure).Inc()
	}
}

// GroupWritten counts a commit, or the attempt.
func (m *Metrics) GroupWritten(batches, transactions int, took time.Duration, ok bool) {
	result := "ok"
	if !ok {
		result = "error"
	}
	m.store.groupDuration.WithLabelValues(m.store.backend, result).Observe(took.Seconds())
	m.store.groupBatches.Observe(float64(batches))
	m.store.groupContents.Observe(float64(transactions))
}
