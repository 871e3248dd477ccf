package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
)

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
