package attachment

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

// Start begins the background work: further copies, and the sweeping of what nobody goes on with. Any
// number of nodes may do it on one database.
func (s *Service) Start() {
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.ended.Go(func() { s.work(ctx) })
}

// Stop ends the background work, at most when ctx is done.
func (s *Service) Stop(ctx context.Context) {
	if s.end == nil {
		return
	}
	s.end()
	done := make(chan struct{})
	go func() { s.ended.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// strayRounds is how many rounds pass between two looks for strays, which list a whole site.
const strayRounds = 240

func (s *Service) work(ctx context.Context) {
	for round := 1; ; round++ {
		// Nodes that were started together do not look together.
		next := time.NewTimer(s.Round/2 + rand.N(s.Round)) //nolint:gosec // a spread, no secret
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				next.Stop()
				return
			case digest := <-s.fresh:
				s.copyFresh(ctx, digest)
			case <-next.C:
				waiting = false
			}
		}
		s.Sweep(ctx)
		s.copySparse(ctx, copyGrace)
		if round%strayRounds == 0 {
			s.sweepStrays(ctx, s.strayAge(), nil)
		}
	}
}

// sweepAtOnce is how many rows are looked at, at a time.
const sweepAtOnce = 100

// Sweep takes away uploads whose end has passed, with what they left in their sites. One whose site can't be
// asked waits for it, at most as long as an upload may live.
func (s *Service) Sweep(ctx context.Context) {
	now := s.Now()
	waiting := 0
	for ctx.Err() == nil {
		ended, err := s.Store.ExpiredUploads(ctx, now, sweepAtOnce+waiting)
		if err != nil || len(ended) <= waiting {
			return
		}
		for _, u := range ended[waiting:] {
			if !s.sweep(ctx, u, now) {
				waiting++
			}
		}
	}
}

// sweep is false when the upload stays.
func (s *Service) sweep(ctx context.Context, u holdfast.Upload, now time.Time) bool {
	claimed, err := s.Store.ClaimUpload(ctx, u.ID, u.ExpiresAt) // somebody may just go on with it
	if err != nil {
		return errors.Is(err, store.ErrNotFound)
	}
	if claimed.ExpiresAt.After(now) {
		return true
	}
	if claimed.Finished == (holdfast.Hash{}) {
		if !s.clean(ctx, claimed) && claimed.ExpiresAt.Add(maxAge*s.Limits.Expiry).After(now) {
			return false
		}
		s.Counted(Count{What: "expired", Site: claimed.Site, Bytes: claimed.Offset})
	}
	return s.Store.DropUpload(ctx, claimed) == nil
}

// strayAge is how old something in a site must be to belong to no upload any more.
func (s *Service) strayAge() time.Duration { return (maxAge + 1) * s.Limits.Expiry }

// sweepStrays takes away what stands in sites for uploads that no row tells of: a request died between the
// two, or a failover lost the row. found is told of each; nil: nobody.
func (s *Service) sweepStrays(ctx context.Context, age time.Duration, found func(site, name string)) {
	before := s.Now().Add(-age)
	if found == nil {
		found = func(string, string) {}
	}
	for _, at := range s.Sites.Names() {
		site, ok := s.Sites.At(at)
		if !ok {
			continue
		}
		for a, err := range site.Assemblies(ctx, "") {
			if err != nil {
				break
			}
			if a.Began.Before(before) {
				found(at, a.Name)
				_ = site.Abort(ctx, a.Name, a.ID)
			}
		}
		for info, err := range site.List(ctx, objectstore.Transient, "") {
			if err != nil {
				break
			}
			if info.ModTime.Before(before) {
				found(at, info.Name)
				_ = site.Remove(ctx, info.Name)
			}
		}
	}
}

// copyFresh makes further copies of what was stored here a moment ago.
func (s *Service) copyFresh(ctx context.Context, digest holdfast.Hash) {
	if a, err := s.Store.Attachment(ctx, digest); err == nil {
		s.copy(ctx, a)
	}
}

// copyGrace leaves what is fresh to the node that stored it.
const copyGrace = 20 * time.Second

// copySparse makes further copies of all that have too few, and are old enough.
func (s *Service) copySparse(ctx context.Context, grace time.Duration) {
	if s.Copies < 2 {
		return
	}
	var after holdfast.Hash
	for ctx.Err() == nil {
		page, err := s.Store.Sparse(ctx, s.Copies, after, sweepAtOnce)
		if err != nil || len(page) == 0 {
			return
		}
		after = page[len(page)-1].Digest
		rand.Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] }) //nolint:gosec // nodes at work together begin at different ones
		for _, a := range page {
			if s.Now().Sub(a.StoredAt) >= grace {
				s.copyFresh(ctx, a.Digest) // which looks again what others have done
			}
		}
	}
}

// copy makes the copies that are wanted, as far as sites are up.
func (s *Service) copy(ctx context.Context, a holdfast.Attachment) {
	for _, at := range s.Sites.Order() {
		if len(a.Sites) >= s.Copies || ctx.Err() != nil {
			return
		}
		site, ok := s.Sites.At(at)
		if !ok || slices.Contains(a.Sites, at) || !s.Sites.Up(at) {
			continue
		}
		err := s.Sites.CopyTo(ctx, ObjectName(a.Digest), a.Size, objectstore.Digest(a.Digest), at, a.Sites...)
		if errors.Is(err, objectstore.ErrExists) {
			err = s.isWhole(ctx, site, at, a)
		}
		if err == nil {
			more := a
			more.Sites = []string{at}
			_, err = s.Store.KeepAttachment(ctx, more, s.event(ctx, holdfast.ActionAttached, a.Digest))
		}
		if err != nil {
			s.Logger.WithError(err).WithField("sha256", a.Digest.String()).WithField("site", at).Warn("a further copy of an attachment could not be made; it is tried again")
			continue
		}
		s.Counted(Count{What: "copied", Site: at, Bytes: a.Size})
		a.Sites = append(a.Sites, at)
	}
}
