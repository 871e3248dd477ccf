package main

import (
	"context"
	"fmt"

	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/objectstore/s3"
)

// objectChecks look at each site of objectStores; the folder in the data directory needs none.
func objectChecks(s *settings.Settings) []check {
	if s.ObjectStores == "" {
		if s.Embedded() {
			return nil
		}
		return []check{{"object stores", func(context.Context) finding {
			return warn("set HOLDFAST_OBJECT_STORES to stores that every node reaches", "files are kept in this node's own folder, where no other node can read them")
		}}}
	}
	locations, err := objectstore.ParseLocations(s.ObjectStores)
	if err != nil {
		return []check{{"object stores", func(context.Context) finding {
			return fail("correct HOLDFAST_OBJECT_STORES", "%v", err)
		}}}
	}
	var checks []check
	for _, l := range locations {
		checks = append(checks, check{"object store " + l.Site, func(ctx context.Context) finding { return checkObjects(ctx, l) }})
	}
	return checks
}

func checkObjects(ctx context.Context, l objectstore.Location) finding {
	if l.Kind == "file" {
		return ok("the folder %s", l.Path)
	}
	site, err := s3.New(l)
	if err == nil {
		err = site.Ping(ctx)
	}
	if err == nil {
		err = site.PutsOnce(ctx)
	}
	if err != nil {
		return fail("check the host, the bucket and the credentials of the site; segments of the audit log go to the other sites meanwhile", "%v", err)
	}
	return ok("the bucket %s at %s answers, and does not overwrite", l.Bucket, l.Host)
}

// checkSealing says whether the audit log is sealed.
func checkSealing(s *settings.Settings) finding {
	key, err := sealingKey(s, false)
	switch {
	case err != nil:
		return fail("make a key with holdfast audit key", "%v", err)
	case key == nil && !s.Embedded():
		return warn("make a key with holdfast audit key --to sealing.key and set HOLDFAST_AUDIT_SEALING_KEY_FILE", "the audit log is not sealed: who can change the database can change it unseen")
	}
	if _, err := zonesOf(s); err != nil {
		return fail("correct the time zones", "%v", err)
	}
	return ok("%s", fmt.Sprintf("the audit log is sealed; reports use %s where no zone is named", s.Audit.TimeZone))
}
