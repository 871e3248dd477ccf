package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// VerifyConfig says what is to be compared.
type VerifyConfig struct {
	Store    Store
	Archives map[string]Archive
	Keys     []ed25519.PublicKey
	// Since and Until bound the hours whose rows are compared; the chain is always checked whole.
	Since, Until time.Time
	Now          func() time.Time
	// Progress is told of each segment; nil: nobody.
	Progress func(segment, last int64, hour time.Time)
}

// What a [Finding] may be.
const (
	FoundChanged  = "changed"  // an event is not as it was sealed
	FoundRemoved  = "removed"  // a sealed event is gone
	FoundInserted = "inserted" // an event stands in a sealed hour and in no segment
	FoundChain    = "chain"    // a segment is missing, forged, or does not continue the one before
	FoundSite     = "site"     // a site lacks a segment, or has another
	FoundUnsealed = "unsealed" // a closed hour has no segment
	FoundReleased = "released" // events were let go by retention; told, no fault
	FoundLate     = "late"     // events were sealed after their hour had been; told, no fault
)

// Finding is something that was noticed.
type Finding struct {
	Kind     string    `json:"kind"`
	Hour     time.Time `json:"hour,omitzero"`
	Segment  int64     `json:"segment,omitempty"`
	Position int64     `json:"position,omitempty"`
	Event    string    `json:"event,omitempty"`
	Site     string    `json:"site,omitempty"`
	Detail   string    `json:"detail"`
}

// Fault says whether a finding means that something is wrong.
func (f Finding) Fault() bool { return f.Kind != FoundReleased && f.Kind != FoundLate }

// Verification is the result of [Verify].
type Verification struct {
	Segments int64     `json:"segments"`
	Rows     int64     `json:"rows"` // sealed events that were compared
	Sealed   time.Time `json:"sealedThrough,omitzero"`
	Last     string    `json:"lastHash,omitempty"` // write it down elsewhere: it fixes all before
	Findings []Finding `json:"findings"`
}

// OK says that there is no fault.
func (v Verification) OK() bool {
	return !slices.ContainsFunc(v.Findings, Finding.Fault)
}

// maxFindings bounds what is told.
const maxFindings = 10_000

