package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/audit"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/store"
)

// AuditCmd asks the audit log.
type AuditCmd struct {
	Events   AuditEventsCmd   `cmd:"" help:"List events."`
	Timeline AuditTimelineCmd `cmd:"" help:"Tell the story of a session, a correlation id or a transaction."`
	Report   AuditReportCmd   `cmd:"" help:"Make the daily report."`
	Export   AuditExportCmd   `cmd:"" help:"Write all events of a filter as CSV or NDJSON."`
	Verify   AuditVerifyCmd   `cmd:"" help:"Compare the events with the sealed segments."`
	Key      AuditKeyCmd      `cmd:"" help:"Make a key that seals the audit log."`
}

// Help is shown below the flags.
func (AuditCmd) Help() string {
	return `The commands read the database, so they work beside a running gateway and without one. What they read is recorded
under the name of the operating system's user.

Examples:
  holdfast audit events --filter store=0042 --filter outcome=failure --since 24h
  holdfast audit report --date 2026-11-20`
}

// auditFlags are those of every audit command.
type auditFlags struct {
	settingFlags
}

// auditTool is what the commands work with.
type auditTool struct {
	store    store.Store
	log      *audit.Log
	settings *settings.Settings
}

// with opens the log for fn; the reads are those of an operator.
func (f *auditFlags) with(ctx context.Context, con *console, fn func(context.Context, *auditTool) error) error {
	s, err := f.load(con)
	if err != nil {
		return err
	}
	scanner, err := newScanner(s)
	if err != nil {
		return err
	}
	zones, err := zonesOf(s)
	if err != nil {
		return err
	}
	logger := con.discard()
	b := backendOf(s, logger)
	opened, err := b.ready(ctx, b.beside, logger)
	if err != nil {
		return unreachable(err)
	}
	log, err := audit.New(audit.Config{Store: opened, Zones: zones, Node: "cli", Redact: scanner.Append, Now: con.now, Logger: logger})
	if err == nil {
		ctx = holdfast.WithPrincipal(ctx, holdfast.Principal{Subject: osUser(), Scope: holdfast.ScopeOperator})
		err = explained(fn(ctx, &auditTool{opened, log, s}))
	}
	return errors.Join(unreachable(err), opened.Close())
}

// explained makes the error of a question one of the command line.
func explained(err error) error {
	var e *holdfast.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case holdfast.CodeInvalidRequest:
		return usage("%s", fieldsText(e))
	case holdfast.CodeBackendUnavailable:
		return fmt.Errorf("%w: %s", store.ErrUnavailable, e.Detail)
	}
	return err
}

func fieldsText(e *holdfast.Error) string {
	if len(e.Fields) == 0 {
		return e.Detail
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Parameter + " " + f.Detail
	}
	return strings.Join(parts, "; ")
}

// filterFlags say which events.
type filterFlags struct {
	Filter map[string]string `short:"f" placeholder:"NAME=VALUE" mapsep:"none" help:"Only events with this, for example store=0042 or q=gate. May be repeated; all must be so. See the API's reference for the names."`
	Since  string            `placeholder:"WHEN" help:"Only from this time on: 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z."`
	Until  string            `placeholder:"WHEN" help:"Only before this time."`
}

func (f filterFlags) filter(now time.Time) (holdfast.AuditFilter, error) {
	values := url.Values{}
	for name, value := range f.Filter {
		if !slices.Contains(api.AuditFilterNames(), name) {
			return holdfast.AuditFilter{}, usage("--filter %s: there is no such name; one of %s", name, strings.Join(api.AuditFilterNames(), ", "))
		}
		values.Set(name, value)
	}
	for name, text := range map[string]string{"since": f.Since, "until": f.Until} {
		if text == "" {
			continue
		}
		at, err := parsePast(text, now)
		if err != nil {
			return holdfast.AuditFilter{}, usage("--%s: %w", name, err)
		}
		values.Set(name, at.Format(time.RFC3339Nano))
	}
	filter, wrong := api.ParseAuditFilter(values)
	if len(wrong) > 0 {
		return filter, usage("--filter %s: %s", wrong[0].Parameter, wrong[0].Detail)
	}
	return filter, nil
}

