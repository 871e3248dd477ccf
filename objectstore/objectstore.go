// Package objectstore is the contract of a place for objects: octets under a name,
// put once, never changed, and never taken away but for what is [Transient]. Each kind of place is a folder
// below (files, s3) and passes the suite in objectstoretest.
package objectstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
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

// Part is one that an assembly holds.
type Part struct {
	Number int    // 1 to 10,000; parts stand in the order of their numbers, which may leave some out
	Size   int64  // bytes
	Tag    string // as the store named it
}

// Assembly is an object that comes in parts and is not there yet.
type Assembly struct {
	Name  string
	ID    string
	Began time.Time
}

// Assembler keeps an object that comes in parts, one after the other, from whichever process. What it holds
// is no object: it is not listed and can't be read.
type Assembler interface {
	// MinPart is the least size of a part that is not the last one, in bytes.
	MinPart() int64
	// Begin opens an assembly for a name. Several for one name may be open.
	Begin(ctx context.Context, name string) (id string, err error)
	// PutPart keeps size octets with this digest as a part, on disk when it returns; one that was put before under
	// its number is replaced. [ErrNotFound] when the assembly is not open, [ErrMismatch] for other octets.
	PutPart(ctx context.Context, name, id string, number int, size int64, digest Digest, octets io.Reader) (Part, error)
	// Complete makes the parts an object, once: [ErrExists] when the name is taken. Like [Putter.Put], all or
	// nothing, and [ErrUnavailable] may mean that only the answer was lost. [ErrNotFound] when the assembly is not
	// open, or has not these parts: it may have been completed before. Parts that are not named are dropped. Whatever it returns but
	// [ErrUnavailable], the assembly is not open any more.
	Complete(ctx context.Context, name, id string, parts []Part) error
	// Abort drops an assembly and its parts; nil when it is not open.
	Abort(ctx context.Context, name, id string) error
	// Assemblies yields those that are open, of names that begin with prefix, in no order.
	Assemblies(ctx context.Context, prefix string) iter.Seq2[Assembly, error]
}

// Transient is the beginning of the names of objects that are not there to stay. Nothing else can be taken away.
const Transient = "uploads/"

// Stager handles objects that are not there to stay.
type Stager interface {
	// Remove takes away an object whose name begins with [Transient], else [ErrName]; nil when it is not there.
	Remove(ctx context.Context, name string) error
	// Adopt gives an object whose name begins with [Transient] another name, one that does not, once: [ErrExists] when
	// that is taken. Like [Putter.Put], all or nothing. The old name may go or stay.
	Adopt(ctx context.Context, from, to string) error
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
	Assembler
	Stager
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

// Checked reads octets and fails with [ErrMismatch] unless they are as announced; of octets with another
// digest it never gives the last ones, so that whoever counts them does not have them all.
func Checked(octets io.Reader, size int64, digest Digest) io.Reader {
	return &checked{r: octets, left: size, want: digest, sum: sha256.New()}
}

type checked struct {
	r     io.Reader
	left  int64
	want  Digest
	sum   hash.Hash
	ended bool // all octets were as announced
}

// Read gives no more than the size announced.
func (c *checked) Read(p []byte) (int, error) {
	if c.ended {
		return 0, io.EOF
	}
	if c.left == 0 { // of no octets at all
		return 0, c.end()
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	_, _ = c.sum.Write(p[:n])
	c.left -= int64(n)
	switch {
	case n > 0 && c.left == 0:
		if err := c.end(); !errors.Is(err, io.EOF) {
			return 0, err
		}
		return n, nil
	case errors.Is(err, io.EOF):
		return n, ErrMismatch
	}
	return n, err
}

// end is io.EOF when nothing follows and the digest is right.
func (c *checked) end() error {
	var one [1]byte
	if n, err := io.ReadFull(c.r, one[:]); n == 0 && !errors.Is(err, io.EOF) {
		return err
	} else if n > 0 || Digest(c.sum.Sum(nil)) != c.want {
		return ErrMismatch
	}
	c.ended = true
	return io.EOF
}

// Exactly reads octets, and fails with [ErrMismatch] for fewer octets than size, or more.
func Exactly(octets io.Reader, size int64) io.Reader { return &exact{r: octets, left: size} }

type exact struct {
	r     io.Reader
	left  int64
	ended bool // nothing follows
}

// Read gives the last octets when it has seen that none follow.
func (e *exact) Read(p []byte) (int, error) {
	if e.ended {
		return 0, io.EOF
	}
	n := 0
	if e.left > 0 {
		var err error
		n, err = e.r.Read(p[:min(int64(len(p)), e.left)])
		if e.left -= int64(n); e.left > 0 {
			if errors.Is(err, io.EOF) {
				err = ErrMismatch
			}
			return n, err
		}
	}
	var one [1]byte
	if more, _ := io.ReadFull(e.r, one[:]); more > 0 {
		return 0, ErrMismatch
	}
	if e.ended = true; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
