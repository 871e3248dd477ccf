// Package objectstore is the contract of a place for objects: octets under a name,
// put once, never changed and never taken away. Each kind of place is a folder
// below (files, s3) and passes the suite in objectstoretest.
package objectstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// What a store may answer instead of doing what it was asked.
var (
	// ErrExists: the name is taken. What is there was not touched.
	ErrExists = errors.New("objectstore: exists")
	// ErrNotFound: there is no such object.
	ErrNotFound = errors.New("objectstore: not found")
	// ErrUnavailable: the store can't be reached, refuses or is full. Nothing is visible.
	ErrUnavailable = errors.New("objectstore: unavailable")
	// ErrMismatch: the octets are not those that size and digest announced. Nothing is visible.
	ErrMismatch = errors.New("objectstore: octets do not match")
	// ErrName: the name can't be one.
	ErrName = errors.New("objectstore: not a name")
	// ErrRange: the object ends before the offset.
	ErrRange = errors.New("objectstore: range not satisfiable")
)

// Info describes an object.
type Info struct {
	Name    string
	Size    int64     // bytes
	ModTime time.Time // when it was put
}

// Digest is the SHA-256 of an object's octets.
type Digest [sha256.Size]byte

// Putter keeps objects.
type Putter interface {
	// Put keeps size octets with this digest under a name, once: [ErrExists] when the name is taken, by
	// whomever. The object is visible whole and on disk when Put returns nil, and not at all when it
	// returns anything else (but [ErrUnavailable] may mean that only the answer was lost).
	Put(ctx context.Context, name string, size int64, digest Digest, octets io.Reader) error
}

// Getter reads objects.
type Getter interface {
	// Get reads from offset on, length octets or (-1) to the end. The caller closes the reader.
	Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, Info, error)
	Stat(ctx context.Context, name string) (Info, error)
}

// Lister lists objects.
type Lister interface {
	// List yields the objects whose names begin with prefix and come behind after, in the order of their bytes.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
}

// Store is everything a kind of place does; its users declare the part they need.
type Store interface {
	Putter
	Getter
	Lister
	// Ping is nil when reads should work.
	Ping(ctx context.Context) error
	Close() error
}

// maxName bounds a name, in bytes.
const maxName = 512

// CheckName says whether a name can be one: parts of letters, digits and . _ - with
// single slashes between; no part begins with a dot.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w: it must have 1 to %d bytes", ErrName, maxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || len(part) > 255 {
			return fmt.Errorf("%w: a part is empty, too long, or begins with a dot", ErrName)
		}
		for i := range len(part) {
			if !inName(part[i]) {
				return fmt.Errorf("%w: it holds other than letters, digits and . _ -", ErrName)
			}
		}
	}
	return nil
}

func inName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// Checked reads octets and fails with [ErrMismatch] at their end unless they are as announced.
func Checked(octets io.Reader, size int64, digest Digest) io.Reader {
	return &checked{r: octets, left: size, want: digest, sum: sha256.New()}
}

type checked struct {
	r    io.Reader
	left int64
	want Digest
	sum  interface {
		io.Writer
		Sum([]byte) []byte
	}
}

// Read gives no more than the size announced.
func (c *checked) Read(p []byte) (int, error) {
	if c.left == 0 {
		var one [1]byte
		if n, _ := io.ReadFull(c.r, one[:]); n > 0 || Digest(c.sum.Sum(nil)) != c.want {
			return 0, ErrMismatch
		}
		return 0, io.EOF
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	_, _ = c.sum.Write(p[:n])
	c.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if c.left > 0 {
			return n, ErrMismatch
		}
		err = nil
	}
	return n, err
}
