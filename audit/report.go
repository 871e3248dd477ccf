package audit

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

const (
	maxAffected  = 1000
	maxTopErrors = 10
	maxOpen      = 100_000
	comparedDays = 7
)

// Daily makes the report of a date, for one store or (shop empty) for all of them,
// and records that it was read.
func (l *Log) Daily(ctx context.Context, date time.Time, shop string) (holdfast.AuditReport, error) {
	if err := l.recordRead(ctx, "report", map[string]any{"date": date.Format(time.DateOnly), "store": shop}); err != nil {
		return holdfast.AuditReport{}, err
	}
	r := holdfast.AuditReport{Date: date.Format(time.DateOnly), Complete: true, Stores: []holdfast.ShopDay{}}
	for _, z := range l.windows(shop) {
		days, err := l.zoneDay(ctx, date, z)
		if err != nil {
			return holdfast.AuditReport{}, unavailable(err)
		}
		r.Stores = append(r.Stores, days...)
	}
	slices.SortFunc(r.Stores, func(a, b holdfast.ShopDay) int { return cmp.Compare(a.Store, b.Store) })
	for i := range r.Stores {
		r.Complete = r.Complete && r.Stores[i].Complete
	}
	return r, nil
}

// zoned are the shops that share a time zone.
type zoned struct {
	zone   *time.Location
	shops  []string
	others bool
	asked  bool // for this one shop
}

// windows splits the shops by time zone.
func (l *Log) windows(shop string) []zoned {
	if shop != "" {
		return []zoned{{zone: l.Zones.of(shop), shops: []string{shop}, asked: true}}
	}
	byZone := map[string]*zoned{}
	var named []string
	for _, shop := range slices.Sorted(maps.Keys(l.Zones.Shops)) {
		zone := l.Zones.Shops[shop]
		if byZone[zone.String()] == nil {
			byZone[zone.String()] = &zoned{zone: zone}
		}
		byZone[zone.String()].shops = append(byZone[zone.String()].shops, shop)
		named = append(named, shop)
	}
	all := []zoned{{zone: l.Zones.of(""), shops: named, others: true}}
	for _, name := range slices.Sorted(maps.Keys(byZone)) {
		all = append(all, *byZone[name])
	}
	return all
}

func (z zoned) window(date time.Time, back int) store.ShopWindow {
	y, m, d := date.Date()
	return store.ShopWindow{
		From: time.Date(y, m, d-back, 0, 0, 0, 0, z.zone).UTC(), To: time.Date(y, m, d-back+1, 0, 0, 0, 0, z.zone).UTC(),
		Shops: z.shops, Others: z.others,
	}
}

func (z zoned) has(shop string) bool { return slices.Contains(z.shops, shop) != z.others }

// zoneDay makes the days of the shops of one zone.
func (l *Log) zoneDay(ctx context.Context, date time.Time, z zoned) ([]holdfast.ShopDay, error) {
	today := z.window(date, 0)
	days := map[string]*holdfast.ShopDay{}
	now := l.Now().UTC()
	of := func(shop string) *holdfast.ShopDay {
		if days[shop] == nil {
			days[shop] = &holdfast.ShopDay{
				Store: shop, TimeZone: z.zone.String(), From: today.From, To: today.To, Complete: now.After(today.To.Add(settling)),
				AffectedCorrelationIDs: []string{}, TopErrors: []holdfast.ErrorCount{},
			}
		}
		return days[shop]
	}
	if z.asked {
		of(z.shops[0])
	}
	for back := comparedDays; back >= 0; back-- {
		if err := l.countDay(ctx, z, z.window(date, back), back, of); err != nil {
			return nil, err
		}
	}
	if err := l.undelivered(ctx, z, today, now, of); err != nil {
		return nil, err
	}
	out := make([]holdfast.ShopDay, 0, len(days))
	for _, day := range days {
		for _, c := range []*float64{&day.Week.Events, &day.Week.Sessions, &day.Week.SessionsWithFailure, &day.Week.Transactions, &day.Week.Failures} {
			*c = math.Round(*c/comparedDays*100) / 100
		}
		out = append(out, *day)
	}
	return out, nil
}

