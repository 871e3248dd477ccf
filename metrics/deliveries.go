package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DeliveryLoad is how many open deliveries of a consumer have a status.
type DeliveryLoad struct {
	Consumer, Status string
	Count            int64
	Oldest           time.Duration
}

type deliveryMetrics struct {
	attempts, refreshes   *prometheus.CounterVec
	took, age             *prometheus.HistogramVec
	open, oldest, planned *prometheus.GaugeVec
}

// ages reach from what a person does not notice to days.
var ages = []float64{.01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300, 1800, 7200, 86400}

func newDeliveries() deliveryMetrics {
	return deliveryMetrics{
		attempts:  counter("delivery_attempts_total", "Attempts to deliver, by what became of the delivery: delivered, waiting (again later), held, failed.", "consumer", "outcome"),
		took:      histogram("delivery_attempt_seconds", "How long attempts took.", seconds, "consumer"),
		age:       histogram("delivery_age_seconds", "The time from the plan of a delivery, which is made at acceptance, to its success.", ages, "consumer"),
		open:      gauge("deliveries_open", "Deliveries that are not over, counted every 30 s.", "consumer", "status"),
		oldest:    gauge("deliveries_oldest_seconds", "The age of the oldest of these.", "consumer", "status"),
		planned:   gauge("delivery_plan_lag_batches", "Batches of the log that no plan has been made for."),
		refreshes: counter("prefetch_refreshes_total", "What refreshes of resources came to: fresh, same, failed, damaged, gone.", "outcome"),
	}
}

func (m *deliveryMetrics) all() []prometheus.Collector {
	m.planned.WithLabelValues()
	return []prometheus.Collector{m.attempts, m.took, m.age, m.open, m.oldest, m.planned, m.refreshes}
}

// Delivery counts an attempt.
func (m *Metrics) Delivery(consumer, outcome string, took, age time.Duration) {
	m.deliveries.attempts.WithLabelValues(consumer, outcome).Inc()
	m.deliveries.took.WithLabelValues(consumer).Observe(took.Seconds())
	if outcome == "delivered" {
		m.deliveries.age.WithLabelValues(consumer).Observe(age.Seconds())
	}
}

// Open replaces what is known of open deliveries.
func (m *Metrics) Open(loads []DeliveryLoad, lag int64) {
	m.deliveries.open.Reset()
	m.deliveries.oldest.Reset()
	for _, l := range loads {
		m.deliveries.open.WithLabelValues(l.Consumer, l.Status).Set(float64(l.Count))
		m.deliveries.oldest.WithLabelValues(l.Consumer, l.Status).Set(l.Oldest.Seconds())
	}
	m.deliveries.planned.WithLabelValues().Set(float64(lag))
}

// Prefetch counts what a refresh came to.
func (m *Metrics) Prefetch(outcome string) { m.deliveries.refreshes.WithLabelValues(outcome).Inc() }
