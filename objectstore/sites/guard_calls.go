package sites

import (
	"context"
	"iter"
	"time"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// Ping asks the site.
func (g *guard) Ping(ctx context.Context) error { return g.call(ctx, g.Store.Ping) }

// Stat asks the site.
func (g *guard) Stat(ctx context.Context, name string) (info objectstore.Info, err error) {
	err = g.call(ctx, func(ctx context.Context) (err error) {
		info, err = g.Store.Stat(ctx, name)
		return err
	})
	return info, err
}

// Begin asks the site.
func (g *guard) Begin(ctx context.Context, name string) (id string, err error) {
	err = g.call(ctx, func(ctx context.Context) (err error) {
		id, err = g.Store.Begin(ctx, name)
		return err
	})
	return id, err
}

// copied is how many bytes a second a site is to copy at least, when it makes an object of parts.
const copied = 8 << 20

// copying is how long a site may take to copy size bytes.
func copying(size int64) time.Duration { return time.Duration(size/copied) * time.Second }

// Complete asks the site. It may have to copy all the parts before it answers.
func (g *guard) Complete(ctx context.Context, name, id string, parts []objectstore.Part) error {
	var size int64
	for _, p := range parts {
		size += p.Size
	}
	return g.callFor(ctx, g.patience+copying(size), func(ctx context.Context) error { return g.Store.Complete(ctx, name, id, parts) })
}

// Abort asks the site.
func (g *guard) Abort(ctx context.Context, name, id string) error {
	return g.call(ctx, func(ctx context.Context) error { return g.Store.Abort(ctx, name, id) })
}

// Remove asks the site.
func (g *guard) Remove(ctx context.Context, name string) error {
	return g.call(ctx, func(ctx context.Context) error { return g.Store.Remove(ctx, name) })
}

// Adopt asks the site. It may have to copy the object before it answers.
func (g *guard) Adopt(ctx context.Context, from, to string) error {
	var size int64
	if info, err := g.Stat(ctx, from); err == nil {
		size = info.Size // else Adopt says what is wrong
	}
	return g.callFor(ctx, g.patience+copying(size), func(ctx context.Context) error { return g.Store.Adopt(ctx, from, to) })
}

// List asks the site.
func (g *guard) List(ctx context.Context, prefix, after string) iter.Seq2[objectstore.Info, error] {
	return listed(ctx, g, func(ctx context.Context) iter.Seq2[objectstore.Info, error] { return g.Store.List(ctx, prefix, after) })
}

// Assemblies asks the site.
func (g *guard) Assemblies(ctx context.Context, prefix string) iter.Seq2[objectstore.Assembly, error] {
	return listed(ctx, g, func(ctx context.Context) iter.Seq2[objectstore.Assembly, error] {
		return g.Store.Assemblies(ctx, prefix)
	})
}

// listed watches a list; the clock stands while the caller looks at what it got.
func listed[T any](ctx context.Context, g *guard, ask func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := g.refuse(ctx); err != nil {
			yield(none, err)
			return
		}
		w := g.watch(ctx)
		defer w.end()
		for one, err := range ask(w.ctx) {
			w.pause()
			if err != nil {
				yield(none, g.judge(ctx, w, err))
				return
			}
			if !yield(one, nil) {
				return
			}
			w.resume()
		}
		_ = g.judge(ctx, w, nil)
	}
}
