package prefetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// indexName is the file that tells which names the files of the cache have.
const indexName = "index.json"

// index is that file.
type index struct {
	Format int                `json:"format"` // 1
	Names  map[string]indexed `json:"names"`
}

type indexed struct {
	Versions  []indexedVersion `json:"versions"`
	From      validators       `json:"from,omitzero"`
	Directory bool             `json:"directory,omitempty"`
	Gone      time.Time        `json:"gone,omitzero"`
}

type indexedVersion struct {
	SHA256      string    `json:"sha256"`
	Size        int64     `json:"size"`
	Version     string    `json:"version"`
	ContentType string    `json:"content_type"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// save writes the index when it is not what is on disk, and then removes dropped files that no name has any more: never
// before, or a crash between would leave names without files. The caller holds writing.
func (l *Library) save() error {
	l.mu.RLock()
	dirty, content := l.dirty, l.indexed()
	l.mu.RUnlock()
	if dirty {
		if err := cacheError(l.write(content)); err != nil {
			return err
		}
		l.mu.Lock()
		l.dirty = false // nobody else sets it: the caller holds writing
		l.mu.Unlock()
	}
	l.removeDropped()
	return nil
}

func (l *Library) removeDropped() {
	if len(l.dropped) == 0 {
		return
	}
	named := l.named()
	for _, digest := range l.dropped {
		if !named[digest] { // it may have come back, or be another name's too
			l.shelf.remove(digest)
		}
	}
	l.dropped = nil
}

// indexed is what is to be written; nil when it is on disk already.
func (l *Library) indexed() *index {
	if !l.dirty {
		return nil
	}
	x := &index{Format: 1, Names: make(map[string]indexed, len(l.names))}
	for name, t := range l.names {
		one := indexed{From: t.from, Directory: t.directory, Gone: t.gone}
		for _, e := range t.versions {
			one.Versions = append(one.Versions, indexedVersion{e.SHA256.String(), e.Size, e.Version, e.ContentType, e.UpdatedAt})
		}
		x.Names[name] = one
	}
	return x
}

// named are the digests that any name has.
func (l *Library) named() map[holdfast.Hash]bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := map[holdfast.Hash]bool{}
	for _, t := range l.names {
		for _, e := range t.versions {
			all[e.SHA256] = true
		}
	}
	return all
}

// write puts the index beside, syncs it and renames it: there is always a whole one.
func (l *Library) write(x *index) error {
	text, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.cfg.Cache, 0o700); err != nil { // somebody may have removed it
		return err
	}
	f, err := os.CreateTemp(l.cfg.Cache, beside)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(l.cfg.Cache, indexName))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(l.cfg.Cache)
}

// load reads the index, drops versions whose octets are not what they should be, and sweeps. An index that makes no sense
// is as none: everything is fetched again.
func (l *Library) load() error {
	text, err := os.ReadFile(filepath.Join(l.cfg.Cache, indexName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var x index
	if bad := json.Unmarshal(text, &x); err == nil && (bad != nil || x.Format != 1) {
		l.cfg.Logger.Warn("the index of the prefetch cache makes no sense; everything is fetched again")
		x = index{}
	}
	for name, one := range x.Names {
		l.names[name] = l.restored(name, one)
	}
	_ = l.tidy() // else the first refresh does it, and tells
	l.shelf.sweep(l.named(), time.Now())
	return nil
}

// restored is a title with what is whole of it. One the settings no longer have is gone, from now on at the latest.
func (l *Library) restored(name string, one indexed) *title {
	t := &title{directory: one.Directory, gone: one.Gone}
	for i, v := range one.Versions {
		e, err := l.whole(name, v)
		switch {
		case err != nil:
			l.cfg.Logger.WithField("resource", name).WithError(err).Warn("a file in the prefetch cache can't be used; it is fetched again")
			l.dirty = true
			continue
		case i == 0:
			t.from = one.From
		}
		t.versions = append(t.versions, e)
	}
	_, configured := l.sources[name]
	switch inUse := configured || one.Directory && l.sources[directoryName] != nil; {
	case configured:
		t.gone = time.Time{}
	case !inUse && t.gone.IsZero():
		t.gone, l.dirty = l.cfg.Now().UTC(), true
	}
	return t
}

func (l *Library) whole(name string, v indexedVersion) (Entry, error) {
	digest, ok := holdfast.ParseHash(v.SHA256)
	if !ok {
		return Entry{}, fmt.Errorf("%w: its name is none", errDamaged)
	}
	r, err := l.shelf.open(digest)
	if errors.Is(err, errDamaged) {
		l.shelf.remove(digest) // it must not be in the way of a good one
	}
	if err != nil {
		return Entry{}, err
	}
	defer r.Close()
	return Entry{Name: name, Version: v.Version, Size: r.size, SHA256: digest, ContentType: v.ContentType, UpdatedAt: v.UpdatedAt}, nil
}
