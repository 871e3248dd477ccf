package main

import (
	"context"
	"fmt"
	"io"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/delivery"
)

// DeliveriesCmd looks after deliveries.
type DeliveriesCmd struct {
	List   DeliveriesListCmd   `cmd:"" help:"List deliveries: what stands where."`
	Retry  DeliveriesRetryCmd  `cmd:"" help:"Try deliveries again now."`
	Skip   DeliveriesSkipCmd   `cmd:"" help:"Do without deliveries; later consumers get the transactions."`
	GiveUp DeliveriesGiveUpCmd `cmd:"" name:"give-up" help:"Give deliveries up; later consumers do not get the transactions."`
	Repair RepairCmd           `cmd:"" help:"Give a held transaction another payload."`
}

// Help is shown below the flags.
func (DeliveriesCmd) Help() string {
	return `The commands talk to the database, so they work beside a running gateway. What is decided is recorded under the name of
the operating system's user.

Examples:
  holdfast deliveries list --filter status=held
  holdfast deliveries retry --filter consumer=orders --filter status=held --reason "the consumer was repaired"`
}

// Help is shown below the flags.
func (QuarantineCmd) Help() string {
	return `The commands talk to the database, so they work beside a running gateway. What is decided is recorded under the name of
the operating system's user.

Examples:
  holdfast quarantine list --filter type=pick.completed
  holdfast quarantine retry --filter store=0042 --reason "the schema was too narrow"`
}

// DeliveriesListCmd lists deliveries.
type DeliveriesListCmd struct {
	deskFlags
	deskFilter
	pageFlags
}

// Help is shown below the flags.
func (DeliveriesListCmd) Help() string {
	return `Examples:
  holdfast deliveries list --filter status=held,waiting --filter consumer=orders
  holdfast deliveries list --since 1h --output json`
}

// Run lists them.
func (c *DeliveriesListCmd) Run(ctx context.Context, con *console) error {
	q, err := c.deliveries(con.now())
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return err
	}
	q.Limit, q.After = c.Limit, c.Cursor
	return c.with(ctx, con, func(ctx context.Context, desk *delivery.Desk) error {
		all, err := desk.Deliveries(ctx, q)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return writeDocument(con.out, func() ([]byte, error) { return api.AppendDeliveries(all, q.Limit) })
		}
		writeDeliveries(con.out, all)
		if len(all) == q.Limit {
			fmt.Fprintf(con.err, "there may be more: --cursor %d\n", all[len(all)-1].Position)
		}
		return nil
	})
}

func writeDeliveries(w io.Writer, all []holdfast.Delivery) {
	rows := make([][]any, len(all))
	for i := range all {
		d := &all[i]
		rows[i] = []any{
			d.CreatedAt.Format("2006-01-02T15:04:05Z"), d.Consumer, d.Status, fmt.Sprintf("%s %d", d.Stream, d.Seq), show(d.Type), show(d.Shop), d.Attempts,
			show(d.Code), show(d.Reference),
		}
	}
	table(w, []any{"ACCEPTED", "CONSUMER", "STATUS", "WHAT", "TYPE", "STORE", "ATTEMPTS", "CODE", "REFERENCE"}, rows)
}

// Help is shown below the flags.
func (QuarantineListCmd) Help() string {
	return `Examples:
  holdfast quarantine list
  holdfast quarantine list --decided --since 7d --output json`
}

// The decisions.
type (
	// DeliveriesRetryCmd tries again.
	DeliveriesRetryCmd struct{ deedFlags }
	// DeliveriesSkipCmd does without.
	DeliveriesSkipCmd struct{ deedFlags }
	// DeliveriesGiveUpCmd gives up.
	DeliveriesGiveUpCmd struct{ deedFlags }
	// QuarantineRetryCmd lets go.
	QuarantineRetryCmd struct{ deedFlags }
	// QuarantineSkipCmd does without.
	QuarantineSkipCmd struct{ deedFlags }
	// QuarantineGiveUpCmd gives up.
	QuarantineGiveUpCmd struct{ deedFlags }
)

// Run decides.
func (c *DeliveriesRetryCmd) Run(ctx context.Context, con *console) error {
	return c.onDeliveries(ctx, con, holdfast.VerbRetry)
}

// Run decides.
func (c *DeliveriesSkipCmd) Run(ctx context.Context, con *console) error {
	return c.onDeliveries(ctx, con, holdfast.VerbSkip)
}

// Run decides.
func (c *DeliveriesGiveUpCmd) Run(ctx context.Context, con *console) error {
	return c.onDeliveries(ctx, con, holdfast.VerbGiveUp)
}

// Help is shown below the flags.
func (deedFlags) Help() string {
	return `It is done to everything that the filters find, some hundred at a time; each is an audit event with who and why. What is being
delivered just now is left alone.

Examples:
  holdfast deliveries retry --filter consumer=orders --filter code=status-422 --reason "item 4711 is known now"
  holdfast quarantine give-up --filter store=0042 --until 2026-11-20 --reason "test data"`
}

// Help is shown below the flags.
func (RepairCmd) Help() string {
	return `The payload must fit the schema. What the device sent is kept as it is.

Examples:
  holdfast deliveries repair --stream 6f1f64b0-21a5-4c5e-9f0e-0d6c2f4a1b10 --seq 41 --payload - --reason "unknown item" < fixed.json
  holdfast quarantine repair --stream 6f1f64b0-21a5-4c5e-9f0e-0d6c2f4a1b10 --seq 42 --payload fixed.json --reason "quantity was a text"`
}
