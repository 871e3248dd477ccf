package dashboards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// fromPrometheus are labels that every series gets when it is scraped, and the
// series that Prometheus itself makes.
var fromPrometheus = []string{"instance", "job"}

// wrongs lists what an expression asks of metrics that do not have it.
func wrongs(have map[string]family, expr string) (names []string, wrong []string) {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(strings.NewReplacer("$__rate_interval", "5m", "$instance", ".+").Replace(expr))
	if err != nil {
		return nil, []string{err.Error()}
	}
	known := slices.Clone(fromPrometheus)
	var used []string
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			f, ok := have[n.Name]
			if !ok && n.Name != "up" {
				wrong = append(wrong, n.Name+" does not exist")
			}
			names, known = append(names, n.Name), append(known, f.labels()...)
			wrong = append(wrong, wrongMatchers(n, f)...)
		case *parser.AggregateExpr:
			used = append(used, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				used = append(used, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	for _, label := range used {
		if !slices.Contains(known, label) {
			wrong = append(wrong, "nothing has the label "+label)
		}
	}
	return names, wrong
}

func wrongMatchers(n *parser.VectorSelector, f family) (wrong []string) {
	for _, m := range n.LabelMatchers {
		values, ok := f.values[m.Name]
		switch {
		case m.Name == model.MetricNameLabel || slices.Contains(fromPrometheus, m.Name):
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s has no label %s", n.Name, m.Name))
		case m.Type == labels.MatchEqual && !values[m.Value]:
			wrong = append(wrong, fmt.Sprintf("%s has no %s", n.Name, m))
		}
	}
	return wrong
}

func TestTheCheckerCanFail(t *testing.T) {
	have := scrape(t)
	for expr, want := range map[string]string{
		"holdfast_redy": "holdfast_redy does not exist", "sum(rate(": "parse error",
		`rate(holdfast_transactions_total{outcome="accepted"}[5m])`:                        "has no label outcome",
		`rate(holdfast_transactions_total{result="acepted"}[5m])`:                          "has no result=",
		"sum by (route) (holdfast_ready)":                                                  "nothing has the label route",
		"holdfast_ready / on (node) holdfast_draining":                                     "nothing has the label node",
		"histogram_quantile(0.9, sum by (le) (rate(holdfast_batches_total[5m])))":          "nothing has the label le",
		"rate(holdfast_http_request_duration_seconds_bucket[5m]) / holdfast_ready_seconds": "does not exist",
	} {
		if _, wrong := wrongs(have, expr); !strings.Contains(strings.Join(wrong, "\n"), want) {
			t.Errorf("%s: %q, want %s", expr, wrong, want)
		}
	}
}

var inLegend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

func TestDashboards(t *testing.T) {
	files, err := filepath.Glob("../../deploy/grafana/*.json")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	have := scrape(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			UID, Title string
			Templating struct {
				List []struct{ Query any }
			}
			Panels []struct {
				ID      int
				Title   string
				GridPos struct{ H, W, X, Y int }
				Targets []struct{ Expr, LegendFormat string }
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.UID != strings.TrimSuffix(filepath.Base(file), ".json") || d.Title == "" || len(d.Panels) < 10 {
			t.Errorf("%s: uid %q, title %q, %d panels", file, d.UID, d.Title, len(d.Panels))
		}
		if !strings.Contains(fmt.Sprint(d.Templating), "label_values(holdfast_build_info, instance)") {
			t.Errorf("%s: no variable for the node", file)
		}
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: %s: id %d twice, or beyond the edge", file, p.Title, p.ID)
			}
			ids[p.ID] = true
			for _, target := range p.Targets {
				names, wrong := wrongs(have, target.Expr)
				for _, found := range inLegend.FindAllStringSubmatch(target.LegendFormat, -1) {
					if !slices.ContainsFunc(names, func(name string) bool {
						return slices.Contains(append(have[name].labels(), fromPrometheus...), found[1])
					}) {
						wrong = append(wrong, "the legend shows "+found[1])
					}
				}
				if len(wrong) > 0 || len(names) == 0 {
					t.Errorf("%s: %s: %s: %q", file, p.Title, target.Expr, wrong)
				}
			}
		}
	}
}

func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operate/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	have, seen := scrape(t), map[string]bool{}
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			if _, wrong := wrongs(have, r.Expr); len(wrong) > 0 {
				t.Errorf("%s: %q", r.Alert, wrong)
			}
			if wait, err := model.ParseDuration(r.For); err != nil || time.Duration(wait) < time.Minute {
				t.Errorf("%s: for %q", r.Alert, r.For)
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" {
				t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
			}
			const runbook = "https://github.com/holdfast-sync/holdfast/blob/main/docs/operate/alerts.md#"
			if r.Annotations["runbook_url"] != runbook+strings.ToLower(r.Alert) || !strings.Contains(string(page), "\n## "+r.Alert+"\n") || seen[r.Alert] {
				t.Errorf("%s: no runbook, or twice: %s", r.Alert, r.Annotations["runbook_url"])
			}
			seen[r.Alert] = true
		}
	}
	for _, section := range regexp.MustCompile(`(?m)^## (Holdfast\w+)$`).FindAllStringSubmatch(string(page), -1) {
		if !seen[section[1]] {
			t.Errorf("the section %s is of no alert", section[1])
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d alerts", len(seen))
	}
}