// Verify compares the chain of segments in the archives with the events in the
// database. An error says that something could not be looked at.
func Verify(ctx context.Context, c VerifyConfig) (Verification, error) {
	if len(c.Keys) == 0 || len(c.Archives) == 0 {
		return Verification{}, errors.New("audit: nothing can be verified without keys and archives")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	v := &verifier{VerifyConfig: c, Verification: Verification{Findings: []Finding{}}, hours: map[time.Time]*sealedHours{}}
	if err := v.run(ctx); err != nil {
		return v.Verification, err
	}
	return v.Verification, nil
}

type verifier struct {
	VerifyConfig
	Verification
	hours    map[time.Time]*sealedHours // by the first hour
	released time.Time
}

// sealedHours are the hours of one segment, and the backfills that belong to them.
type sealedHours struct {
	from, until time.Time
	segments    []int64
}

func (v *verifier) found(f Finding) {
	if len(v.Findings) < maxFindings {
		v.Findings = append(v.Findings, f)
	}
}

func (v *verifier) run(ctx context.Context) error {
	if err := v.readReleased(ctx); err != nil {
		return err
	}
	if err := v.chain(ctx); err != nil {
		return err
	}
	for _, from := range slices.SortedFunc(maps.Keys(v.hours), time.Time.Compare) {
		if err := v.compare(ctx, v.hours[from]); err != nil {
			return err
		}
	}
	return v.unsealed(ctx)
}

// readReleased finds how far retention has let go, as the log itself tells.
func (v *verifier) readReleased(ctx context.Context) error {
	for e, err := range all(ctx, v.Store, store.AuditFilter{Actions: []holdfast.AuditAction{holdfast.ActionAuditReleased}}) {
		if err != nil {
			return err
		}
		var d struct {
			Before time.Time `json:"before"`
		}
		if json.Unmarshal(e.Details, &d) == nil && d.Before.After(v.released) {
			v.released = d.Before
		}
	}
	return nil
}

// chain reads every segment in order.
func (v *verifier) chain(ctx context.Context) error {
	recorded := int64(0)
	last, err := v.Store.LastSegment(ctx)
	if err == nil {
		recorded = last.Number
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	previous := hex.EncodeToString(make([]byte, 32))
	through := time.Time{}
	for number := int64(1); ; number++ {
		o, err := v.segment(ctx, number, recorded)
		if err != nil {
			return err
		}
		if o == nil {
			if number > recorded {
				return nil
			}
			v.found(Finding{Kind: FoundChain, Segment: number, Detail: "the segment is in no site, or in none as it was sealed"})
			previous = ""
			continue
		}
		if previous != "" && o.Previous != previous || o.Segment != number {
			v.found(Finding{Kind: FoundChain, Segment: number, Hour: o.From, Detail: "it does not continue the segment before"})
		}
		if o.Kind == kindHour && !through.IsZero() && !o.From.Equal(through) {
			v.found(Finding{Kind: FoundChain, Segment: number, Hour: o.From, Detail: "hours before it were left out"})
		}
		previous = hex.EncodeToString(o.hash[:])
		v.Segments, v.Last = number, previous
		v.note(o, &through)
		if v.Progress != nil {
			v.Progress(number, recorded, o.From)
		}
		if err := v.recorded(ctx, o, recorded); err != nil {
			return err
		}
	}
}

// note keeps which hours a segment is about.
func (v *verifier) note(o *opened, through *time.Time) {
	if o.Kind == kindHour {
		*through, v.Sealed = o.Until, o.Until
		v.hours[o.From.UTC()] = &sealedHours{o.From, o.Until, []int64{o.Segment}}
		return
	}
	v.found(Finding{Kind: FoundLate, Segment: o.Segment, Hour: o.From, Detail: fmt.Sprintf("%d events came after their hour had been sealed, at %s", o.Rows, o.SealedAt.Format(time.RFC3339))})
	for _, h := range v.hours {
		if !o.From.Before(h.from) && o.From.Before(h.until) {
			h.segments = append(h.segments, o.Segment)
		}
	}
}

// segment reads one from every site; nil when none has it as it was sealed.
func (v *verifier) segment(ctx context.Context, number, recorded int64) (whole *opened, err error) {
	absent := []string{}
	for _, site := range slices.Sorted(maps.Keys(v.Archives)) {
		octets, err := v.Archives[site].Get(ctx, SegmentName(number))
		if errors.Is(err, ErrNoObject) {
			absent = append(absent, site)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("site %s: %w", site, err)
		}
		o, err := openSegment(octets, v.Keys)
		switch {
		case err != nil:
			v.found(Finding{Kind: FoundChain, Segment: number, Site: site, Detail: err.Error()})
		case whole == nil:
			whole = o
		case whole.hash != o.hash:
			v.found(Finding{Kind: FoundSite, Segment: number, Site: site, Hour: o.From, Detail: "the sites hold two different segments"})
		}
	}
	if whole != nil || number <= recorded {
		for _, site := range absent {
			v.found(Finding{Kind: FoundSite, Segment: number, Site: site, Detail: "the site does not have it"})
		}
	}
	return whole, nil
}

// recorded compares a segment with the database's record of it.
func (v *verifier) recorded(ctx context.Context, o *opened, last int64) error {
	if o.Segment > last {
		v.found(Finding{Kind: FoundChain, Segment: o.Segment, Hour: o.From, Detail: "the database does not know it"})
		return nil
	}
	known, err := v.Store.Segments(ctx, o.Segment, 1)
	if err != nil {
		return err
	}
	if len(known) != 1 || known[0].Number != o.Segment || known[0].Hash != o.hash {
		v.found(Finding{Kind: FoundChain, Segment: o.Segment, Hour: o.From, Detail: "the database has another record of it"})
	}
	return nil
}

// compare compares the events of some hours with their segments.
func (v *verifier) compare(ctx context.Context, h *sealedHours) error {
	if !v.Since.IsZero() && !h.until.After(v.Since) || !v.Until.IsZero() && !h.from.Before(v.Until) {
		return nil
	}
	sealed := map[int64]row{}
	for _, number := range h.segments {
		o, err := fetch(ctx, v.Archives, number, v.Keys)
		if err != nil {
			return err
		}
		for _, r := range o.rows {
			sealed[r.position] = r
		}
	}
	v.Rows += int64(len(sealed))
	for e, err := range all(ctx, v.Store, store.AuditFilter{Since: h.from, Until: h.until}) {
		if err != nil {
			return err
		}
		r, ok := sealed[e.Position]
		hour := e.At.UTC().Truncate(time.Hour)
		switch {
		case !ok:
			v.found(Finding{Kind: FoundInserted, Hour: hour, Position: e.Position, Event: e.ID.String(), Detail: "the event is in no segment"})
		case r != rowOf(&e):
			v.found(Finding{Kind: FoundChanged, Hour: hour, Segment: h.segments[0], Position: e.Position, Event: r.id.String(), Detail: "the event is not as it was sealed"})
		}
		delete(sealed, e.Position)
	}
	if len(sealed) > 0 && !h.until.After(v.released) {
		v.found(Finding{Kind: FoundReleased, Hour: h.from, Segment: h.segments[0], Detail: fmt.Sprintf("%d events were let go by retention", len(sealed))})
		return nil
	}
	for _, position := range slices.Sorted(maps.Keys(sealed)) {
		v.found(Finding{Kind: FoundRemoved, Hour: h.from, Segment: h.segments[0], Position: position, Event: sealed[position].id.String(), Detail: "the sealed event is gone"})
	}
	return nil
}

// unsealed finds hours that were closed long ago and have events but no segment.
func (v *verifier) unsealed(ctx context.Context) error {
	edge := v.Now().Add(-2 * time.Hour).UTC().Truncate(time.Hour)
	since := v.Sealed
	if since.IsZero() {
		first, err := v.Store.FirstEvent(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		since = first.UTC().Truncate(time.Hour)
	}
	if !since.Before(edge) {
		return nil
	}
	counts, err := v.Store.CountRows(ctx, since, edge)
	if err != nil {
		return err
	}
	for _, hour := range slices.SortedFunc(maps.Keys(counts), time.Time.Compare) {
		v.found(Finding{Kind: FoundUnsealed, Hour: hour, Detail: fmt.Sprintf("%d events are in no segment", counts[hour])})
	}
	return nil
}
