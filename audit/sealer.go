package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
