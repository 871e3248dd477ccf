package api

import (
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"github.com/holdfast-sync/holdfast"
)

// WriteReportCSV writes a report with a row for each store.
func WriteReportCSV(w io.Writer, r holdfast.AuditReport) error {
	table := csv.NewWriter(w)
	_ = table.Write([]string{
		"date", "storeId", "timeZone", "complete", "sessions", "sessionsDayBefore", "sessionsWeek", "sessionsWithFailure", "sessionsWithFailureDayBefore", "sessionsWithFailureWeek",
		"transactions", "transactionsDayBefore", "transactionsWeek", "failures", "failuresDayBefore", "failuresWeek", "affected", "undelivered", "oldestUndeliveredSeconds", "topErrors", "affectedCorrelationIds",
	})
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	for _, s := range r.Stores {
		row := []string{r.Date, s.Store, s.TimeZone, strconv.FormatBool(s.Complete)}
		for _, pick := range []func(holdfast.DayCounts) float64{
			func(c holdfast.DayCounts) float64 { return c.Sessions }, func(c holdfast.DayCounts) float64 { return c.SessionsWithFailure },
			func(c holdfast.DayCounts) float64 { return c.Transactions }, func(c holdfast.DayCounts) float64 { return c.Failures },
		} {
			row = append(row, number(pick(s.Day)), number(pick(s.DayBefore)), number(pick(s.Week)))
		}
		errors := make([]string, len(s.TopErrors))
		for i, e := range s.TopErrors {
			errors[i] = fmt.Sprintf("%s: %d", e.Code, e.Count)
		}
		row = append(row, strconv.Itoa(s.Affected), strconv.FormatInt(s.Undelivered, 10), strconv.FormatInt(s.OldestUndeliveredSeconds, 10),
			strings.Join(errors, "; "), strings.Join(s.AffectedCorrelationIDs, " "))
		for i, cell := range row {
			row[i] = holdfast.SafeCell(cell)
		}
		_ = table.Write(row)
	}
	table.Flush()
	return table.Error()
}

// WriteReportHTML writes a report as a page that needs nothing else.
func WriteReportHTML(w io.Writer, r holdfast.AuditReport) error { return reportPage.Execute(w, r) }

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"age": func(seconds int64) string {
		if seconds == 0 {
			return "–"
		}
		return fmt.Sprintf("%dh %02dm", seconds/3600, seconds/60%60)
	},
	"trend": func(day, before float64) string {
		switch {
		case day > before:
			return "▲"
		case day < before:
			return "▼"
		}
		return ""
	},
	"first": func(ids []string) []string { return ids[:min(len(ids), 20)] },
}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Holdfast, {{.Date}}</title>
<style>
body{font:14px/1.45 system-ui,sans-serif;margin:2rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}th,td{padding:.4rem .6rem;border-bottom:1px solid #ddd;text-align:right;vertical-align:top}
th{border-bottom:2px solid #888;font-weight:600}th:first-child,td:first-child,.left{text-align:left}
small{color:#666}.bad{color:#b00020;font-weight:600}code{font-size:12px}
</style>
<h1>Daily report, {{.Date}}</h1>
{{if not .Complete}}<p class="bad">The day is not over everywhere: numbers will change.</p>{{end}}
{{if not .Stores}}<p>Nothing happened.</p>{{else}}
<table>
<tr><th>Store<th>Sessions<th>with a failure<th>Transactions<th>Failures<th>Undelivered<th>oldest<th class="left">Most frequent errors<th class="left">Affected correlation ids</tr>
{{range .Stores}}<tr>
<td>{{if .Store}}{{.Store}}{{else}}<small>no store named</small>{{end}}<br><small>{{.TimeZone}}</small>
<td>{{.Day.Sessions}} {{trend .Day.Sessions .DayBefore.Sessions}}<br><small>{{.DayBefore.Sessions}} / {{.Week.Sessions}}</small>
<td{{if .Day.SessionsWithFailure}} class="bad"{{end}}>{{.Day.SessionsWithFailure}} {{trend .Day.SessionsWithFailure .DayBefore.SessionsWithFailure}}<br><small>{{.DayBefore.SessionsWithFailure}} / {{.Week.SessionsWithFailure}}</small>
<td>{{.Day.Transactions}} {{trend .Day.Transactions .DayBefore.Transactions}}<br><small>{{.DayBefore.Transactions}} / {{.Week.Transactions}}</small>
<td>{{.Day.Failures}} {{trend .Day.Failures .DayBefore.Failures}}<br><small>{{.DayBefore.Failures}} / {{.Week.Failures}}</small>
<td{{if .Undelivered}} class="bad"{{end}}>{{.Undelivered}}<td>{{age .OldestUndeliveredSeconds}}
<td class="left">{{range .TopErrors}}{{.Code}}: {{.Count}}<br>{{end}}
<td class="left">{{range first .AffectedCorrelationIDs}}<code>{{.}}</code><br>{{end}}{{if gt .Affected 20}}<small>{{.Affected}} in all; the JSON form lists them</small>{{end}}
</tr>
{{end}}</table>
<p><small>Small numbers: the day before / the mean of the seven days before.</small></p>
{{end}}</html>
`))
