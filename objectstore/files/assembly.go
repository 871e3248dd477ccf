package files

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// assemblies is the folder of those that are open: a folder each, with a file per part, and
// one that names the object.
const (
	assemblies = "assemblies"
	nameFile   = "name"
)

// MinPart is 1: a part is a file.
func (*Store) MinPart() int64 { return 1 }

// random is a name that nobody else has.
func random() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// assembly is the folder of one that is open.
func (s *Store) assembly(id string) (string, error) {
	if b, err := hex.DecodeString(id); err != nil || len(b) != 12 {
		return "", fmt.Errorf("%w: no assembly has such an id", objectstore.ErrNotFound)
	}
	dir := filepath.Join(s.dir, staging, assemblies, id)
	_, err := os.Stat(dir)
	return dir, s.explain(err)
}

// Begin makes a folder.
func (s *Store) Begin(_ context.Context, name string) (string, error) {
	if err := objectstore.CheckName(name); err != nil {
		return "", err
	}
	id := random()
	dir := filepath.Join(s.dir, staging, assemblies, id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", s.explain(err)
	}
	text, _ := json.Marshal(name) // a text: can't fail
	if err := os.WriteFile(filepath.Join(dir, nameFile), text, 0o400); err != nil {
		_ = os.RemoveAll(dir)
		return "", s.explain(err)
	}
	return id, s.explain(errors.Join(syncDir(dir), syncDir(filepath.Dir(dir))))
}

// maxParts is Amazon's, so that what goes here goes there.
const maxParts = 10_000

// partFile is the file of a part: its tag is its digest, so that one that replaces it is another file.
func partFile(dir string, number int, tag string) string {
	return filepath.Join(dir, strconv.Itoa(number)+"-"+filepath.Base(tag))
}

// PutPart writes a file beside, and gives it the part's number and digest.
func (s *Store) PutPart(ctx context.Context, name, id string, number int, size int64, digest objectstore.Digest, octets io.Reader) (objectstore.Part, error) {
	dir, err := s.opened(name, id)
	if err != nil {
		return objectstore.Part{}, err
	}
	if number < 1 || number > maxParts {
		return objectstore.Part{}, fmt.Errorf("%w: a part has a number from 1 to %d", objectstore.ErrName, maxParts)
	}
	temporary := filepath.Join(dir, "new-"+random())
	defer os.Remove(temporary) //nolint:errcheck // it goes with the assembly
	if err := write(ctx, temporary, objectstore.Checked(octets, size, digest)); err != nil {
		return objectstore.Part{}, s.explain(err)
	}
	part := objectstore.Part{Number: number, Size: size, Tag: hex.EncodeToString(digest[:])}
	if err := os.Rename(temporary, partFile(dir, number, part.Tag)); err != nil {
		return objectstore.Part{}, s.explain(err)
	}
	return part, s.explain(syncDir(dir))
}

// opened is the folder of an assembly for a name.
func (s *Store) opened(name, id string) (string, error) {
	dir, err := s.assembly(id)
	if err != nil {
		return "", err
	}
	if known, err := nameOf(dir); err != nil || known != name {
		return "", fmt.Errorf("%w: the assembly is for another name", objectstore.ErrNotFound)
	}
	return dir, nil
}

func nameOf(dir string) (name string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, nameFile))
	if err == nil {
		err = json.Unmarshal(text, &name)
	}
	return name, err
}

// Complete writes the parts one behind the other into a file, and links it to its name. A single part is linked itself.
func (s *Store) Complete(ctx context.Context, name, id string, parts []objectstore.Part) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	dir, err := s.opened(name, id)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		_ = s.Abort(ctx, name, id)
		return objectstore.ErrExists
	}
	whole := partFile(dir, parts[0].Number, parts[0].Tag)
	if len(parts) > 1 {
		whole = filepath.Join(s.dir, staging, random())
		defer os.Remove(whole) //nolint:errcheck // what is left is cleared by Open
		if err := concatenate(ctx, whole, dir, parts); err != nil {
			err = s.explain(err)
			if errors.Is(err, objectstore.ErrNotFound) {
				_ = s.Abort(ctx, name, id)
			}
			return err
		}
	}
	err = s.link(whole, path)
	if !errors.Is(err, objectstore.ErrUnavailable) {
		_ = s.Abort(ctx, name, id)
	}
	return err
}

