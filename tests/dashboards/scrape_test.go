package dashboards

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// family is what a scrape shows of a metric.
type family struct {
	kind, help string
	// values of each label that was seen.
	values map[string]map[string]bool
}

func (f family) labels() []string {
	var names []string
	for name := range f.values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// scrape is what the metrics of a gateway with Redis, consumers and a resource
// are, once it has served something of everything.
func scrape(t *testing.T) map[string]family {
	t.Helper()
	families.Do(func() { families.all = readFamilies(t, busyGateway(t)) })
	if families.all == nil {
		t.Fatal("there is no scrape")
	}
	return families.all
}

var families struct {
	sync.Once
	all map[string]family
}

func busyGateway(t *testing.T) []byte {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuses" {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(up.Close)
	n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_REDIS_URL": testserver.Redis(t).URL()}, Files: map[string]string{"never.json": "false"}, Config: fmt.Sprintf(`
schemas: {types: [{type: never, file: never.json}]}
prefetch: {resources: [{name: table, url: %q}]}
consumers:
  - {name: up, kind: rest, rest: {url: %q}}
  - {name: down, kind: rest, rest: {url: "http://127.0.0.1:1/"}}
  - {name: refuses, kind: rest, rest: {url: %q}}
`, up.URL, up.URL, up.URL+"/refuses")})
	broken := fmt.Appendf(nil, `{"transactions":[{"id":%q,"seq":1,"type":"never","occurredAt":"2026-11-21T09:00:00Z","payload":{}}]}`, harness.ID(4, 0))
	for _, a := range []harness.Answer{
		harness.NewStream(2).Send(n, harness.ID(2, 0), 1, 2),
		n.Must("POST", harness.NewStream(3).Path("/batches"), broken, harness.JSON(harness.ID(3, 0))...),
	} {
		if a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	harness.Eventually(t, 20*time.Second, func() error {
		if a := n.Must("GET", "/v1/deliveries?status=held,quarantined", nil); bytes.Count(a.Body, []byte(`"consumer"`)) < 4 {
			return fmt.Errorf("%s", a.Body)
		}
		return nil
	})
	n.Restart() // open deliveries are counted at the start, and every 30 s
	harness.Eventually(t, 30*time.Second, func() error {
		if a := n.Must("GET", "/v1/health", nil); !bytes.Contains(a.Body, []byte(`"cache":{"status":"UP"}`)) {
			return fmt.Errorf("%s", a.Body)
		}
		return nil
	})
	s := harness.NewStream(1)
	for i, want := range []int{201, 200, 409} {
		first := []int64{1, 1, 9}[i]
		if a := s.Send(n, harness.ID(1, i), first, first+1); a.Status != want {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	var text []byte
	harness.Eventually(t, 20*time.Second, func() error {
		text = n.Must("GET", "/metrics", nil).Body
		for _, name := range []string{"deliveries_open", "delivery_age_seconds_count", "prefetch_refreshes_total"} {
			if !bytes.Contains(text, []byte("\nholdfast_"+name+"{")) {
				return fmt.Errorf("there is no %s", name)
			}
		}
		return nil
	})
	return text
}

func readFamilies(t *testing.T, text []byte) map[string]family {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	parsed, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]family, len(parsed))
	for name, one := range parsed {
		f := family{kind: strings.ToLower(one.GetType().String()), help: one.GetHelp(), values: map[string]map[string]bool{}}
		for _, m := range one.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.values[l.GetName()] == nil {
					f.values[l.GetName()] = map[string]bool{}
				}
				f.values[l.GetName()][l.GetValue()] = true
			}
		}
		all[name] = f
		if one.GetType() == dto.MetricType_HISTOGRAM {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				part := family{kind: "part of a histogram", values: map[string]map[string]bool{}}
				for label, values := range f.values {
					part.values[label] = values
				}
				if suffix == "_bucket" {
					part.values["le"] = map[string]bool{}
				}
				all[name+suffix] = part
			}
		}
	}
	return all
}

// The reference has a row for every metric, and for no other.
func TestTheReferenceListsEveryMetric(t *testing.T) {
	var rows []string
	for name, f := range scrape(t) {
		if !strings.HasPrefix(name, "holdfast_") || f.kind == "part of a histogram" {
			continue
		}
		labels := "`" + strings.Join(f.labels(), "`, `") + "`"
		if len(f.values) == 0 {
			labels = ""
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", name, f.kind, labels, f.help))
	}
	slices.Sort(rows)
	page, err := os.ReadFile("../../docs/operate/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `holdfast_") {
			written = append(written, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(rows, written) {
		t.Errorf("docs/operate/metrics.md should have these rows:\n%s", strings.Join(rows, "\n"))
	}
}
