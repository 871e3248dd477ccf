package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/delivery"
)

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
		if value == "" { // of a script whose variable is not set
			return nil, usage("--filter %s: must not be empty", name)
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

func writeDocument(w io.Writer, make func() ([]byte, error)) error {
	text, err := make()
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
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