// concatenate writes the parts into one file.
func concatenate(ctx context.Context, path, dir string, parts []objectstore.Part) error {
	readers := make([]io.Reader, len(parts))
	for i, p := range parts {
		f, err := os.Open(partFile(dir, p.Number, p.Tag))
		if err != nil {
			return err
		}
		defer f.Close()
		readers[i] = objectstore.Exactly(f, p.Size)
	}
	return write(ctx, path, io.MultiReader(readers...))
}

// link gives a synced file its name. Its folder may just be taken away, when its last transient object was.
func (s *Store) link(from, path string) error {
	var err error
	for range 10 {
		if err = s.folders(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.explain(err)
		}
		if err = os.Link(from, path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if _, gone := os.Stat(from); gone != nil {
			return s.explain(gone)
		}
	}
	if err != nil {
		return s.explain(err)
	}
	return s.explain(syncDir(filepath.Dir(path)))
}

// Abort removes the folder.
func (s *Store) Abort(_ context.Context, _, id string) error {
	dir, err := s.assembly(id)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.explain(os.RemoveAll(dir))
}

// Assemblies reads the folder of those that are open.
func (s *Store) Assemblies(ctx context.Context, prefix string) iter.Seq2[objectstore.Assembly, error] {
	return func(yield func(objectstore.Assembly, error) bool) {
		entries, err := os.ReadDir(filepath.Join(s.dir, staging, assemblies))
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(objectstore.Assembly{}, s.explain(err))
			return
		}
		for _, entry := range entries {
			dir := filepath.Join(s.dir, staging, assemblies, entry.Name())
			info, err := os.Stat(filepath.Join(dir, nameFile))
			name, unreadable := nameOf(dir)
			began := time.Now()
			switch {
			case err == nil && unreadable == nil:
				began = info.ModTime()
			case errors.Is(err, fs.ErrNotExist): // it is just being made, or taken away
				if info, err := entry.Info(); err == nil {
					began = info.ModTime()
				}
			}
			if strings.HasPrefix(name, prefix) && !yield(objectstore.Assembly{Name: name, ID: entry.Name(), Began: began.UTC()}, nil) {
				return
			}
		}
	}
}

// Remove takes a transient object away, and its folder when nothing else is in it.
func (s *Store) Remove(_ context.Context, name string) error {
	path, err := s.path(name)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(name, objectstore.Transient) {
		return fmt.Errorf("%w: only transient objects are taken away", objectstore.ErrName)
	}
	if err := s.explain(os.Remove(path)); err != nil && !errors.Is(err, objectstore.ErrNotFound) {
		return err
	}
	// Folders that are empty now; in others something is, or comes just now.
	for dir := filepath.Dir(path); len(dir) > len(filepath.Join(s.dir, objectstore.Transient)); dir = filepath.Dir(dir) {
		if err := os.Remove(dir); err != nil {
			return nil //nolint:nilerr // the object is gone
		}
	}
	return nil
}

// Adopt links a transient object to another name as well, and takes its own away.
func (s *Store) Adopt(ctx context.Context, from, to string) error {
	old, err := s.path(from)
	if err != nil {
		return err
	}
	path, err := s.path(to)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(from, objectstore.Transient) || strings.HasPrefix(to, objectstore.Transient) {
		return fmt.Errorf("%w: only transient objects are adopted", objectstore.ErrName)
	}
	if err := s.link(old, path); err != nil {
		return err
	}
	_ = s.Remove(ctx, from)
	return nil
}
