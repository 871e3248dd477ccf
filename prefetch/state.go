package prefetch

import (
	"os"
	"slices"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// kept is how many versions of a name stay on disk: who listed just before a refresh can still fetch what was listed.
const kept = 2

// title is what is known of one name.
type title struct {
	versions  []Entry     // the current one first, at most kept, never two of one digest
	from      validators  // of the current version
	directory bool        // it came from Directory
	gone      time.Time   // when it went out of use
	print     os.FileInfo // of the local file, when it was last copied
}

// validators is what an upstream gave with some octets, to ask whether they are still the same.
type validators struct {
	Origin       string `json:"origin,omitempty"` // the SHA-256 of the URL, which may be secret
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// taken is what a refresh found; a zero UpdatedAt is now.
type taken struct {
	Entry
	from      validators
	directory bool
	print     os.FileInfo
}

// current is the version that is listed, with what is known of its source.
func (l *Library) current(name string) (Entry, title) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t := l.names[name]
	if t == nil || len(t.versions) == 0 {
		return Entry{}, title{}
	}
	return t.versions[0], *t
}

// publish makes a draft the current version of its name. It can be opened from the moment it can be listed; when the
// error is the index's, it is both, but may have to be fetched again after a restart. The index of the folder's files is
// saved at the end of a look: there may be thousands.
func (l *Library) publish(d *draft, found taken) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.shelf.keep(d); err != nil {
		return err
	}
	l.enter(found)
	if found.directory {
		return nil
	}
	return l.save()
}

// confirm notes that the current version is still what the source has. It says whether that is so.
func (l *Library) confirm(found taken) (bool, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if now, _ := l.current(found.Name); now.SHA256 != found.SHA256 || now.Name == "" {
		return false, nil // it was found damaged meanwhile
	}
	l.enter(found)
	if found.directory {
		return true, nil
	}
	return true, l.save()
}

// enter puts a version in front, and drops what is behind those that are kept. The caller holds writing.
func (l *Library) enter(found taken) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.names[found.Name]
	if t == nil {
		t = &title{}
		l.names[found.Name] = t
	}
	found.UpdatedAt = l.cfg.Now().UTC()
	if len(t.versions) > 0 && t.versions[0].SHA256 == found.SHA256 {
		found.UpdatedAt = t.versions[0].UpdatedAt
	}
	versions := append([]Entry{found.Entry}, slices.DeleteFunc(slices.Clone(t.versions), func(e Entry) bool { return e.SHA256 == found.SHA256 })...)
	for _, e := range versions[min(kept, len(versions)):] {
		l.dropped = append(l.dropped, e.SHA256)
	}
	versions = versions[:min(kept, len(versions))]
	l.dirty = l.dirty || !slices.Equal(versions, t.versions) || t.from != found.from || t.directory != found.directory || !t.gone.IsZero()
	*t = title{versions: versions, from: found.from, directory: found.directory, print: found.print}
}

// forget drops octets that turned out to be damaged, so that they are fetched again and not only asked for. They
// are looked at once more: whoever noticed may have had a file open that was replaced by a good one since.
func (l *Library) forget(digest holdfast.Hash) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.shelf.check(digest) == nil {
		return
	}
	names := l.strike(digest)
	l.dropped = append(l.dropped, digest)
	_ = l.save() // what can't be saved now is noticed again when it is read
	for _, name := range names {
		l.cfg.Logger.WithField("resource", name).Warn("a file in the prefetch cache is damaged; it is fetched again")
		l.cfg.Changed(name, Damaged)
		if s := l.sourceOf(name); s != nil {
			s.hurry()
		}
	}
}

func (l *Library) strike(digest holdfast.Hash) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, t := range l.names {
		left := slices.DeleteFunc(slices.Clone(t.versions), func(e Entry) bool { return e.SHA256 == digest })
		if len(left) < len(t.versions) {
			t.versions, t.from, t.print, l.dirty = left, validators{}, nil, true
			names = append(names, name)
		}
	}
	return names
}

// withdraw takes the files of Directory off the list that a look did not see, and saves what it saw.
func (l *Library) withdraw(seen map[string]bool) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	var gone []string
	l.mu.Lock()
	for name, t := range l.names {
		if t.directory && t.gone.IsZero() && !seen[name] && l.sources[name] == nil {
			t.gone, t.print, l.dirty = l.cfg.Now().UTC(), nil, true
			gone = append(gone, name)
		}
	}
	for name := range l.health { // files that could never be read, and are no longer there
		if l.sources[name] == nil && !seen[name] {
			delete(l.health, name)
		}
	}
	l.mu.Unlock()
	for _, name := range gone {
		l.cfg.Changed(name, Gone)
	}
	return l.save()
}

// goneFor is how long what is no longer listed can be opened: who listed it before may still be fetching.
const goneFor = time.Hour

// tidy drops what is gone for long, and saves what could not be saved before.
func (l *Library) tidy() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	for name, t := range l.names {
		if !t.gone.IsZero() && l.cfg.Now().Sub(t.gone) >= goneFor {
			for _, e := range t.versions {
				l.dropped = append(l.dropped, e.SHA256)
			}
			delete(l.names, name)
			l.dirty = true
		}
	}
	l.mu.Unlock()
	return l.save()
}
