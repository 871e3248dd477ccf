package attachment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
)

// Spool is where the octets of requests wait on local disk until a site has them. Its
// files have no names: they are gone when the process is.
type Spool struct {
	dir   string
	bytes *semaphore.Weighted
	most  int64
}

// spoolWait is how long a request waits for room.
const spoolWait = 2 * time.Second

// OpenSpool uses a folder, which is made if it is not there, for at most so many bytes at a time.
func OpenSpool(dir string, most int64) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Spool{dir: dir, bytes: semaphore.NewWeighted(most), most: most}
	f, err := s.file()
	if err != nil {
		return nil, err
	}
	return s, f.Close()
}

// file is a temporary one that nobody else can open.
func (s *Spool) file() (*os.File, error) {
	f, err := os.CreateTemp(s.dir, "spool-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Clear removes files that a process left which died between making one and taking its name away.
func (s *Spool) Clear() {
	left, _ := filepath.Glob(filepath.Join(s.dir, "spool-*"))
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(path)
		}
	}
}

// take makes room for at most bytes octets, or answers 503 overloaded.
func (s *Spool) take(ctx context.Context, bytes int64) (*spooled, error) {
	if bytes > s.most {
		return nil, full(fmt.Errorf("%d bytes of %d", bytes, s.most))
	}
	ctx, cancel := context.WithTimeout(ctx, spoolWait)
	defer cancel()
	if err := s.bytes.Acquire(ctx, bytes); err != nil {
		return nil, full(err)
	}
	f, err := s.file()
	if err != nil {
		s.bytes.Release(bytes)
		return nil, full(err)
	}
	return &spooled{of: s, f: f, room: bytes}, nil
}

func full(err error) error {
	return &holdfast.Error{Code: holdfast.CodeOverloaded, RetryAfter: 2 * time.Second, Err: err, Detail: "The gateway has no room for the octets of more requests."}
}

// spooled is the part of one request.
type spooled struct {
	of   *Spool
	f    *os.File
	room int64
}

// drop gives the room back.
func (s *spooled) drop() {
	_ = s.f.Close()
	s.of.bytes.Release(s.room)
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// errSpool marks a failure of the local disk.
var errSpool = errors.New("attachment: the spool can't be written")

// fill copies at most n octets to offset and hashes them; its error is that of r, or [errSpool].
func (s *spooled) fill(r io.Reader, offset, n int64, sum hash.Hash) (int64, error) {
	buffer, _ := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	var copied int64
	for copied < n {
		piece := (*buffer)[:min(int64(len(*buffer)), n-copied)]
		got, err := r.Read(piece)
		if got > 0 {
			if _, err := s.f.WriteAt(piece[:got], offset+copied); err != nil {
				return copied, fmt.Errorf("%w: %w", errSpool, err)
			}
			_, _ = sum.Write(piece[:got])
			copied += int64(got)
		}
		if err != nil {
			return copied, err
		}
	}
	return copied, nil
}

// octets reads a stretch of it.
func (s *spooled) octets(offset, n int64) *io.SectionReader {
	return io.NewSectionReader(s.f, offset, n)
}

// digest hashes a stretch of it.
func (s *spooled) digest(offset, n int64) (objectstore.Digest, error) {
	buffer, _ := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	sum := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, s.octets(offset, n), *buffer); err != nil {
		return objectstore.Digest{}, full(err)
	}
	return objectstore.Digest(sum.Sum(nil)), nil
}