// parsePast reads a moment, a day, or a time before now.
func parsePast(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	d, err := parseDays(text)
	if err != nil || d < 0 {
		return time.Time{}, errors.New("must be like 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z")
	}
	return now.Add(-d).UTC(), nil
}

// AuditEventsCmd lists events.
type AuditEventsCmd struct {
	auditFlags
	outputFlag
	filterFlags
	Limit  int    `default:"100" help:"How many: 1 to 1000."`
	Oldest bool   `help:"Oldest first; else the newest first."`
	Cursor string `help:"Continue behind an earlier page."`
}

// Help is shown below the flags.
func (AuditEventsCmd) Help() string {
	return `Examples:
  holdfast audit events --since 24h --filter outcome=failure,denied
  holdfast audit events --filter correlation=0192f3c0-5a1e-7c3d-9b2f-1d2e3f4a5b6c --output json`
}

// Run lists them.
func (c *AuditEventsCmd) Run(ctx context.Context, con *console) error {
	filter, err := c.filter(con.now())
	if err != nil {
		return err
	}
	if c.Limit < 1 || c.Limit > 1000 {
		return usage("--limit: must be 1 to 1000")
	}
	return c.with(ctx, con, func(ctx context.Context, tool *auditTool) error {
		page, err := tool.log.Events(ctx, holdfast.AuditQuery{Filter: filter, Limit: c.Limit, Descending: !c.Oldest, Cursor: c.Cursor})
		if err != nil {
			return err
		}
		if c.Output == "json" {
			_, err := con.out.Write(append(api.AppendAuditPage(nil, page), '\n'))
			return err
		}
		writeEvents(con.out, page.Events)
		if page.More {
			fmt.Fprintf(con.err, "there is more: --cursor %s\n", page.Cursor)
		}
		return nil
	})
}

func writeEvents(w io.Writer, events []holdfast.AuditEvent) {
	rows := make([][]any, len(events))
	for i := range events {
		e := &events[i]
		what := e.Target.ID
		if e.First > 0 {
			what = fmt.Sprintf("%s %d–%d", e.Stream, e.First, e.Last)
		}
		rows[i] = []any{
			e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Action, e.Outcome, show(string(e.Code)), show(e.Context.Shop), show(e.Actor.ID), show(what), show(e.Context.Correlation),
		}
	}
	table(w, []any{"AT", "ACTION", "OUTCOME", "CODE", "STORE", "ACTOR", "WHAT", "CORRELATION"}, rows)
}

// AuditTimelineCmd tells a story.
type AuditTimelineCmd struct {
	auditFlags
	outputFlag
	Session     string `help:"A session id."`
	Correlation string `help:"A correlation id."`
	Transaction string `help:"A transaction's id."`
}

// Help is shown below the flags.
func (AuditTimelineCmd) Help() string {
	return `Examples:
  holdfast audit timeline --transaction 0192f3c0-5a1e-7c3d-9b2f-1d2e3f4a5b6c
  holdfast audit timeline --session b7c1d2e3 --output json`
}

// Run tells it.
func (c *AuditTimelineCmd) Run(ctx context.Context, con *console) error {
	about, err := api.AuditSubjectOf(c.Session, c.Correlation, c.Transaction)
	if err != nil {
		return explained(err)
	}
	return c.with(ctx, con, func(ctx context.Context, tool *auditTool) error {
		story, err := tool.log.Timeline(ctx, about)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			_, err := con.out.Write(append(api.AppendAuditStory(nil, story), '\n'))
			return err
		}
		writeEvents(con.out, story.Events)
		return nil
	})
}

// AuditReportCmd makes the daily report.
type AuditReportCmd struct {
	auditFlags
	Date   string `help:"The day, YYYY-MM-DD; default: yesterday."`
	Store  string `help:"One store; else all."`
	Output string `enum:"text,json,csv,html" default:"text" help:"How to write it: text, json, csv or html."`
}