// countDay adds one of the days to what it is compared with.
func (l *Log) countDay(ctx context.Context, z zoned, w store.ShopWindow, back int, of func(string) *holdfast.ShopDay) error {
	tallies, err := l.Store.Tally(ctx, w)
	if err != nil {
		return err
	}
	failures, err := l.failuresOf(ctx, z, w)
	if err != nil {
		return err
	}
	for _, t := range tallies {
		c := holdfast.DayCounts{Events: float64(t.Events), Sessions: float64(t.Sessions), Transactions: float64(t.Transactions), Failures: float64(t.Failures)}
		if f := failures[t.Shop]; f != nil {
			c.SessionsWithFailure = float64(len(f.sessions))
		}
		day := of(t.Shop)
		switch back {
		case 0:
			day.Day = c
			if f := failures[t.Shop]; f != nil {
				f.into(day)
			}
		case 1:
			day.DayBefore = c
			day.Week.Add(c)
		default:
			day.Week.Add(c)
		}
	}
	return nil
}

// failed is what went wrong in a shop on a day.
type failed struct {
	sessions, correlations map[string]struct{}
	codes                  map[string]int64
}

func (l *Log) failuresOf(ctx context.Context, z zoned, w store.ShopWindow) (map[string]*failed, error) {
	filter := store.AuditFilter{Since: w.From, Until: w.To, Outcomes: []holdfast.AuditOutcome{holdfast.OutcomeFailure, holdfast.OutcomeDenied}}
	if len(z.shops) == 1 && !z.others {
		filter.Shop = z.shops[0]
	}
	byShop := map[string]*failed{}
	for e, err := range all(ctx, l.Store, filter) {
		if err != nil {
			return nil, err
		}
		if !z.has(e.Context.Shop) {
			continue
		}
		f := byShop[e.Context.Shop]
		if f == nil {
			f = &failed{map[string]struct{}{}, map[string]struct{}{}, map[string]int64{}}
			byShop[e.Context.Shop] = f
		}
		if e.Context.Session != "" {
			f.sessions[e.Context.Session] = struct{}{}
		}
		if e.Context.Correlation != "" {
			f.correlations[e.Context.Correlation] = struct{}{}
		}
		f.codes[cmp.Or(string(e.Code), string(e.Action))] += repeats(&e)
	}
	return byShop, nil
}

func (f *failed) into(day *holdfast.ShopDay) {
	all := slices.Sorted(maps.Keys(f.correlations))
	day.Affected = len(all)
	day.AffectedCorrelationIDs = append(day.AffectedCorrelationIDs, all[:min(len(all), maxAffected)]...)
	for code, n := range f.codes {
		day.TopErrors = append(day.TopErrors, holdfast.ErrorCount{Code: code, Count: n})
	}
	slices.SortFunc(day.TopErrors, func(a, b holdfast.ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code))
	})
	day.TopErrors = day.TopErrors[:min(len(day.TopErrors), maxTopErrors)]
}

// undelivered counts what was open at the end of the day.
func (l *Log) undelivered(ctx context.Context, z zoned, w store.ShopWindow, now time.Time, of func(string) *holdfast.ShopDay) error {
	moment := w.To
	if now.Before(moment) {
		moment = now
	}
	open, err := l.Store.Open(ctx, store.OpenQuery{
		// Whatever is set aside waits for an operator; that another consumer has delivered it meanwhile changes nothing.
		Before: moment, Limit: maxOpen, Opened: []holdfast.AuditAction{holdfast.ActionQuarantined, holdfast.ActionHeld},
		Closed: []holdfast.AuditAction{holdfast.ActionRepaired, holdfast.ActionRetried, holdfast.ActionSkipped, holdfast.ActionFailed},
	})
	if err != nil {
		return err
	}
	for _, o := range open {
		if !z.has(o.Shop) {
			continue
		}
		day := of(o.Shop)
		if day.Undelivered == 0 {
			day.OldestUndeliveredSeconds = int64(moment.Sub(o.At).Seconds())
		}
		day.Undelivered++
	}
	return nil
}
