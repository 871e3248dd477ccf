package metrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/graphite"
	dto "github.com/prometheus/client_model/go"

	"github.com/holdfast-sync/holdfast"
)

// counted is a registry that holds still between two reads.
func counted(t *testing.T) prometheus.Gatherer {
	t.Helper()
	m, err := New(Config{Backend: "sqlite", Codes: []holdfast.Code{"x"}, State: func() State { return State{Components: map[string]bool{"database": true}} }})
	if err != nil {
		t.Fatal(err)
	}
	m.RequestBegan()
	m.RequestAnswered(Request{Method: "POST", Route: "/v1/streams/{streamId}/batches", Status: 201, Took: time.Second / 3})
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	families = slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "holdfast_") })
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// received is what one connection sends.
func received(t *testing.T, l net.Listener) []string {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var lines []string
	for in := bufio.NewScanner(conn); in.Scan(); {
		lines = append(lines, regexp.MustCompile(` \d+$`).ReplaceAllString(in.Text(), " TIME"))
	}
	slices.Sort(lines)
	return lines
}

// The lines are those of Prometheus' own bridge, to the byte.
func TestGraphiteLinesAreTheBridges(t *testing.T) {
	from, l := counted(t), listen(t)
	bridge, err := graphite.NewBridge(&graphite.Config{URL: l.Addr().String(), Gatherer: from, Prefix: "shops.east"})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = bridge.Push() }()
	want := received(t, l)
	g, err := NewGraphite(GraphiteConfig{Address: l.Addr().String(), Prefix: "shops.east", Interval: 10 * time.Millisecond, Gatherer: from})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	got := received(t, l)
	if len(got) < 100 || !slices.Equal(got, want) {
		t.Errorf("%d lines, the bridge has %d\n%s\n\n%s", len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	const line = "shops.east.holdfast_http_requests_total.method.POST.route._v1_streams_streamId_batches.status.201 1 TIME"
	if !slices.Contains(got, line) {
		t.Errorf("no %s", line)
	}
}

// The time of a line is now, in seconds.
func TestGraphiteTime(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC)
	text, err := graphiteText(counted(t), "", at)
	if err != nil || !strings.Contains("\n"+string(text), fmt.Sprintf("\nholdfast_ready 0 %d\n", at.Unix())) {
		t.Errorf("%v\n%s", err, text)
	}
}

// One that is not there is told of once, and found when it comes.
func TestGraphiteThatIsAway(t *testing.T) {
	l := listen(t)
	address := l.Addr().String()
	_ = l.Close()
	reports := make(chan error, 100)
	g, err := NewGraphite(GraphiteConfig{Address: address, Interval: 10 * time.Millisecond, Gatherer: counted(t), Report: func(err error) { reports <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := <-reports; err == nil {
		t.Fatal("a push to nobody")
	}
	back, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	for len(received(t, back)) == 0 {
	}
	if err := <-reports; err != nil {
		t.Error(err)
	}
}

// endless are so many series that no buffer takes them all.
var endless = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
	r, v := prometheus.NewRegistry(), prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "x"}, []string{"l"})
	r.MustRegister(v)
	for i := range 20_000 {
		v.WithLabelValues(fmt.Sprintf("%01000d", i)).Set(1)
	}
	return r.Gather()
})

// One that never reads is given up after an interval, again and again, and does
// not keep the end waiting.
func TestGraphiteThatNeverReads(t *testing.T) {
	l := listen(t)
	held := make(chan net.Conn, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			held <- conn
		}
	}()
	families, err := endless()
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan error, 100)
	g, err := NewGraphite(GraphiteConfig{
		Address: l.Addr().String(), Interval: 500 * time.Millisecond, Report: func(err error) { reports <- err },
		Gatherer: prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-reports; err == nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("given up with %v", err)
	}
	first, second := <-held, <-held // it is tried again
	began := time.Now()
	_ = g.Close()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("ended after %s", took)
	}
	for _, conn := range []net.Conn{first, second} {
		_, _ = io.Copy(io.Discard, conn) // ends: the other side is closed
		_ = conn.Close()
	}
}

func TestGraphiteConfigIsChecked(t *testing.T) {
	if _, err := NewGraphite(GraphiteConfig{}); err == nil || err.Error() != "metrics: Graphite needs an address, an interval and metrics" {
		t.Error(err)
	}
}

// A registry that can't be read is no push.
func TestGraphiteOfABrokenRegistry(t *testing.T) {
	broken := errors.New("broken")
	g := &Graphite{cfg: GraphiteConfig{Interval: time.Second, Gatherer: prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, broken })}}
	if err := g.push(context.Background()); !errors.Is(err, broken) {
		t.Error(err)
	}
}
