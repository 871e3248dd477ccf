package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is how the node is when somebody reads the metrics.
type State struct {
	Ready, Draining bool
	// Components that the node has, by name, and whether each is up.
	Components map[string]bool
	// Store is nil while the database has not been opened.
	Store *StoreLoad
	// HeadsDropped counts the heads that were not sent to Redis.
	HeadsDropped int64
	// ChangesWaiting is how many devices wait for changes.
	ChangesWaiting int
}

// StoreLoad is how busy the store is.
type StoreLoad struct {
	Queues                      []QueueLoad
	InUse, Idle, MaxConnections int
	Acquired, Waited            int64
	WaitedFor                   time.Duration
}

// QueueLoad is a queue in front of the store: write or read.
type QueueLoad struct {
	Name           string
	Waiting, Limit int
}

// state reads a State at the moment it is asked for.
type state struct {
	Config
	ready, draining, component, dropped, changesWaiting  *prometheus.Desc
	waiting, limit, connections, connectionLimit         *prometheus.Desc
	connectionsAcquired, connectionWaits, connectionWait *prometheus.Desc
}

func newState(c Config) *state {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &state{
		Config:              c,
		ready:               desc("ready", "1 while requests should come here."),
		draining:            desc("draining", "1 from the moment the node was told to stop."),
		component:           desc("component_up", "1 while a part that the node needs answers.", "component"),
		dropped:             desc("fastpath_dropped_total", "Heads of streams that were not sent to Redis, because too many waited or it was left alone."),
		changesWaiting:      desc("changes_waiting", "Devices that wait for changes at this node."),
		waiting:             desc("store_queue_waiting", "Calls that wait for the store.", "backend", "queue"),
		limit:               desc("store_queue_limit", "Calls that may wait; one more is answered overloaded.", "backend", "queue"),
		connections:         desc("store_connections", "Connections of the pool.", "backend", "state"),
		connectionLimit:     desc("store_connections_limit", "Connections that the pool may have.", "backend"),
		connectionsAcquired: desc("store_connection_acquires_total", "Connections taken from the pool; 0 for sqlite, which does not tell.", "backend"),
		connectionWaits:     desc("store_connection_waits_total", "Connections that had to be waited for.", "backend"),
		connectionWait:      desc("store_connection_wait_seconds_total", "Time waited for connections.", "backend"),
	}
}

// Describe lists what there can be.
func (s *state) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		s.ready, s.draining, s.component, s.dropped, s.changesWaiting, s.waiting, s.limit, s.connections, s.connectionLimit,
		s.connectionsAcquired, s.connectionWaits, s.connectionWait,
	} {
		to <- d
	}
}

// Collect asks for the state once.
func (s *state) Collect(to chan<- prometheus.Metric) {
	now := s.State()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	total := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	gauge(s.ready, truth(now.Ready))
	gauge(s.draining, truth(now.Draining))
	for name, up := range now.Components {
		gauge(s.component, truth(up), name)
	}
	total(s.dropped, float64(now.HeadsDropped))
	gauge(s.changesWaiting, float64(now.ChangesWaiting))
	if now.Store == nil {
		return
	}
	for _, q := range now.Store.Queues {
		gauge(s.waiting, float64(q.Waiting), s.Backend, q.Name)
		gauge(s.limit, float64(q.Limit), s.Backend, q.Name)
	}
	gauge(s.connections, float64(now.Store.InUse), s.Backend, "in_use")
	gauge(s.connections, float64(now.Store.Idle), s.Backend, "idle")
	gauge(s.connectionLimit, float64(now.Store.MaxConnections), s.Backend)
	total(s.connectionsAcquired, float64(now.Store.Acquired), s.Backend)
	total(s.connectionWaits, float64(now.Store.Waited), s.Backend)
	total(s.connectionWait, now.Store.WaitedFor.Seconds(), s.Backend)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
