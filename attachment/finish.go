package attachment

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
)

// finish keeps the last octets and makes the file visible, if it is the one that was announced.
func (f *flush) finish(ctx context.Context) error {
	digest := holdfast.Hash(f.sum.Sum(nil))
	if f.Announced != (holdfast.Hash{}) && f.Announced != digest {
		f.s.Counted(Count{What: "mismatch", Bytes: f.Size})
		return f.refuse(ctx, mismatch(f.Announced, digest))
	}
	if f.Announced == (holdfast.Hash{}) {
		if held, err := f.finishHeld(ctx, digest); held || err != nil {
			return err
		}
	}
	a := holdfast.Attachment{Digest: digest, Size: f.Size, ContentType: f.ContentType}
	if len(f.state.Parts) == 0 {
		return f.finishWhole(ctx, a)
	}
	put := false
	err := f.atSite(ctx, func(site objectstore.Store) error {
		if !put {
			if err := f.load(ctx, site); err != nil {
				return err
			}
			if err := f.putPart(ctx, site); errors.Is(err, objectstore.ErrNotFound) {
				return f.made(ctx, site, a)
			} else if err != nil {
				return err
			}
			put = true
		}
		return f.complete(ctx, site, a)
	})
	if err != nil {
		return err
	}
	a.Sites = []string{f.Site}
	return f.finishedNow(ctx, a)
}

// finishedNow is [session.finished] for a file that was not held before.
func (f *flush) finishedNow(ctx context.Context, a holdfast.Attachment) error {
	err := f.finished(ctx, a)
	if err == nil {
		f.s.stored(a, true)
	}
	return err
}

// finishWhole puts a file that has no parts yet: its octets are in pieces, if any, and the spool.
func (f *flush) finishWhole(ctx context.Context, a holdfast.Attachment) error {
	if f.loose > 0 {
		if err := f.atSite(ctx, func(site objectstore.Store) error { return f.load(ctx, site) }); err != nil {
			return err
		}
	}
	site, err := f.s.place(ctx, a, f.spooled.octets(0, f.Size))
	if err != nil {
		return explain(err)
	}
	a.Sites = []string{site}
	return f.finishedNow(ctx, a)
}

// complete makes the parts the object.
func (f *flush) complete(ctx context.Context, site objectstore.Store, a holdfast.Attachment) error {
	err := site.Complete(ctx, f.state.Name, f.state.Assembly, f.state.Parts)
	switch {
	case errors.Is(err, objectstore.ErrNotFound):
		return f.made(ctx, site, a)
	case err == nil && f.state.Name != ObjectName(a.Digest):
		return f.adopt(ctx, site, a)
	case errors.Is(err, objectstore.ErrExists):
		return f.s.isWhole(ctx, site, f.Site, a)
	}
	return err
}

// made is for who finds no assembly: it was completed before, by a request whose answer was lost or that did not live to
// say so, or is lost. What is there is read: a request that was overtaken may have completed other octets.
func (f *flush) made(ctx context.Context, site objectstore.Store, a holdfast.Attachment) error {
	err := f.s.isWhole(ctx, site, f.Site, a)
	if err == nil || !errors.Is(err, objectstore.ErrNotFound) || f.state.Name == ObjectName(a.Digest) {
		return err
	}
	_, digest, err := hashOf(ctx, site, f.state.Name)
	if err == nil && digest != a.Digest {
		err = objectstore.ErrNotFound
	}
	if err != nil {
		return err
	}
	return f.adopt(ctx, site, a)
}

// adopt gives a file that came without a name its name.
func (f *flush) adopt(ctx context.Context, site objectstore.Store, a holdfast.Attachment) error {
	err := site.Adopt(ctx, f.state.Name, ObjectName(a.Digest))
	if err == nil || errors.Is(err, objectstore.ErrExists) {
		_ = site.Remove(ctx, f.state.Name) // else it is swept
	}
	if errors.Is(err, objectstore.ErrExists) {
		return f.s.isWhole(ctx, site, f.Site, a)
	}
	return err
}

// finished records the file and ends the upload, in one Tx.
func (w *session) finished(ctx context.Context, a holdfast.Attachment) error {
	left := w.Upload
	if err := w.s.Store.FinishUpload(ctx, w.Upload, a, w.s.event(ctx, holdfast.ActionAttached, a.Digest)); err != nil {
		return explain(err)
	}
	w.Offset, w.Finished = w.Size, a.Digest
	w.s.clean(ctx, left)
	return nil
}

// refuse forgets an upload whose octets are not those that were announced.
func (w *session) refuse(ctx context.Context, why error) error {
	if err := w.s.Store.DropUpload(ctx, w.Upload); err != nil {
		return explain(fmt.Errorf("%w (%w)", err, why))
	}
	w.s.clean(ctx, w.Upload)
	return why
}
