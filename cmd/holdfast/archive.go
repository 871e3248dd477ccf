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
)

// openObjects opens every site of the settings. A service is not asked yet.
func openObjects(s *settings.Settings) (map[string]objectstore.Store, error) {
	text := s.ObjectStores
	if text == "" {
		dir, err := filepath.Abs(filepath.Join(s.DataDir, "objects"))
		if err != nil {
			return nil, err
		}
		opened, err := files.Open(dir)
		if err != nil {
			return nil, s.Wrong("dataDir", err.Error())
		}
		return map[string]objectstore.Store{"local": opened}, nil
	}
	locations, err := objectstore.ParseLocations(text)
	if err != nil {
		return nil, s.Wrong("objectStores", err.Error())
	}
	sites := map[string]objectstore.Store{}
	for _, l := range locations {
		var opened objectstore.Store
		if l.Kind == "file" {
			opened, err = files.Open(l.Path)
		} else {
			opened, err = s3.New(l)
		}
		if err != nil {
			return nil, s.Wrong("objectStores", "site "+l.Site+": "+err.Error())
		}
		sites[l.Site] = opened
	}
	return sites, nil
}

// archives are the sites as the audit log sees them.
func archives(sites map[string]objectstore.Store) map[string]audit.Archive {
	out := make(map[string]audit.Archive, len(sites))
	for name, site := range sites {
		out[name] = archive{site}
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
