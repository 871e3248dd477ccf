// Package files keeps objects in a folder: each in a file of its name. A file is
// written beside, synced, and then linked to its name, which fails when the name
// is taken: link(2) is what makes it visible, whole, and once.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// Store is an open folder.
type Store struct{ dir string }

// staging is the folder of files that are being written; no name begins with a dot.
const staging = ".staging"

// abandoned is when a file in staging belongs to nobody any more.
const abandoned = 24 * time.Hour

// Open makes the folder if it is not there, and clears what was abandoned in it.
func Open(dir string) (*Store, error) {
	s := &Store{dir}
	if err := os.MkdirAll(filepath.Join(dir, staging, assemblies), 0o700); err != nil {
		return nil, unavailable(err)
	}
	left, err := os.ReadDir(filepath.Join(dir, staging))
	if err != nil {
		return nil, unavailable(err)
	}
	for _, entry := range left {
		if info, err := entry.Info(); err == nil && !entry.IsDir() && time.Since(info.ModTime()) > abandoned {
			_ = os.Remove(filepath.Join(dir, staging, entry.Name()))
		}
	}
	return s, nil
}

// Close does nothing.
func (*Store) Close() error { return nil }

// Ping looks whether the folder is there.
func (s *Store) Ping(context.Context) error {
	return s.there()
}

// there is nil while the folder is: one that is not mounted holds nothing and says nothing about objects.
func (s *Store) there() error {
	if _, err := os.Stat(filepath.Join(s.dir, staging, assemblies)); err != nil {
		return fmt.Errorf("%w: the folder is not there", objectstore.ErrUnavailable)
	}
	return nil
}

// explain is [unavailable]; nothing is missing in a folder that is missing itself.
func (s *Store) explain(err error) error {
	if err = unavailable(err); errors.Is(err, objectstore.ErrNotFound) {
		if gone := s.there(); gone != nil {
			return gone
		}
	}
	return err
}

func unavailable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return objectstore.ErrNotFound
	case errors.Is(err, fs.ErrExist):
		return objectstore.ErrExists
	case errors.Is(err, objectstore.ErrMismatch), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", objectstore.ErrUnavailable, err)
}

func (s *Store) path(name string) (string, error) {
	if err := objectstore.CheckName(name); err != nil {
		return "", err
	}
	return filepath.Join(s.dir, filepath.FromSlash(name)), nil
}

// Put writes beside and links.
func (s *Store) Put(ctx context.Context, name string, size int64, digest objectstore.Digest, octets io.Reader) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return objectstore.ErrExists
	}
	temporary := filepath.Join(s.dir, staging, random())
	defer os.Remove(temporary) //nolint:errcheck // what is left is cleared by Open
	if err := write(ctx, temporary, objectstore.Checked(octets, size, digest)); err != nil {
		return s.explain(err)
	}
	return s.link(temporary, path)
}

func write(ctx context.Context, path string, octets io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &interruptible{ctx, octets})
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// interruptible stops reading when the context ends.
type interruptible struct {
	ctx context.Context //nolint:containedctx // of one copy
	r   io.Reader
}

// Read reads unless it is over.
func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// folders makes those of a name, each on disk before the next.
func (s *Store) folders(dir string) error {
	if _, err := os.Stat(dir); err == nil || len(dir) <= len(s.dir) {
		return err
	}
	if err := s.folders(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Stat describes a file.
func (s *Store) Stat(_ context.Context, name string) (objectstore.Info, error) {
	path, err := s.path(name)
	if err != nil {
		return objectstore.Info{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return objectstore.Info{}, s.explain(err)
	}
	if info.IsDir() {
		return objectstore.Info{}, objectstore.ErrNotFound
	}
	return objectstore.Info{Name: name, Size: info.Size(), ModTime: info.ModTime().UTC()}, nil
}

// Get opens a file.
func (s *Store) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, objectstore.Info, error) {
	info, err := s.Stat(ctx, name)
	if err != nil {
		return nil, info, err
	}
	if offset < 0 || offset > info.Size {
		return nil, info, objectstore.ErrRange
	}
	path, _ := s.path(name)
	f, err := os.Open(path)
	if err != nil {
		return nil, info, s.explain(err)
	}
	if length < 0 {
		length = info.Size - offset
	}
	return &section{io.NewSectionReader(f, offset, length), f}, info, nil
}

type section struct {
	io.Reader
	f *os.File
}

// Close closes the file.
func (s *section) Close() error { return s.f.Close() }

// List walks the folder in the order of names. WalkDir sorts by part, so a/b comes
// before a.c although '.' is less than '/'; the names of a folder are sorted here.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		if err := s.there(); err != nil {
			yield(objectstore.Info{}, err)
			return
		}
		s.walk(ctx, "", prefix, after, yield)
	}
}

func (s *Store) walk(ctx context.Context, dir, prefix, after string, yield func(objectstore.Info, error) bool) bool {
	entries, err := os.ReadDir(filepath.Join(s.dir, filepath.FromSlash(dir)))
	if err == nil {
		err = ctx.Err()
	}
	if err = s.explain(err); errors.Is(err, objectstore.ErrNotFound) {
		return true // it went with its last transient object
	} else if err != nil {
		return yield(objectstore.Info{}, err)
	}
	sortEntries(entries)
	for _, entry := range entries {
		name := dir + entry.Name()
		switch {
		case strings.HasPrefix(entry.Name(), "."):
			continue
		case entry.IsDir():
			name += "/"
			if !strings.HasPrefix(name, prefix) && !strings.HasPrefix(prefix, name) || name < after && !strings.HasPrefix(after, name) {
				continue
			}
			if !s.walk(ctx, name, prefix, after, yield) {
				return false
			}
		case strings.HasPrefix(name, prefix) && name > after:
			info, err := s.Stat(ctx, name)
			if errors.Is(err, objectstore.ErrNotFound) {
				continue
			}
			if !yield(info, err) {
				return false
			}
		}
	}
	return true
}
