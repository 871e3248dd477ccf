package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/holdfast-sync/holdfast"
)

// Config is what the gateway knows from the start.
type Config struct {
	Build Build
	// Backend is the kind of database: sqlite or postgres.
	Backend string
	// Codes of all problems; any other is counted as "other".
	Codes []holdfast.Code
	// State is asked whenever the metrics are read; it must not wait.
	State func() State
}

// Build says what the program was made from.
type Build struct{ Version, Commit, Go string }

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Backend == "" || c.State == nil || len(c.Codes) == 0 {
		return errors.New("metrics: a backend, the codes and a state are needed")
	}
	return nil
}

// Metrics are those of one gateway. Its methods may be called from many
// goroutines, and none of them waits.
type Metrics struct {
	Config
	registry *prometheus.Registry
	codes    map[holdfast.Code]bool
	http     httpMetrics
	intake   intakeMetrics
	store    storeMetrics

	attachments attachmentMetrics
	deliveries  deliveryMetrics
}

// New makes the registry and everything in it.
func New(c Config) (*Metrics, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Metrics{Config: c, registry: prometheus.NewRegistry(), codes: make(map[holdfast.Code]bool, len(c.Codes))}
	for _, code := range c.Codes {
		m.codes[code] = true
	}
	m.http, m.intake, m.store = newHTTP(c.Codes), newIntake(), newStore(c.Backend)
	all := append(m.http.all(), m.intake.all()...)
	all = append(all, m.store.all()...)
	m.attachments = newAttachments()
	all = append(all, m.attachments.all()...)
	m.deliveries = newDeliveries()
	all = append(all, m.deliveries.all()...)
	all = append(
		all, buildInfo(c.Build), newState(c), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	for _, one := range all {
		if err := m.registry.Register(one); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Gatherer is where the metrics are read.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Describe lists all that the registry can ever hold.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { m.registry.Describe(to) }

func buildInfo(b Build) prometheus.Collector {
	g := gauge("build_info", "What the program was made from; always 1.", "version", "commit", "go_version")
	g.WithLabelValues(b.Version, b.Commit, b.Go).Set(1)
	return g
}

const namespace = "holdfast"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// The bounds of histograms: 0.5 ms is a fast answer, 10 s is the most patience
// that the gateway has; a batch and a group hold up to some thousands.
var (
	seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	counts  = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}
)
