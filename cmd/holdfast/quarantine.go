package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/delivery"
)

// QuarantineCmd looks after quarantined transactions.
type QuarantineCmd struct {
	List   QuarantineListCmd   `cmd:"" help:"List what is set aside."`
	Retry  QuarantineRetryCmd  `cmd:"" help:"Let go of what the schemas of today accept."`
	Skip   QuarantineSkipCmd   `cmd:"" help:"Do without; later consumers go on."`
	GiveUp QuarantineGiveUpCmd `cmd:"" name:"give-up" help:"Give up; nobody gets the transactions."`
	Repair RepairCmd           `cmd:"" help:"Give a quarantined transaction another payload."`
}

// QuarantineListCmd lists quarantined transactions.
type QuarantineListCmd struct {
	deskFlags
	deskFilter
	pageFlags
	Decided bool `help:"Those that were decided about as well."`
}

// Run lists them.
func (c *QuarantineListCmd) Run(ctx context.Context, con *console) error {
	q, err := c.quarantine(con.now())
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return err
	}
	q.Limit, q.After, q.All = c.Limit, c.Cursor, c.Decided
	return c.with(ctx, con, func(ctx context.Context, desk *delivery.Desk) error {
		all, err := desk.Quarantined(ctx, q)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return writeDocument(con.out, func() ([]byte, error) { return api.AppendQuarantined(all, q.Limit) })
		}
		rows := make([][]any, len(all))
		for i := range all {
			q := &all[i]
			rows[i] = []any{q.AcceptedAt.Format("2006-01-02T15:04:05Z"), fmt.Sprintf("%s %d", q.Stream, q.Seq), show(q.Type), show(q.Shop), show(string(q.Verb)), show(q.Who), show(detailOf(q.Problem))}
		}
		table(con.out, []any{"ACCEPTED", "WHAT", "TYPE", "STORE", "DECISION", "WHO", "PROBLEM"}, rows)
		if len(all) == q.Limit {
			fmt.Fprintf(con.err, "there may be more: --cursor %d\n", all[len(all)-1].Number)
		}
		return nil
	})
}

// detailOf is the detail of a problem document.
func detailOf(problem []byte) string {
	var p struct{ Detail string }
	_ = json.Unmarshal(problem, &p) // then there is none
	return p.Detail
}

// Run decides.
func (c *QuarantineRetryCmd) Run(ctx context.Context, con *console) error {
	return c.onQuarantine(ctx, con, holdfast.VerbRetry)
}

// Run decides.
func (c *QuarantineSkipCmd) Run(ctx context.Context, con *console) error {
	return c.onQuarantine(ctx, con, holdfast.VerbSkip)
}

// Run decides.
func (c *QuarantineGiveUpCmd) Run(ctx context.Context, con *console) error {
	return c.onQuarantine(ctx, con, holdfast.VerbGiveUp)
}
