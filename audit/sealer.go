package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// The times of sealing.
const (
	// grace is how long after its end an hour is sealed: no statement runs for longer.
	grace = 2 * time.Minute
	// lateWithin is how far back is looked for rows that came after the seal.
	lateWithin = 48 * time.Hour
	// sealEvery is how often is looked for something to seal.
	sealEvery = time.Minute
	// recheck is how many of the last segments are looked for in every site after a start.
	recheck = 200
)

// SealerConfig is what a [Sealer] works with.
type SealerConfig struct {
	Store    Store
	Archives map[string]Archive // by site
	Key      ed25519.PrivateKey
	Node     string
	Logger   logrus.FieldLogger
	Now      func() time.Time
	// Every is how often is looked for something to seal; default 1 min.
	Every time.Duration
	// Retention is how long events are kept; 0: for ever.
	Retention time.Duration
	Redact    Redact
}

// Sealer seals closed hours, keeps every site's copy of the chain whole, and lets the
// store make room and let go of what is too old. Any number of nodes may run one; the
// database lets one at a time work.
type Sealer struct {
	SealerConfig
	once    sync.Once
	stop    context.CancelFunc
	done    chan struct{}
	missing map[string]map[int64]struct{} // by site: segments it may not have
}

// NewSealer makes one; Start begins its work.
func NewSealer(c SealerConfig) (*Sealer, error) {
	if c.Store == nil || c.Logger == nil {
		return nil, errors.New("audit: a store and a logger are needed")
	}
	if c.Key != nil && len(c.Archives) == 0 {
		return nil, errors.New("audit: segments need a place to be kept")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Every == 0 {
		c.Every = sealEvery
	}
	return &Sealer{SealerConfig: c, done: make(chan struct{}), missing: map[string]map[int64]struct{}{}}, nil
}

// Start begins to work in the background.
func (s *Sealer) Start() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.done)
		tick := time.NewTicker(s.Every)
		defer tick.Stop()
		for {
			if err := s.Round(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
				s.Logger.WithError(err).Warn("the audit log could not be sealed; it is tried again")
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Stop ends the work.
func (s *Sealer) Stop(ctx context.Context) {
	s.once.Do(s.stop)
	select {
	case <-s.done:
	case <-ctx.Done():
	}
}

// Round does everything that is due once.
func (s *Sealer) Round(ctx context.Context) error {
	_, err := s.Store.Sealing(ctx, func(ctx context.Context) error {
		if s.Key != nil {
			if err := s.sealDue(ctx); err != nil {
				return err
			}
		}
		return s.maintain(ctx)
	})
	return err
}

func (s *Sealer) maintain(ctx context.Context) error {
	var before time.Time
	if s.Retention > 0 {
		before = s.Now().Add(-s.Retention).UTC()
	}
	released, err := s.Store.Maintain(ctx, before)
	if err != nil || len(released) == 0 {
		return err
	}
	details, _ := json.Marshal(map[string]any{"released": released, "before": before})
	e := s.event(holdfast.ActionAuditReleased)
	e.Details = details
	return s.Store.Record(ctx, []holdfast.AuditEvent{e})
}

func (s *Sealer) event(action holdfast.AuditAction) holdfast.AuditEvent {
	return holdfast.AuditEvent{
		ID: holdfast.NewID(s.Now()), Action: action, Outcome: holdfast.OutcomeSuccess, Node: s.Node,
		Actor: holdfast.AuditActor{Kind: "system", ID: "sealer"}, Target: holdfast.AuditTarget{Kind: "audit-log", ID: "segments"},
	}
}

// sealDue seals every closed hour that is not, then what came late.
func (s *Sealer) sealDue(ctx context.Context) error {
	chain, err := s.tail(ctx)
	if err != nil {
		return err
	}
	closed := s.Now().Add(-grace).UTC().Truncate(time.Hour)
	from := chain.next
	if from.IsZero() {
		if from, err = s.Store.FirstEvent(ctx); errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		from = from.UTC().Truncate(time.Hour)
	}
	for from.Before(closed) {
		if from, err = s.sealHour(ctx, &chain, from, closed); err != nil {
			return err
		}
	}
	if err := s.backfill(ctx, &chain, closed); err != nil {
		return err
	}
	return s.replicate(ctx, chain.last.Number)
}

// chain is the end of the chain as the database knows it.
type chain struct {
	last holdfast.AuditSegment
	next time.Time // the first hour that is not sealed; zero: none is
	// recent are the manifests that may be of hours within lateWithin.
	recent []manifest
}

func (s *Sealer) tail(ctx context.Context) (c chain, err error) {
	c.last, err = s.Store.LastSegment(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	} else if err != nil {
		return c, err
	}
	const page = 100
	edge := s.Now().Add(-lateWithin)
	for from := c.last.Number; from > 0; {
		begin := max(1, from-page+1)
		segments, err := s.Store.Segments(ctx, begin, int(from-begin+1))
		if err != nil {
			return c, err
		}
		for _, segment := range slices.Backward(segments) {
			var m manifest
			first, _ := cutLine(segment.Manifest)
			if err := json.Unmarshal(first, &m); err != nil {
				return c, fmt.Errorf("the manifest of segment %d: %w", segment.Number, err)
			}
			if m.Kind == kindHour && m.Until.After(c.next) {
				c.next = m.Until.UTC()
			}
			c.recent = append(c.recent, m)
			if m.Kind == kindHour && m.Until.Before(edge) {
				return c, nil
			}
		}
		from = begin - 1
	}
	return c, nil
}

func cutLine(b []byte) (line, rest []byte) {
	for i, c := range b {
		if c == '\n' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// sealHour seals one hour, or several in which nothing happened, and answers what is next.
func (s *Sealer) sealHour(ctx context.Context, c *chain, from, closed time.Time) (time.Time, error) {
	until := from.Add(time.Hour)
	rows, err := s.rows(ctx, from, until)
	if err != nil {
		return from, err
	}
	if len(rows) == 0 {
		if until, err = s.quietUntil(ctx, until, closed); err != nil {
			return from, err
		}
	}
	m := manifest{Kind: kindHour, From: from, Until: until}
	if err := s.append(ctx, c, m, rows); err != nil {
		return from, err
	}
	return until, nil
}

// quietUntil is the first hour from until on in which something happened.
func (s *Sealer) quietUntil(ctx context.Context, until, closed time.Time) (time.Time, error) {
	next, err := s.Store.Events(ctx, store.AuditPage{Filter: store.AuditFilter{Since: until}, Limit: 1})
	switch {
	case err != nil:
		return until, err
	case len(next) == 0 || next[0].At.After(closed):
		return closed, nil
	}
	return next[0].At.UTC().Truncate(time.Hour), nil
}

func (s *Sealer) rows(ctx context.Context, from, until time.Time) ([]row, error) {
	var rows []row
	for e, err := range all(ctx, s.Store, store.AuditFilter{Since: from, Until: until}) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, rowOf(&e))
	}
	return rows, nil
}

// append signs a segment, keeps it in at least one site, and records it.
func (s *Sealer) append(ctx context.Context, c *chain, m manifest, rows []row) error {
	m.Segment, m.SealedAt, m.Node = c.last.Number+1, s.Now().UTC(), s.Node
	m.Previous = hex.EncodeToString(c.last.Hash[:])
	name := SegmentName(m.Segment)
	octets, head, err := seal(m, rows, s.Key)
	if err != nil {
		return err
	}
	// A node that died between the archive and the database left its segment there: it
	// is taken over, since what is archived can't be changed.
	if old := s.left(ctx, name, m); old != nil {
		octets = old
		_, rest := cutLine(octets)
		_, body := cutLine(rest)
		head = len(octets) - len(body)
	}
	if err := s.keep(ctx, m.Segment, name, octets); err != nil {
		return err
	}
	segment := holdfast.AuditSegment{
		Number: m.Segment, Hour: m.From, Backfill: m.Kind == kindBackfill, Rows: int64(len(rows)),
		Hash: sha256.Sum256(octets), Previous: c.last.Hash, Manifest: octets[:head], SealedAt: m.SealedAt,
	}
	e := s.event(holdfast.ActionAuditSealed)
	e.Target.ID = fmt.Sprint(m.Segment)
	details, _ := json.Marshal(map[string]any{"kind": m.Kind, "from": m.From, "until": m.Until, "rows": len(rows)})
	e.Details = details
	if err := s.Store.AppendSegment(ctx, segment, e); err != nil {
		return fmt.Errorf("segment %d: %w", m.Segment, err)
	}
	c.last = segment
	m.Rows = int64(len(rows))
	c.recent = append(c.recent, m)
	return nil
}

// left is an archived segment of this number that continues the same chain for the same hours.
func (s *Sealer) left(ctx context.Context, name string, m manifest) []byte {
	public, _ := s.Key.Public().(ed25519.PublicKey)
	for _, site := range slices.Sorted(maps.Keys(s.Archives)) {
		octets, err := s.Archives[site].Get(ctx, name)
		if err != nil {
			continue
		}
		if o, err := openSegment(octets, []ed25519.PublicKey{public}); err == nil && o.Previous == m.Previous && o.Kind == m.Kind && o.From.Equal(m.From) && o.Until.Equal(m.Until) {
			return octets
		}
	}
	return nil
}

// keep puts a segment into every site; one that can't take it now gets it later.
func (s *Sealer) keep(ctx context.Context, number int64, name string, octets []byte) error {
	var failures []error
	for _, site := range slices.Sorted(maps.Keys(s.Archives)) {
		if err := s.Archives[site].Put(ctx, name, octets); err != nil {
			failures = append(failures, fmt.Errorf("site %s: %w", site, err))
			s.lacks(site)[number] = struct{}{}
		}
	}
	if len(failures) == len(s.Archives) {
		return errors.Join(failures...)
	}
	for _, err := range failures {
		s.Logger.WithError(err).WithField("segment", number).Warn("a site does not take a segment; it gets it later")
	}
	return nil
}

func (s *Sealer) lacks(site string) map[int64]struct{} {
	if s.missing[site] == nil {
		s.missing[site] = map[int64]struct{}{}
	}
	return s.missing[site]
}

// replicate copies to each site what it lacks.
func (s *Sealer) replicate(ctx context.Context, last int64) error {
	for site, archive := range s.Archives {
		if _, looked := s.missing[site]; !looked {
			for n := max(1, last-recheck+1); n <= last; n++ {
				s.lacks(site)[n] = struct{}{}
			}
		}
		for _, number := range slices.Sorted(maps.Keys(s.missing[site])) {
			if err := s.copyTo(ctx, archive, SegmentName(number)); err != nil {
				s.Logger.WithError(err).WithField("site", site).Warn("a site does not take a segment; it gets it later")
				break
			}
			delete(s.missing[site], number)
		}
	}
	return nil
}

func (s *Sealer) copyTo(ctx context.Context, to Archive, name string) error {
	if _, err := to.Get(ctx, name); err == nil || !errors.Is(err, ErrNoObject) {
		return err
	}
	for _, from := range s.Archives {
		if octets, err := from.Get(ctx, name); err == nil {
			return to.Put(ctx, name, octets)
		}
	}
	return fmt.Errorf("%s: %w", name, ErrNoObject)
}

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

// fetch reads a segment from the first site that has it whole.
func fetch(ctx context.Context, archives map[string]Archive, number int64, keys []ed25519.PublicKey) (*opened, error) {
	failure := ErrNoObject
	for _, site := range slices.Sorted(maps.Keys(archives)) {
		octets, err := archives[site].Get(ctx, SegmentName(number))
		if err != nil {
			failure = err
			continue
		}
		o, err := openSegment(octets, keys)
		if err == nil {
			return o, nil
		}
		failure = err
	}
	return nil, fmt.Errorf("segment %d: %w", number, failure)
}
