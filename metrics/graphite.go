package metrics

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// GraphiteConfig says where metrics are pushed to.
type GraphiteConfig struct {
	Address  string // host:port of the plaintext protocol
	Prefix   string
	Interval time.Duration
	Gatherer prometheus.Gatherer
	// Report is told when a push fails for the first time, and with nil when it
	// works again; nil: nobody.
	Report func(error)
}

// Validate says what is missing.
func (c GraphiteConfig) Validate() error {
	if c.Address == "" || c.Interval <= 0 || c.Gatherer == nil {
		return errors.New("metrics: Graphite needs an address, an interval and metrics")
	}
	return nil
}

// Graphite pushes from [NewGraphite] to [Graphite.Close]. The lines are those of
// client_golang's graphite.Bridge; its connections know no deadline, and a
// Graphite that does not read would hold it for ever.
type Graphite struct {
	cfg  GraphiteConfig
	end  context.CancelFunc
	done chan struct{}
}

// NewGraphite begins to push, the first time after one interval.
func NewGraphite(c GraphiteConfig) (*Graphite, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	ctx, end := context.WithCancel(context.Background())
	g := &Graphite{cfg: c, end: end, done: make(chan struct{})}
	go g.run(ctx)
	return g, nil
}

// Close breaks off a push that is under way and waits for that.
func (g *Graphite) Close() error {
	g.end()
	<-g.done
	return nil
}

func (g *Graphite) run(ctx context.Context) {
	defer close(g.done)
	tick := time.NewTicker(g.cfg.Interval)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := g.push(ctx)
		if ctx.Err() == nil && failing != (err != nil) {
			failing = err != nil
			g.cfg.Report(err)
		}
	}
}

// push sends everything over a connection of its own, within one interval.
func (g *Graphite) push(ctx context.Context) error {
	text, err := graphiteText(g.cfg.Gatherer, g.cfg.Prefix, time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Interval)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", g.cfg.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, err = conn.Write(text)
	return err
}

// graphiteText is one line for every series: name, value, seconds since 1970.
func graphiteText(from prometheus.Gatherer, prefix string, now time.Time) ([]byte, error) {
	families, err := from.Gather()
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnix(now.Unix())}, families...)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	if prefix != "" {
		prefix += "."
	}
	var out bytes.Buffer
	for _, s := range samples {
		fmt.Fprintf(&out, "%s%s %g %d\n", prefix, graphiteName(s.Metric), float64(s.Value), now.Unix())
	}
	return out.Bytes(), nil
}

// graphiteName is the name with two parts for each label, in the order of their text.
func graphiteName(m model.Metric) string {
	labels := make([]string, 0, len(m))
	for label, value := range m {
		if label != model.MetricNameLabel {
			labels = append(labels, string(label)+" "+string(value))
		}
	}
	slices.SortFunc(labels, cmp.Compare[string])
	var out strings.Builder
	for _, part := range append([]string{string(m[model.MetricNameLabel])}, labels...) {
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		graphitePart(&out, part)
	}
	return out.String()
}

// graphitePart writes what Graphite takes in a name: runs of anything else
// become one underscore, and a space a dot.
func graphitePart(out *strings.Builder, text string) {
	underscore := false
	for _, r := range text {
		switch {
		case r == ' ':
			r = '.'
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == ':':
		default:
			r = '_'
		}
		if r == '_' && underscore {
			continue
		}
		underscore = r == '_'
		out.WriteRune(r)
	}
}
