package attachment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
)

// flush is one part's worth of octets that is to be kept: in the spool, behind room for the loose ones before it.
type flush struct {
	*session
	spooled    *spooled
	loose, got int64
	sum        hash.Hash // behind the octets
	loaded     bool      // the loose ones are in the spool too
	done       []piece   // stand in a part now
}

// keep puts the octets into the upload's site, as a part if they are enough for one, else as a piece.
func (f *flush) keep(ctx context.Context) error {
	err := f.atSite(ctx, func(site objectstore.Store) error {
		if f.loose+f.got < max(site.MinPart(), f.Size/mostParts) {
			return f.putPiece(ctx, site)
		}
		if err := f.load(ctx, site); err != nil {
			return err
		}
		return f.putPart(ctx, site)
	})
	if err != nil {
		return err
	}
	f.Offset += f.got
	f.ExpiresAt = f.s.until(f.Upload)
	f.session.sum = f.sum
	if err := f.save(ctx, f.sum); err != nil {
		return err
	}
	f.tidy(ctx)
	return nil
}

// tidy takes pieces away that stand in a part, once the row says so.
func (f *flush) tidy(ctx context.Context) {
	if site, ok := f.s.Sites.At(f.Site); ok {
		for _, p := range f.done {
			_ = site.Remove(ctx, p.Name) // what stays is swept
		}
	}
}

// tries of one site, and the pause before the second.
const (
	tries = 3
	pause = 200 * time.Millisecond
)

// atSite has something done in the upload's site; while nothing is kept, in the first that does it. When
// the site with what is kept is lost, and there is another one, the upload begins anew.
func (f *flush) atSite(ctx context.Context, do func(objectstore.Store) error) error {
	if f.Site == "" {
		return f.anySite(ctx, do)
	}
	var err error
	for n := range tries {
		site, ok := f.s.Sites.At(f.Site)
		if !ok {
			err = objectstore.ErrNotFound // it is not in the settings any more
			break
		}
		if err = do(site); err == nil || !errors.Is(err, objectstore.ErrUnavailable) || !f.s.Sites.Up(f.Site) {
			break
		}
		select {
		case <-ctx.Done():
			return explain(ctx.Err())
		case <-time.After(pause << n):
		}
	}
	switch {
	case errors.Is(err, objectstore.ErrNotFound):
		return f.lost(ctx, err)
	case errors.Is(err, objectstore.ErrUnavailable) && !f.s.Sites.Up(f.Site) && f.another(ctx):
		return f.lost(ctx, err)
	}
	return explain(err)
}

func (f *flush) anySite(ctx context.Context, do func(objectstore.Store) error) error {
	failed := objectstore.ErrUnavailable
	for _, at := range f.s.Sites.Order() {
		site, ok := f.s.Sites.At(at)
		if !ok {
			continue
		}
		f.state = state{}
		err := do(site)
		if err == nil {
			f.Site = at
			return nil
		}
		if f.state.Assembly != "" {
			_ = site.Abort(ctx, f.state.Name, f.state.Assembly) // else it is swept
		}
		if !errors.Is(err, objectstore.ErrUnavailable) || ctx.Err() != nil {
			return explain(err)
		}
		failed = err
	}
	return explain(failed)
}

// pingWithin bounds the question whether a site is up.
const pingWithin = 2 * time.Second

// another says whether a site is up that is not the upload's. It is asked: what was kept is given up only for one that is
// known to be better.
func (f *flush) another(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	for _, at := range f.s.Sites.Names() {
		if site, ok := f.s.Sites.At(at); ok && at != f.Site && f.s.Sites.Up(at) && site.Ping(ctx) == nil {
			return true
		}
	}
	return false
}

// lost begins the upload anew: what was kept can't be had.
func (f *flush) lost(ctx context.Context, cause error) error {
	f.s.Logger.WithContext(ctx).WithError(cause).WithField("upload", f.ID.String()).WithField("site", f.Site).
		WithField("offset", f.Offset).Warn("an upload begins anew: the site that holds its parts is lost")
	f.s.Counted(Count{What: "restarted", Site: f.Site, Bytes: f.Offset})
	left := f.Upload
	f.Offset, f.Site, f.state, f.session.sum = 0, "", state{}, sha256.New()
	if err := f.save(ctx, f.session.sum); err != nil {
		return err
	}
	f.s.clean(ctx, left) // it may only have forgotten; else it is swept when it comes back
	return &holdfast.Error{
		Code: holdfast.CodeUploadInterrupted, RetryAfter: time.Second, Err: cause,
		Detail: "The site that held the octets so far is lost. Ask for the offset: the upload begins anew at another site.",
	}
}

func (f *flush) putPiece(ctx context.Context, site objectstore.Store) error {
	digest, err := f.spooled.digest(f.loose, f.got)
	if err != nil {
		return err
	}
	p := piece{Name: fmt.Sprintf("%s%s/%d-%d", objectstore.Transient, f.ID, f.Generation, f.pieces), Size: f.got, Digest: holdfast.Hash(digest)}
	f.pieces++
	if err := site.Put(ctx, p.Name, p.Size, digest, f.spooled.octets(f.loose, f.got)); err != nil {
		return err
	}
	f.state.Pieces = append(f.state.Pieces, p)
	return nil
}

// begin opens the assembly. A site that holds something else under the name could never complete it.
func (f *flush) begin(ctx context.Context, site objectstore.Store) error {
	name := fmt.Sprintf("%s%s/whole-%d", objectstore.Transient, f.ID, f.Generation) // who was overtaken may have made another
	if f.Announced != (holdfast.Hash{}) {
		name = ObjectName(f.Announced)
		if size, digest, err := hashOf(ctx, site, name); err == nil && (digest != f.Announced || size != f.Size) {
			return fmt.Errorf("%w: a damaged object has the name", objectstore.ErrUnavailable)
		}
	}
	id, err := site.Begin(ctx, name)
	if err == nil {
		f.state.Name, f.state.Assembly, f.state.Next = name, id, 1
	}
	return err
}

// putPart puts the loose octets, which are loaded, and the new ones as one part.
func (f *flush) putPart(ctx context.Context, site objectstore.Store) error {
	if f.state.Assembly == "" {
		if err := f.begin(ctx, site); err != nil {
			return err
		}
	}
	size := f.loose + f.got
	digest, err := f.spooled.digest(0, size)
	if err != nil {
		return err
	}
	part, err := site.PutPart(ctx, f.state.Name, f.state.Assembly, f.state.Next, size, digest, f.spooled.octets(0, size))
	if err != nil {
		return err
	}
	f.done, f.state.Pieces = f.state.Pieces, nil
	f.state.Parts = append(f.state.Parts, part)
	f.state.Next++
	return nil
}

// load brings the loose octets into the spool, in front of the new ones.
func (f *flush) load(ctx context.Context, site objectstore.Store) error {
	if f.loaded {
		return nil
	}
	var offset int64
	for _, p := range f.state.Pieces {
		r, _, err := site.Get(ctx, p.Name, 0, -1)
		if err != nil {
			return err
		}
		h := sha256.New()
		n, err := f.spooled.fill(r, offset, p.Size, h)
		_ = r.Close()
		switch {
		case errors.Is(err, errSpool):
			return full(err)
		case n < p.Size && !errors.Is(err, io.EOF):
			return objectstore.ErrUnavailable
		case holdfast.Hash(h.Sum(nil)) != p.Digest:
			return fmt.Errorf("%w: a piece is damaged", objectstore.ErrNotFound)
		}
		offset += p.Size
	}
	f.loaded = true
	return nil
}
