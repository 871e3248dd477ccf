package main

import (
	"context"
	"encoding/json"
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

// QuarantineCmd looks after quarantined transactions.
type QuarantineCmd struct {
	List   QuarantineListCmd   `cmd:"" help:"List what is set aside."`
	Retry  QuarantineRetryCmd  `cmd:"" help:"Let go of what the schemas of today accept."`
	Skip   QuarantineSkipCmd   `cmd:"" help:"Do without; later consumers go on."`
	GiveUp QuarantineGiveUpCmd `cmd:"" name:"give-up" help:"Give up; nobody gets the transactions."`
	Repair RepairCmd           `cmd:"" help:"Give a quarantined transaction another payload."`
}

// Help is shown below the flags.
func (QuarantineCmd) Help() string {
	return `The commands talk to the database, so they work beside a running gateway. What is decided is recorded under the name of
the operating system's user.

Examples:
  holdfast quarantine list --filter type=pick.completed
  holdfast quarantine retry --filter store=0042 --reason "the schema was too narrow"`
}

// deskFlags are those of every one of these commands.
type deskFlags struct {
	settingFlags
	outputFlag
}

// with opens the desk for fn.
func (f *deskFlags) with(ctx context.Context, con *console, fn func(context.Context, *delivery.Desk) error) error {
	s, err := f.load(con)
	if err != nil {
		return err
	}
	scanner, err := newScanner(s)
	if err != nil {
		return err
	}
	registry, err := openSchemas(s)
	if err != nil {
		return s.Wrong("schemas.types", err.Error())
	}
	logger := con.discard()
	b := backendOf(s, logger)
	opened, err := b.ready(ctx, b.beside, logger)
	if err != nil {
		return unreachable(err)
	}
	ctx = holdfast.WithPrincipal(ctx, holdfast.Principal{Subject: osUser(), Scope: holdfast.ScopeOperator})
	err = explained(fn(ctx, &delivery.Desk{Store: opened, Schemas: registry, Node: "cli", Redact: scanner.Append}))
	return errors.Join(unreachable(err), opened.Close())
}

// deskFilter says which ones.
type deskFilter struct {
	Filter map[string]string `short:"f" placeholder:"NAME=VALUE" mapsep:"none" help:"Only those with this, for example store=0042. May be repeated; all must be so. See the API's reference for the names."`
	Since  string            `placeholder:"WHEN" help:"Only from this time on: 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z."`
	Until  string            `placeholder:"WHEN" help:"Only before this time."`
}

func (f deskFilter) values(names []string, now time.Time) (url.Values, error) {
	values := url.Values{}
	for name, value := range f.Filter {
		if !slices.Contains(names, name) {
			return nil, usage("--filter %s: there is no such name; one of %s", name, strings.Join(names, ", "))
		}
		values.Set(name, value)
	}
	for name, text := range map[string]string{"since": f.Since, "until": f.Until} {
		if text == "" {
			continue
		}
		at, err := parsePast(text, now)
		if err != nil {
			return nil, usage("--%s: %w", name, err)
		}
		values.Set(name, at.Format(time.RFC3339Nano))
	}
	return values, nil
}

func wrongFilter(wrong []holdfast.FieldError) error {
	if len(wrong) == 0 {
		return nil
	}
	return usage("--filter %s: %s", wrong[0].Parameter, wrong[0].Detail)
}

func (f deskFilter) deliveries(now time.Time) (holdfast.DeliveryQuery, error) {
	values, err := f.values(api.DeliveryFilterNames(), now)
	if err != nil {
		return holdfast.DeliveryQuery{}, err
	}
	q, wrong := api.ParseDeliveryFilter(values)
	return q, wrongFilter(wrong)
}

func (f deskFilter) quarantine(now time.Time) (holdfast.QuarantineQuery, error) {
	values, err := f.values(api.QuarantineFilterNames(), now)
	if err != nil {
		return holdfast.QuarantineQuery{}, err
	}
	q, wrong := api.ParseQuarantineFilter(values)
	return q, wrongFilter(wrong)
}

// pageFlags say how many.
type pageFlags struct {
	Limit  int   `default:"100" help:"How many: 1 to 1000."`
	Cursor int64 `help:"Continue behind an earlier page."`
}

func (p pageFlags) check() error {
	if p.Limit < 1 || p.Limit > 1000 {
		return usage("--limit: must be 1 to 1000")
	}
	return nil
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

func writeDocument(w io.Writer, make func() ([]byte, error)) error {
	text, err := make()
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
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

// QuarantineListCmd lists quarantined transactions.
type QuarantineListCmd struct {
	deskFlags
	deskFilter
	pageFlags
	Decided bool `help:"Those that were decided about as well."`
}

// Help is shown below the flags.
func (QuarantineListCmd) Help() string {
	return `Examples:
  holdfast quarantine list
  holdfast quarantine list --decided --since 7d --output json`
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

// deedFlags are those of a decision.
type deedFlags struct {
	deskFlags
	deskFilter
	Reason string `required:"" placeholder:"TEXT" help:"Why; it is kept in the audit log."`
}

// atOnce is how many are decided about in one Tx.
const atOnce = 500

// run decides about some at a time until nothing is left, and tells how many there were.
func (f *deedFlags) run(ctx context.Context, con *console, do func(context.Context, *delivery.Desk, int64) (holdfast.Done, int, error)) error {
	if len(f.Filter) == 0 && f.Since == "" && f.Until == "" {
		return usage("--filter: is needed, so that nothing is decided about by mistake")
	}
	if strings.TrimSpace(f.Reason) == "" {
		return usage("--reason: must say why")
	}
	return f.with(ctx, con, func(ctx context.Context, desk *delivery.Desk) error {
		count, refused, after := 0, 0, int64(0)
		for {
			done, stay, err := do(ctx, desk, after)
			if err != nil {
				return err
			}
			count, refused, after = count+done.Count, refused+stay, done.Last
			if !done.More {
				break
			}
			if con.errTerminal {
				fmt.Fprintf(con.err, "\r%d decided", count)
			}
		}
		if f.Output == "json" {
			return writeJSON(con.out, map[string]int{"count": count, "refused": refused})
		}
		fmt.Fprintf(con.out, "%d decided", count)
		if refused > 0 {
			fmt.Fprintf(con.out, ", %d stay as they are: their payloads break the schemas of today", refused)
		}
		fmt.Fprintln(con.out)
		return nil
	})
}

func (f *deedFlags) deed(verb holdfast.Verb) holdfast.Deed {
	return holdfast.Deed{Verb: verb, Who: osUser(), Why: f.Reason, Node: "cli"}
}

func (f *deedFlags) onDeliveries(ctx context.Context, con *console, verb holdfast.Verb) error {
	q, err := f.deliveries(con.now())
	if err != nil {
		return err
	}
	return f.run(ctx, con, func(ctx context.Context, desk *delivery.Desk, after int64) (holdfast.Done, int, error) {
		deed := f.deed(verb)
		deed.Deliveries = q
		deed.Deliveries.After, deed.Deliveries.Limit = after, atOnce
		done, err := desk.Act(ctx, deed)
		return done, 0, err
	})
}

func (f *deedFlags) onQuarantine(ctx context.Context, con *console, verb holdfast.Verb) error {
	q, err := f.quarantine(con.now())
	if err != nil {
		return err
	}
	return f.run(ctx, con, func(ctx context.Context, desk *delivery.Desk, after int64) (holdfast.Done, int, error) {
		deed := f.deed(verb)
		deed.Quarantine = q
		deed.Quarantine.After, deed.Quarantine.Limit = after, atOnce
		return desk.Decide(ctx, deed)
	})
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

// Help is shown below the flags.
func (deedFlags) Help() string {
	return `It is done to everything that the filters find, some hundred at a time; each is an audit event with who and why. What is being
delivered just now is left alone.

Examples:
  holdfast deliveries retry --filter consumer=orders --filter code=status-422 --reason "item 4711 is known now"
  holdfast quarantine give-up --filter store=0042 --until 2026-11-20 --reason "test data"`
}

// RepairCmd gives a transaction another payload.
type RepairCmd struct {
	deskFlags
	Stream  string `required:"" help:"The stream."`
	Seq     int64  `required:"" help:"Its place in the stream."`
	Payload string `required:"" placeholder:"FILE" help:"A file with the new payload, a JSON object; - for the standard input."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why; it is kept with the repair."`
}

// Help is shown below the flags.
func (RepairCmd) Help() string {
	return `The payload must fit the schema. What the device sent is kept as it is.

Examples:
  holdfast quarantine repair --stream 6f1f64b0-21a5-4c5e-9f0e-0d6c2f4a1b10 --seq 42 --payload fixed.json --reason "quantity was a text"
  holdfast deliveries repair --stream 6f1f64b0-21a5-4c5e-9f0e-0d6c2f4a1b10 --seq 43 --payload fixed.json --reason "the order was mistyped"`
}

// Run gives it.
func (c *RepairCmd) Run(ctx context.Context, con *console) error {
	stream, err := holdfast.ParseID(c.Stream)
	if err != nil || c.Seq < 1 {
		return usage("--stream and --seq: must name a transaction: a UUID, and a number from 1")
	}
	if strings.TrimSpace(c.Reason) == "" {
		return usage("--reason: must say why")
	}
	payload, err := c.payload(con)
	if err != nil {
		return err
	}
	return c.with(ctx, con, func(ctx context.Context, desk *delivery.Desk) error {
		if err := desk.Repair(ctx, holdfast.Repair{Stream: stream, Seq: c.Seq, Payload: payload, Who: osUser(), Why: c.Reason}); err != nil {
			return err
		}
		if c.Output == "json" {
			return writeJSON(con.out, map[string]int{"count": 1})
		}
		fmt.Fprintln(con.out, "repaired; it is on its way again")
		return nil
	})
}

func (c *RepairCmd) payload(con *console) ([]byte, error) {
	var text []byte
	var err error
	if c.Payload == "-" {
		text, err = io.ReadAll(io.LimitReader(con.in, 16<<20))
	} else {
		text, err = os.ReadFile(c.Payload)
	}
	if err != nil {
		return nil, usage("--payload: %w", err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, usage("--payload: must be a JSON object")
	}
	return text, nil
}
