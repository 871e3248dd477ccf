package auditsql

import (
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Dialect is how a backend writes what the standard leaves open.
type Dialect struct {
	Placeholder func(n int) string // of argument n, from 1
	Time        func(time.Time) any
	ID          func(holdfast.ID) any
	IDType      string // a cast behind the placeholder of an id
	Fold        string // of a column's ASCII letters to lower case: "lower(%)"
	Part        string // the function that finds its second argument in its first
	// Same compares correlation with a placeholder without regard to case: "lower(correlation) = %"
	Same string
}

// Where gathers conditions and their arguments.
type Where struct {
	d     *Dialect
	conds []string
	Args  []any
}

// Begin an empty Where.
func (d *Dialect) Begin() *Where { return &Where{d: d} }

// Arg adds an argument and returns its placeholder.
func (w *Where) Arg(v any) string {
	w.Args = append(w.Args, v)
	return w.d.Placeholder(len(w.Args))
}

// At adds a time.
func (w *Where) At(t time.Time) string { return w.Arg(w.d.Time(Ceil(t))) }

// And adds a condition.
func (w *Where) And(cond string) { w.conds = append(w.conds, cond) }

// String is the WHERE clause, empty without conditions.
func (w *Where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// In is a list of placeholders, in parentheses; no value is in an empty one.
func In[T ~string](w *Where, values []T) string {
	if len(values) == 0 {
		return "(NULL)"
	}
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = w.Arg(Clean(string(v)))
	}
	return "(" + strings.Join(all, ", ") + ")"
}

// Filter adds what f asks for.
func (w *Where) Filter(f *store.AuditFilter) {
	if !f.Since.IsZero() {
		w.And("at >= " + w.At(f.Since))
	}
	if !f.Until.IsZero() {
		w.And("at < " + w.At(f.Until))
	}
	if len(f.Actions) > 0 {
		w.And("action IN " + In(w, f.Actions))
	}
	if len(f.Outcomes) > 0 {
		w.And("outcome IN " + In(w, f.Outcomes))
	}
	for _, c := range [...]struct{ column, value string }{
		{"code", string(f.Code)},
		{"actor_kind", f.ActorKind},
		{"actor_id", f.Actor},
		{"target_kind", f.TargetKind},
		{"target_id", f.Target},
		{"shop", f.Shop},
		{"user_name", f.User},
		{"device", f.Device},
		{"session", f.Session},
		{"trace", f.Trace},
		{"consumer", f.Consumer},
		{"reference", f.Reference},
		{"address", f.Address},
		{"node", f.Node},
	} {
		if c.value != "" {
			w.And(c.column + " = " + w.Arg(Clean(c.value)))
		}
	}
	if f.Correlation != "" {
		w.And(strings.ReplaceAll(w.d.Same, "%", w.Arg(Lower(Clean(f.Correlation)))))
	}
	w.ids(f)
	if f.Text != "" {
		w.text(f.Text)
	}
}

func (w *Where) ids(f *store.AuditFilter) {
	if !f.Stream.IsZero() {
		w.And("stream = " + w.Arg(w.d.ID(f.Stream)) + w.d.IDType)
	}
	if !f.Transaction.IsZero() {
		w.And("transaction_id = " + w.Arg(w.d.ID(f.Transaction)) + w.d.IDType)
	}
	if f.Seq != 0 {
		seq := w.Arg(f.Seq)
		w.And("first_seq <= " + seq + " AND last_seq >= " + seq)
	}
}

// searched are the columns that Text looks into.
var searched = [...]string{
	"action", "code", "target_kind", "target_id", "shop", "user_name", "device", "session", "app_version", "correlation", "traceparent",
	"consumer", "reference", "details",
}

func (w *Where) text(part string) {
	arg := w.Arg(Lower(Clean(part)))
	all := make([]string, len(searched))
	for i, column := range searched {
		all[i] = w.d.Part + "(" + strings.ReplaceAll(w.d.Fold, "%", column) + ", " + arg + ") > 0"
	}
	w.And("(" + strings.Join(all, " OR ") + ")")
}

// Lower folds ASCII letters only, as every database can.
func Lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// Page is the SELECT of a page of events.
func (d *Dialect) Page(p *store.AuditPage) (statement string, args []any) {
	w := d.Begin()
	w.Filter(&p.Filter)
	compare, order := ">", ""
	if p.Descending {
		compare, order = "<", " DESC"
	}
	if p.After != nil {
		at := w.Arg(d.Time(p.After.At))
		// The first half lets PostgreSQL leave partitions out.
		w.And("at " + compare + "= " + at + " AND (at, position) " + compare + " (" + at + ", " + w.Arg(p.After.Position) + ")")
	}
	limit := w.Arg(int64(min(max(p.Limit, 1), 10_000)))
	return "SELECT " + Selected() + " FROM audit_events" + w.String() + " ORDER BY at" + order + ", position" + order + " LIMIT " + limit, w.Args
}

// Tally is the SELECT of a tally in no order: shop, events, sessions, transactions, failures.
func (d *Dialect) Tally(t *store.ShopWindow) (statement string, args []any) {
	w := d.Begin()
	counted := In(w, []holdfast.AuditAction{holdfast.ActionAccepted, holdfast.ActionResent})
	failed := w.Arg(string(holdfast.OutcomeSuccess))
	w.And("at >= " + w.At(t.From))
	w.And("at < " + w.At(t.To))
	switch {
	case !t.Others:
		w.And("coalesce(shop, '') IN " + In(w, t.Shops))
	case len(t.Shops) > 0:
		w.And("coalesce(shop, '') NOT IN " + In(w, t.Shops))
	}
	return `SELECT coalesce(shop, '') AS s, count(*), count(DISTINCT session),
  CAST(coalesce(sum(last_seq - first_seq + 1) FILTER (WHERE action IN ` + counted + `), 0) AS bigint),
  count(*) FILTER (WHERE outcome IS NULL OR outcome <> ` + failed + `) FROM audit_events` + w.String() + ` GROUP BY s`, w.Args
}

// Open is the SELECT of open transactions: shop, stream, seq, at.
func (d *Dialect) Open(q *store.OpenQuery) (statement string, args []any) {
	w := d.Begin()
	opened, closed, before := In(w, q.Opened), In(w, q.Closed), w.At(q.Before)
	limit := w.Arg(int64(max(q.Limit, 0)))
	return `
SELECT shop, stream, first_seq, at FROM (
  SELECT coalesce(o.shop, '') AS shop, o.stream, o.first_seq, o.at, row_number() OVER (PARTITION BY o.stream, o.first_seq ORDER BY o.at, o.position) AS nth
  FROM audit_events o WHERE o.transaction_id IS NOT NULL AND o.action IN ` + opened + ` AND o.at < ` + before + `
  AND NOT EXISTS (
    SELECT 1 FROM audit_events c WHERE c.transaction_id IS NOT NULL AND c.stream = o.stream AND c.first_seq = o.first_seq
    AND c.action IN ` + closed + ` AND c.at < ` + before + ` AND (c.at, c.position) > (o.at, o.position))
) openings WHERE nth = 1 ORDER BY at, stream, first_seq LIMIT ` + limit, w.Args
}