// Help is shown below the flags.
func (AuditReportCmd) Help() string {
	return `Examples:
  holdfast audit report
  holdfast audit report --date 2026-11-20 --store 0042 --output html > report.html`
}

// Run makes it.
func (c *AuditReportCmd) Run(ctx context.Context, con *console) error {
	date := con.now().AddDate(0, 0, -1)
	if c.Date != "" {
		var err error
		if date, err = time.Parse(time.DateOnly, c.Date); err != nil {
			return usage("--date: must be a day, YYYY-MM-DD")
		}
	}
	return c.with(ctx, con, func(ctx context.Context, tool *auditTool) error {
		report, err := tool.log.Daily(ctx, date, c.Store)
		if err != nil {
			return err
		}
		switch c.Output {
		case "json":
			return writeJSON(con.out, report)
		case "csv":
			return api.WriteReportCSV(con.out, report)
		case "html":
			return api.WriteReportHTML(con.out, report)
		}
		writeReport(con.out, report)
		return nil
	})
}

func writeReport(w io.Writer, r holdfast.AuditReport) {
	rows := make([][]any, len(r.Stores))
	for i, s := range r.Stores {
		worst := "-"
		if len(s.TopErrors) > 0 {
			worst = fmt.Sprintf("%s (%d)", s.TopErrors[0].Code, s.TopErrors[0].Count)
		}
		compared := func(pick func(holdfast.DayCounts) float64) string {
			return fmt.Sprintf("%v (%v, %v)", pick(s.Day), pick(s.DayBefore), pick(s.Week))
		}
		rows[i] = []any{
			show(s.Store), compared(func(c holdfast.DayCounts) float64 { return c.Sessions }), compared(func(c holdfast.DayCounts) float64 { return c.SessionsWithFailure }),
			compared(func(c holdfast.DayCounts) float64 { return c.Transactions }), compared(func(c holdfast.DayCounts) float64 { return c.Failures }),
			s.Affected, s.Undelivered, (time.Duration(s.OldestUndeliveredSeconds) * time.Second).String(), worst,
		}
	}
	fmt.Fprintf(w, "%s; in brackets the day before and the mean of the week before\n", r.Date)
	if !r.Complete {
		fmt.Fprintln(w, "the day is not over everywhere: numbers will change")
	}
	table(w, []any{"STORE", "SESSIONS", "WITH FAILURE", "TRANSACTIONS", "FAILURES", "AFFECTED", "UNDELIVERED", "OLDEST", "MOST FREQUENT ERROR"}, rows)
}

// AuditExportCmd writes all events of a filter.
type AuditExportCmd struct {
	auditFlags
	filterFlags
	Output string `enum:"ndjson,csv" default:"ndjson" help:"How to write them: ndjson or csv."`
	To     string `placeholder:"FILE" help:"Where to; else the standard output."`
}

// Help is shown below the flags.
func (AuditExportCmd) Help() string {
	return `Any number of events in constant memory, oldest first, up to now.

Examples:
  holdfast audit export --since 7d --output csv --to week.csv
  holdfast audit export --filter store=0042 | jq .action`
}

// Run writes them.
func (c *AuditExportCmd) Run(ctx context.Context, con *console) error {
	filter, err := c.filter(con.now())
	if err != nil {
		return err
	}
	return c.with(ctx, con, func(ctx context.Context, tool *auditTool) error {
		events, err := tool.log.Export(ctx, filter)
		if err != nil {
			return err
		}
		out := con.out
		if c.To != "" {
			f, err := os.OpenFile(c.To, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			if err != nil {
				return failed("--to: %w", err)
			}
			defer f.Close()
			out = f
		}
		n := 0
		shown := time.Now()
		err = api.WriteAuditEvents(out, c.Output, events, func() {
			if n++; con.errTerminal && time.Since(shown) > 200*time.Millisecond {
				shown = time.Now()
				fmt.Fprintf(con.err, "\r%d events", n)
			}
		})
		if con.errTerminal {
			fmt.Fprintf(con.err, "\r%d events\n", n)
		}
		return err
	})
}
