package sites

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// Put keeps octets in the first site that takes them. Octets that can't be rewound go to the next
// site only as long as none has read of them.
func (s *Sites) Put(ctx context.Context, name string, size int64, digest objectstore.Digest, octets io.Reader) error {
	seeker, ok := octets.(io.ReadSeeker)
	if !ok {
		seeker = &once{r: octets}
	}
	held, _, err := s.Where(ctx, name) // another site may have it
	if err != nil {
		return err
	}
	if err := objectstore.CheckName(name); err != nil {
		return err
	}
	if len(held) > 0 {
		return objectstore.ErrExists
	}
	_, err = s.PutAt(ctx, name, size, digest, seeker)
	return err
}

// once is octets that can be rewound only while nothing was read.
type once struct {
	r    io.Reader
	read bool
}

// Read reads.
func (o *once) Read(p []byte) (int, error) {
	o.read = true
	return o.r.Read(p)
}

// Seek rewinds, if it can.
func (o *once) Seek(int64, int) (int64, error) {
	if o.read {
		return 0, fmt.Errorf("%w: the octets can't be read again", objectstore.ErrUnavailable)
	}
	return 0, nil
}

// Get reads from any site.
func (s *Sites) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, objectstore.Info, error) {
	return s.Open(ctx, name, offset, length)
}

// first asks the sites in order until one has an answer of its own.
func (s *Sites) first(ask func(*guard) error, passOver ...error) error {
	var failed error
	for _, g := range s.order() {
		err := ask(g)
		if err == nil || !slices.ContainsFunc(passOver, func(other error) bool { return errors.Is(err, other) }) {
			return err
		}
		if failed == nil || errors.Is(err, objectstore.ErrUnavailable) {
			failed = err
		}
	}
	return failed
}

// Stat describes an object in any site.
func (s *Sites) Stat(ctx context.Context, name string) (info objectstore.Info, err error) {
	err = s.first(func(g *guard) (err error) {
		info, err = g.Stat(ctx, name)
		return err
	}, objectstore.ErrNotFound, objectstore.ErrUnavailable)
	return info, err
}

// Ping is nil while one site is up.
func (s *Sites) Ping(ctx context.Context) error {
	return s.first(func(g *guard) error { return g.Ping(ctx) }, objectstore.ErrUnavailable)
}

// List yields what any site holds, once. A site that can't be asked is an error, at its end.
func (s *Sites) List(ctx context.Context, prefix, after string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		type head struct {
			next func() (objectstore.Info, error, bool)
			at   objectstore.Info
		}
		var heads []*head
		var failed error
		for _, g := range s.all {
			next, stop := iter.Pull2(g.List(ctx, prefix, after))
			defer stop()
			heads = append(heads, &head{next: next})
		}
		advance := func(h *head) (ended bool) {
			var err error
			var more bool
			h.at, err, more = h.next()
			failed = errors.Join(failed, err)
			return !more || err != nil
		}
		heads = slices.DeleteFunc(heads, advance)
		for len(heads) > 0 {
			least := slices.MinFunc(heads, func(a, b *head) int { return bytes.Compare([]byte(a.at.Name), []byte(b.at.Name)) }).at
			if !yield(least, nil) {
				return
			}
			heads = slices.DeleteFunc(heads, func(h *head) bool { return h.at.Name == least.Name && advance(h) })
		}
		if failed != nil {
			yield(objectstore.Info{}, failed)
		}
	}
}

// MinPart is the largest of the sites'.
func (s *Sites) MinPart() int64 {
	var most int64
	for _, g := range s.all {
		most = max(most, g.MinPart())
	}
	return most
}

// Begin opens an assembly in the first site that does; its id names the site.
func (s *Sites) Begin(ctx context.Context, name string) (id string, err error) {
	err = s.first(func(g *guard) error {
		inner, err := g.Begin(ctx, name)
		id = g.name + ":" + inner
		return err
	}, objectstore.ErrUnavailable)
	return id, err
}

// assembly is the site of an id, and the id there.
func (s *Sites) assembly(id string) (*guard, string, error) {
	site, inner, _ := strings.Cut(id, ":")
	if g := s.find(site); g != nil {
		return g, inner, nil
	}
	return nil, "", fmt.Errorf("%w: no site has such an assembly", objectstore.ErrNotFound)
}

// PutPart asks the assembly's site.
func (s *Sites) PutPart(ctx context.Context, name, id string, number int, size int64, digest objectstore.Digest, octets io.Reader) (objectstore.Part, error) {
	g, inner, err := s.assembly(id)
	if err != nil {
		return objectstore.Part{}, err
	}
	return g.PutPart(ctx, name, inner, number, size, digest, octets)
}

// Complete asks the assembly's site, if no other site has the name.
func (s *Sites) Complete(ctx context.Context, name, id string, parts []objectstore.Part) error {
	g, inner, err := s.assembly(id)
	if err != nil {
		return err
	}
	held, _, err := s.Where(ctx, name)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		_ = g.Abort(ctx, name, inner)
		return objectstore.ErrExists
	}
	return g.Complete(ctx, name, inner, parts)
}

// Abort asks the assembly's site.
func (s *Sites) Abort(ctx context.Context, name, id string) error {
	g, inner, err := s.assembly(id)
	if err != nil {
		return nil //nolint:nilerr // it is not open
	}
	return g.Abort(ctx, name, inner)
}

// Assemblies yields those of all sites.
func (s *Sites) Assemblies(ctx context.Context, prefix string) iter.Seq2[objectstore.Assembly, error] {
	return func(yield func(objectstore.Assembly, error) bool) {
		for _, g := range s.all {
			for a, err := range g.Assemblies(ctx, prefix) {
				a.ID = g.name + ":" + a.ID
				if !yield(a, err) {
					return
				}
			}
		}
	}
}

// Remove takes a transient object away everywhere.
func (s *Sites) Remove(ctx context.Context, name string) error {
	var all error
	for _, g := range s.all {
		all = errors.Join(all, g.Remove(ctx, name))
	}
	return all
}

// Adopt asks the site that has the object.
func (s *Sites) Adopt(ctx context.Context, from, to string) error {
	if objectstore.CheckName(to) == nil && !strings.HasPrefix(to, objectstore.Transient) {
		if held, _, _ := s.Where(ctx, to); len(held) > 0 {
			return objectstore.ErrExists
		}
	}
	return s.first(func(g *guard) error { return g.Adopt(ctx, from, to) }, objectstore.ErrNotFound, objectstore.ErrUnavailable)
}
