package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"path/filepath"

	"github.com/holdfast-sync/holdfast/audit"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/objectstore/files"
	"github.com/holdfast-sync/holdfast/objectstore/s3"
	"github.com/holdfast-sync/holdfast/objectstore/sites"
)

// openObjects opens every site of the settings; names has the ring's own first. A service is not asked yet.
func openObjects(s *settings.Settings) (opened map[string]objectstore.Store, names []string, err error) {
	if s.ObjectStores == "" {
		dir, err := filepath.Abs(filepath.Join(s.DataDir, "objects"))
		if err != nil {
			return nil, nil, err
		}
		local, err := files.Open(dir)
		if err != nil {
			return nil, nil, s.Wrong("dataDir", err.Error())
		}
		return map[string]objectstore.Store{"local": local}, []string{"local"}, nil
	}
	locations, err := objectstore.ParseLocations(s.ObjectStores)
	if err != nil {
		return nil, nil, s.Wrong("objectStores", err.Error())
	}
	opened = map[string]objectstore.Store{}
	for _, l := range locations {
		if opened[l.Site], err = openObject(l); err != nil {
			return nil, nil, s.Wrong("objectStores", "site "+l.Site+": "+err.Error())
		}
		if l.Site == s.Site {
			names = append([]string{l.Site}, names...)
			continue
		}
		names = append(names, l.Site)
	}
	return opened, names, nil
}

func openObject(l objectstore.Location) (objectstore.Store, error) {
	if l.Kind == "file" {
		return files.Open(l.Path)
	}
	return s3.New(l)
}

// archives are the sites as the audit log sees them.
func archives(at *sites.Sites) map[string]audit.Archive {
	out := map[string]audit.Archive{}
	for _, name := range at.Names() {
		if site, ok := at.At(name); ok {
			out[name] = archive{site}
		}
	}
	return out
}

// archive keeps segments in an object store.
type archive struct{ store objectstore.Store }

// maxSegment bounds a segment that is read, in bytes: 8 million events in an hour.
const maxSegment = 1 << 30

// Put keeps an object; the same octets again are no error.
func (a archive) Put(ctx context.Context, name string, octets []byte) error {
	err := a.store.Put(ctx, name, int64(len(octets)), sha256.Sum256(octets), bytes.NewReader(octets))
	if !errors.Is(err, objectstore.ErrExists) {
		return err
	}
	there, err := a.Get(ctx, name)
	if err == nil && !bytes.Equal(there, octets) {
		return audit.ErrOccupied
	}
	return err
}

// Get reads one whole.
func (a archive) Get(ctx context.Context, name string) ([]byte, error) {
	r, info, err := a.store.Get(ctx, name, 0, -1)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil, audit.ErrNoObject
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if info.Size > maxSegment {
		return nil, audit.ErrOccupied
	}
	octets := make([]byte, info.Size)
	_, err = io.ReadFull(r, octets)
	return octets, err
}
