package audit

import (
	"context"
	"crypto/ed25519"
	"maps"
	"slices"
	"time"
)

// backfill seals rows that came after their hour had been sealed.
func (s *Sealer) backfill(ctx context.Context, c *chain, closed time.Time) error {
	edge := s.Now().Add(-lateWithin).UTC().Truncate(time.Hour)
	counts, err := s.Store.CountRows(ctx, edge, closed)
	if err != nil {
		return err
	}
	sealed := map[time.Time]int64{}
	for _, m := range c.recent {
		sealed[m.From.UTC()] += m.Rows
	}
	for _, hour := range slices.SortedFunc(maps.Keys(counts), time.Time.Compare) {
		hour = hour.UTC()
		if counts[hour] <= sealed[hour] || !c.covers(hour) {
			continue
		}
		late, err := s.late(ctx, c, hour)
		if err != nil {
			return err
		}
		if len(late) == 0 {
			continue
		}
		if err := s.append(ctx, c, manifest{Kind: kindBackfill, From: hour, Until: hour.Add(time.Hour)}, late); err != nil {
			return err
		}
	}
	return nil
}

func (c *chain) covers(hour time.Time) bool {
	for _, m := range c.recent {
		if m.Kind == kindHour && !hour.Before(m.From) && hour.Before(m.Until) {
			return true
		}
	}
	return false
}

// late are the rows of an hour that no segment has.
func (s *Sealer) late(ctx context.Context, c *chain, hour time.Time) ([]row, error) {
	known := map[int64]struct{}{}
	public, _ := s.Key.Public().(ed25519.PublicKey)
	for _, m := range c.recent {
		if hour.Before(m.From) || !hour.Before(m.Until) || m.Rows == 0 {
			continue
		}
		o, err := fetch(ctx, s.Archives, m.Segment, []ed25519.PublicKey{public})
		if err != nil {
			return nil, err
		}
		for _, r := range o.rows {
			known[r.position] = struct{}{}
		}
	}
	rows, err := s.rows(ctx, hour, hour.Add(time.Hour))
	return slices.DeleteFunc(rows, func(r row) bool { _, ok := known[r.position]; return ok }), err
}
