package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/attachment"
)

// ObjectsCmd looks after the object stores.
type ObjectsCmd struct {
	Check ObjectsCheckCmd `cmd:"" help:"Compare the files in all sites with the database, and repair what may be repaired."`
}

// ObjectsCheckCmd compares.
type ObjectsCheckCmd struct {
	settingFlags
	outputFlag
	Deep   bool          `help:"Read every object and compare its digest; without it only names and sizes are compared."`
	Repair bool          `help:"Make the records say what is so, make the copies that are wanted, and sweep what uploads left over. No file is changed or taken away."`
	Grace  time.Duration `default:"10m" help:"Leave alone what is younger: it may be on its way."`
}

// Help is shown below the flags.
func (ObjectsCheckCmd) Help() string {
	return `It finds missing copies (the record says that a site holds one, and it does not), orphaned objects (no record tells of them), extra
copies (of a put whose answer was lost; nothing is wrong with them), damaged ones, and what uploads left over. --repair records orphaned and extra objects that are what their name says, and takes back what the
record says of missing and damaged copies; it makes further copies where attachments.copies asks for them. A file of which no
copy is left is missing again for the client that has it. A damaged object has to be taken away by hand.

Exit code 1 when something is not as it should be (after --repair: still), 3 when a site could not be looked at.

Examples:
  holdfast objects check
  holdfast objects check --deep --repair --output json`
}

// Run compares.
func (c *ObjectsCheckCmd) Run(ctx context.Context, con *console) error {
	s, err := c.load(con)
	if err != nil {
		return err
	}
	logger := con.discard()
	b := backendOf(s, logger)
	opened, err := b.ready(ctx, b.beside, logger)
	if err != nil {
		return unreachable(err)
	}
	defer opened.Close()
	at, err := openSites(s, nil)
	if err != nil {
		return err
	}
	defer at.Close()
	service, err := newAttachments(s, opened, at, logger, "cli", nil)
	if err != nil {
		return err
	}
	ctx = holdfast.WithPrincipal(ctx, holdfast.Principal{Subject: osUser(), Scope: holdfast.ScopeOperator})
	findings := []attachment.Finding{}
	report, err := service.Check(ctx, attachment.CheckOptions{
		Deep: c.Deep, Repair: c.Repair, Grace: c.Grace, Progress: checkProgress(con),
		Found: func(f attachment.Finding) { findings = append(findings, f) },
	})
	if con.errTerminal {
		fmt.Fprintln(con.err)
	}
	if err != nil {
		return unreachable(explained(err))
	}
	shown := struct {
		attachment.CheckReport
		Clean    bool                 `json:"clean"`
		Findings []attachment.Finding `json:"findings"`
	}{report, report.Clean(), findings}
	if err := c.write(con, shown, func(w io.Writer) { writeCheck(w, report, findings) }); err != nil {
		return err
	}
	switch {
	case len(report.Unreachable) > 0:
		return quiet(exitUnavailable)
	case !report.Clean():
		return quiet(exitFailed)
	}
	return nil
}

// checkProgress shows a line on a terminal, nothing elsewhere.
func checkProgress(con *console) func(attachment.CheckReport) {
	if !con.errTerminal {
		return nil
	}
	return func(r attachment.CheckReport) {
		fmt.Fprintf(con.err, "\r%d records, %d objects", r.Attachments, r.Objects)
	}
}

func writeCheck(w io.Writer, r attachment.CheckReport, findings []attachment.Finding) {
	rows := make([][]any, len(findings))
	for i, f := range findings {
		state := "-"
		switch {
		case f.Repaired && f.Lost:
			state = "repaired, LOST"
		case f.Repaired:
			state = "repaired"
		case f.Lost:
			state = "LOST"
		}
		rows[i] = []any{f.Kind, show(f.Site), f.Name, state, f.Detail}
	}
	if len(rows) > 0 {
		table(w, []any{"FOUND", "SITE", "NAME", "STATE", "DETAIL"}, rows)
	}
	verdict := "everything is as it should be"
	if !r.Clean() {
		verdict = "NOT everything is as it should be"
	}
	fmt.Fprintf(w, "%s: %d records, %d objects of %d bytes; %d missing, %d orphaned, %d extra, %d damaged, %d left over, %d repaired, %d without any copy\n",
		verdict, r.Attachments, r.Objects, r.Bytes, r.Missing, r.Orphaned, r.Extra, r.Damaged, r.Leftovers, r.Repaired, r.Lost)
	if len(r.Unreachable) > 0 {
		fmt.Fprintf(w, "could not be looked at: %s\n", strings.Join(r.Unreachable, ", "))
	}
}
