package sites

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// Open reads where places say, then everywhere else. When a site fails, stands still or ends too early in the middle, the
// reader goes on at another one. [objectstore.ErrNotFound] when every site was asked and has no such object,
// [objectstore.ErrUnavailable] when none gave it and one could not be asked.
func (s *Sites) Open(ctx context.Context, name string, offset, length int64, places ...string) (io.ReadCloser, objectstore.Info, error) {
	return s.open(ctx, name, offset, length, "", places...)
}

// open leaves one site out.
func (s *Sites) open(ctx context.Context, name string, offset, length int64, without string, places ...string) (io.ReadCloser, objectstore.Info, error) {
	r := &reader{s: s, ctx: ctx, name: name, at: offset, without: without, places: places}
	info, err := r.next(length, "")
	if err != nil {
		return nil, info, err
	}
	r.end = info.Size
	if length >= 0 && length < info.Size-offset { // else the sum may be more than there is room for
		r.end = offset + length
	}
	return r, info, nil
}

// reader reads an object from whichever site gives it.
type reader struct {
	s       *Sites
	ctx     context.Context //nolint:containedctx // of one call
	name    string
	places  []string
	without string // a site that is not asked
	at, end int64
	r       io.ReadCloser
	site    string
	moved   bool // since r was opened
	idle    int  // sites in a row that opened the object and gave nothing of it
}

// next opens the object at another site than the one that failed.
func (r *reader) next(length int64, failed string) (objectstore.Info, error) {
	var missing, trouble error
	for _, g := range r.s.order(r.places...) {
		if g.name == r.without || g.name == failed {
			continue
		}
		from, info, err := g.Get(r.ctx, r.name, r.at, length)
		switch {
		case err == nil:
			r.r, r.site, r.moved = from, g.name, false
			return info, nil
		case errors.Is(err, objectstore.ErrNotFound):
			missing = err
		case errors.Is(err, objectstore.ErrUnavailable):
			trouble = err
		default:
			return info, err
		}
	}
	switch {
	case trouble != nil:
		return objectstore.Info{}, trouble
	case missing != nil:
		return objectstore.Info{}, missing
	}
	return objectstore.Info{}, fmt.Errorf("%w: no other site", objectstore.ErrUnavailable)
}

// Read reads on.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.at >= r.end {
			return 0, io.EOF
		}
		if r.r == nil {
			return 0, objectstore.ErrUnavailable
		}
		n, err := r.r.Read(p)
		r.at += int64(n)
		r.moved = r.moved || n > 0
		switch {
		case r.at >= r.end:
			return n, io.EOF
		case err == nil:
			return n, nil
		case r.ctx.Err() != nil:
			return n, r.ctx.Err()
		}
		if err := r.goOn(err); err != nil || n > 0 {
			return n, err
		}
	}
}

// goOn opens the rest elsewhere; the site that failed is tried again, last, if it gave anything at all.
func (r *reader) goOn(why error) error {
	failed, moved := r.site, r.moved
	_ = r.r.Close()
	r.r = nil
	if r.idle++; moved {
		r.idle = 0
	}
	if r.idle >= len(r.s.all) {
		return why
	}
	_, err := r.next(r.end-r.at, failed)
	if err == nil {
		return nil
	}
	if !moved || r.ctx.Err() != nil {
		return errors.Join(why, err)
	}
	if g := r.s.find(failed); g != nil {
		from, _, err := g.Get(r.ctx, r.name, r.at, r.end-r.at)
		if err == nil {
			r.r, r.site, r.moved = from, failed, false
			return nil
		}
	}
	return errors.Join(why, err)
}

// Close lets go of the site.
func (r *reader) Close() error {
	if r.r == nil {
		return nil
	}
	err := r.r.Close()
	r.r = nil
	r.end = r.at
	return err
}
