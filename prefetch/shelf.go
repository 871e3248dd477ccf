package prefetch

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// shelf is the cache folder: files named by the SHA-256 of their octets, written beside, synced, and renamed.
type shelf struct {
	dir   string
	mu    sync.Mutex
	known map[holdfast.Hash]blob
}

// blob is a file as it was when it was verified.
type blob struct {
	info os.FileInfo
	sums []holdfast.Hash
}

// draft is a file that is written and synced and has no name yet.
type draft struct {
	path   string
	digest holdfast.Hash
	size   int64
	sums   []holdfast.Hash
}

// errTooLarge is a resource above Config.MaxBytes.
var errTooLarge = errors.New("prefetch: it is larger than a resource may be")

// beside begins the names of files that are being written.
const beside = "new-"

// abandoned is when a file that nobody names belongs to nobody any more, not even to a process that overlaps with this one.
const abandoned = time.Hour

func (s *shelf) path(digest holdfast.Hash) string { return filepath.Join(s.dir, digest.String()) }

// write copies at most so many octets into a file beside. A folder that somebody removed is made again.
func (s *shelf) write(ctx context.Context, octets io.Reader, most int64) (*draft, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, cacheError(err)
	}
	f, err := os.CreateTemp(s.dir, beside)
	if err != nil {
		return nil, cacheError(err)
	}
	sum := newSummer()
	_, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(interruptible{ctx, octets}, most+1))
	if err == nil && sum.size > most {
		err = errTooLarge
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return nil, err
	}
	digest, sums := sum.done()
	return &draft{f.Name(), digest, sum.size, sums}, nil
}

// interruptible stops reading when the context ends; its error says why that was.
type interruptible struct {
	ctx context.Context //nolint:containedctx // of one copy
	r   io.Reader
}

// Read reads unless it is over.
func (i interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}

// keep gives a draft its name. It takes the place of a file that is there already, which may be damaged; who reads
// that one goes on reading it.
func (s *shelf) keep(d *draft) error {
	path := s.path(d.digest)
	err := os.Rename(d.path, path)
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		s.discard(d)
		return cacheError(err)
	}
	info, err := os.Stat(path)
	if err == nil {
		s.remember(d.digest, blob{info, d.sums})
	}
	return err
}

// discard removes a draft.
func (s *shelf) discard(d *draft) { _ = os.Remove(d.path) }

func (s *shelf) remember(digest holdfast.Hash, b blob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[digest] = b
}

// open opens a file; one that does not look as when it was verified is verified again. [errDamaged] when it is not
// there or not what it should be.
func (s *shelf) open(digest holdfast.Hash) (*reader, error) {
	f, err := os.Open(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it is not there", errDamaged)
	}
	if err != nil {
		return nil, err
	}
	b, err := s.verified(f, digest)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &reader{f: f, size: b.info.Size(), sums: b.sums, loaded: -1}, nil
}

func (s *shelf) verified(f *os.File, digest holdfast.Hash) (blob, error) {
	info, err := f.Stat()
	if err != nil {
		return blob{}, err
	}
	s.mu.Lock()
	b, ok := s.known[digest]
	s.mu.Unlock()
	if ok && alike(b.info, info) {
		return b, nil
	}
	sum := newSummer()
	_, err = io.Copy(sum, f)
	whole, sums := sum.done()
	if err != nil || whole != digest || sum.size != info.Size() {
		return blob{}, errDamaged
	}
	b = blob{info, sums}
	s.remember(digest, b)
	return b, nil
}

// check verifies a file, whatever is known of it.
func (s *shelf) check(digest holdfast.Hash) error {
	s.mu.Lock()
	delete(s.known, digest)
	s.mu.Unlock()
	r, err := s.open(digest)
	if err != nil {
		return err
	}
	return r.Close()
}

// alike says whether a file is most likely as it was.
func alike(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// remove removes a file; one that can't be is swept some day.
func (s *shelf) remove(digest holdfast.Hash) {
	s.mu.Lock()
	delete(s.known, digest)
	s.mu.Unlock()
	_ = os.Remove(s.path(digest))
}

// sweep removes what nobody names and nobody has touched for an hour.
func (s *shelf) sweep(named map[holdfast.Hash]bool, now time.Time) {
	left, _ := os.ReadDir(s.dir)
	for _, entry := range left {
		digest, ours := holdfast.ParseHash(entry.Name())
		ours = ours && entry.Name() == hex.EncodeToString(digest[:]) && !named[digest]
		stray, _ := filepath.Match(beside+"*", entry.Name())
		info, err := entry.Info()
		if err == nil && (ours || stray) && info.Mode().IsRegular() && now.Sub(info.ModTime()) > abandoned {
			_ = os.Remove(filepath.Join(s.dir, entry.Name()))
		}
	}
}

// syncDir makes a rename survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
