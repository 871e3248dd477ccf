package attachment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

// Attachment tells of a file that is held. When the database can't be asked, or knows nothing of it (a failover
// may have lost the record), the sites are asked.
func (s *Service) Attachment(ctx context.Context, digest holdfast.Hash) (holdfast.Attachment, error) {
	a, err := s.Store.Attachment(ctx, digest)
	if err == nil {
		return a, nil
	}
	held, unknown, asked := s.Sites.Where(ctx, ObjectName(digest))
	for site, info := range held {
		a.Digest, a.Size, a.StoredAt = digest, info.Size, info.ModTime
		a.Sites = append(a.Sites, site)
	}
	slices.Sort(a.Sites)
	switch {
	case len(a.Sites) > 0:
		return a, nil
	case !errors.Is(err, store.ErrNotFound):
		return a, explain(err)
	case asked != nil:
		return a, explain(asked)
	case len(unknown) > 0:
		return a, explain(fmt.Errorf("%w: %v can't be asked", objectstore.ErrUnavailable, unknown))
	}
	return a, explain(store.ErrNotFound)
}

// rangeWindow is how much is asked of a site at a time by who reads a stretch, in bytes.
const rangeWindow = 4 << 20

// Content reads a file, from any site that gives it. What is read from the first octet to the last is compared with
// the digest before the last octets are given.
type Content struct {
	holdfast.Attachment
	s      *Service
	ctx    context.Context //nolint:containedctx // of one request
	window int64           // octets asked for at a time; -1: all
	at     int64           // where the next Read reads
	r      io.ReadCloser
	place  int64     // where r is
	until  int64     // where r ends
	sum    hash.Hash // of everything before place; nil when something was left out
}

// Open opens a file. whole says that it is likely to be read from the first octet to the last; that no site can give
// it is known before this returns.
func (s *Service) Open(ctx context.Context, digest holdfast.Hash, whole bool) (*Content, error) {
	a, err := s.Attachment(ctx, digest)
	if err != nil {
		return nil, err
	}
	c := &Content{Attachment: a, s: s, ctx: ctx, window: rangeWindow}
	if whole {
		c.window, c.sum = -1, sha256.New()
	} else {
		c.until = 0 // nothing but to see whether it is there
	}
	length := int64(0)
	if whole {
		length, c.until = -1, a.Size
	}
	var info objectstore.Info
	c.r, info, err = s.Sites.Open(ctx, ObjectName(digest), 0, length, a.Sites...)
	if err == nil && info.Size != a.Size {
		_ = c.Close()
		err = fmt.Errorf("%w: an object of %d bytes should have %d", objectstore.ErrUnavailable, info.Size, a.Size)
	}
	if err != nil {
		return nil, explain(err)
	}
	s.Counted(Count{What: "read", Bytes: a.Size})
	return c, nil
}

// Describe tells what it is.
func (c *Content) Describe() holdfast.Attachment { return c.Attachment }

// Close lets go of the site.
func (c *Content) Close() error {
	if c.r == nil {
		return nil
	}
	err := c.r.Close()
	c.r = nil
	return err
}

// Seek moves the place of the next Read.
func (c *Content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.Size
	}
	if offset < 0 {
		return c.at, errors.New("attachment: a place before the beginning")
	}
	c.at = offset
	return c.at, nil
}

// Read reads.
func (c *Content) Read(p []byte) (int, error) {
	if c.at >= c.Size {
		return 0, io.EOF
	}
	if err := c.reopen(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.at += int64(n)
	c.place = c.at
	if c.sum != nil {
		_, _ = c.sum.Write(p[:n])
		if c.place == c.Size && holdfast.Hash(c.sum.Sum(nil)) != c.Digest {
			c.s.damaged(c.ctx, "", c.Digest, "its octets have another digest")
			return 0, fmt.Errorf("%w: the octets have another digest", objectstore.ErrMismatch)
		}
	}
	if errors.Is(err, io.EOF) && c.at < c.Size {
		if c.place < c.until {
			return n, io.ErrUnexpectedEOF
		}
		err = nil
	}
	return n, err
}

// reopen makes sure that r is where the next octet is.
func (c *Content) reopen() error {
	if c.r != nil && c.place == c.at && c.at < c.until {
		return nil
	}
	_ = c.Close()
	if c.at != c.place || c.at == 0 {
		c.sum = nil
	}
	length := c.window
	if c.until = c.Size; length >= 0 {
		c.until = min(c.at+length, c.Size)
	}
	var err error
	c.r, _, err = c.s.Sites.Open(c.ctx, ObjectName(c.Digest), c.at, length, c.Sites...)
	c.place = c.at
	return err
}
