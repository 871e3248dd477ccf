package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-sync/holdfast"
)

type intakeMetrics struct {
	batches, transactions, heads *prometheus.CounterVec
	size                         prometheus.Histogram
}

func newIntake() intakeMetrics {
	m := intakeMetrics{
		batches:      counter("batches_total", "Batches that were taken: new with at least one new transaction, duplicate with none, replay when an earlier request with the same correlation id did the work.", "kind"),
		transactions: counter("transactions_total", "Transactions of the batches that were taken, by what became of them. Those of replays are not counted again.", "result"),
		heads:        counter("fastpath_heads_total", "Questions for the remembered head of a stream: hit saved a read of the database, miss did not, lie led to a step that the store refused.", "result"),
		size: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "batch_transactions", Help: "Transactions in a batch that was taken.", Buckets: counts,
		}),
	}
	for _, kind := range []string{"new", "duplicate", "replay"} {
		m.batches.WithLabelValues(kind)
	}
	for _, result := range []holdfast.Status{holdfast.StatusAccepted, holdfast.StatusDuplicate, holdfast.StatusQuarantined} {
		m.transactions.WithLabelValues(string(result))
	}
	for _, result := range []string{"hit", "miss", "lie"} {
		m.heads.WithLabelValues(result)
	}
	return m
}

func (m *intakeMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.batches, m.transactions, m.heads, m.size}
}

// BatchTaken counts a batch and its transactions.
func (m *Metrics) BatchTaken(r *holdfast.Receipt) {
	if r.Replayed {
		m.intake.batches.WithLabelValues("replay").Inc()
		return
	}
	kind := "duplicate"
	if r.New {
		kind = "new"
	}
	m.intake.batches.WithLabelValues(kind).Inc()
	m.intake.size.Observe(float64(len(r.Results)))
	var accepted, duplicate, quarantined float64
	for i := range r.Results {
		switch r.Results[i].Status {
		case holdfast.StatusDuplicate:
			duplicate++
		case holdfast.StatusQuarantined:
			quarantined++
		default:
			accepted++
		}
	}
	m.intake.transactions.WithLabelValues(string(holdfast.StatusAccepted)).Add(accepted)
	m.intake.transactions.WithLabelValues(string(holdfast.StatusDuplicate)).Add(duplicate)
	m.intake.transactions.WithLabelValues(string(holdfast.StatusQuarantined)).Add(quarantined)
}

// HeadAsked counts what a question for a remembered head came to: hit, miss or lie.
func (m *Metrics) HeadAsked(result string) { m.intake.heads.WithLabelValues(result).Inc() }
