package main

import (
	"context"
	"net/http"
	"path/filepath"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/api/tus"
	"github.com/holdfast-sync/holdfast/attachment"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/objectstore/sites"
	"github.com/sirupsen/logrus"
)

// makeAttachments opens the sites and makes what takes files.
func (n *node) makeAttachments() error {
	var err error
	if n.sites, err = openSites(n.settings, n.siteChanged); err != nil {
		return err
	}
	n.atEnd(func(context.Context) error { return n.sites.Close() })
	n.sites.Start()
	n.atEnd(func(ctx context.Context) error { n.sites.Stop(ctx); return nil })
	n.attachments, err = newAttachments(n.settings, n.watched, n.sites, n.log, n.id, n.metrics.Attachment)
	if err != nil {
		return err
	}
	if !n.settings.Embedded() && n.settings.ObjectStores == "" {
		n.log.Warn("files are kept in this node's own folder, where no other node can read them: set objectStores")
	}
	n.attachments.Start()
	n.atEnd(func(ctx context.Context) error { n.attachments.Stop(ctx); return nil })
	return nil
}

// siteChanged tells of a site that went or came back.
func (n *node) siteChanged(site string, up bool) {
	line := n.log.WithField("site", site)
	if up {
		line.Warn("an object store is up again")
		return
	}
	line.Warn("an object store is down; files go to the next one")
}

// openSites makes one store of all sites of the settings.
func openSites(s *settings.Settings, changed func(string, bool)) (*sites.Sites, error) {
	opened, names, err := openObjects(s)
	if err != nil {
		return nil, err
	}
	cfg := sites.Config{Patience: s.Attachments.Patience, Changed: changed}
	for _, name := range names {
		cfg.Sites = append(cfg.Sites, sites.Site{Name: name, Store: opened[name]})
	}
	return sites.New(cfg)
}

// newAttachments is the service without its background work.
func newAttachments(s *settings.Settings, store attachment.Store, at *sites.Sites, log *logrus.Logger, node string, counted func(what, site string, bytes int64)) (*attachment.Service, error) {
	dir := s.Attachments.SpoolDir
	if dir == "" {
		dir = filepath.Join(s.DataDir, "spool")
	}
	spool, err := attachment.OpenSpool(dir, int64(s.Attachments.SpoolBytes))
	if err != nil {
		return nil, s.Wrong("attachments.spoolDir", "can't be used: "+err.Error())
	}
	spool.Clear()
	cfg := attachment.Config{
		Store: store, Sites: at, Spool: spool, Logger: log, Node: node, Copies: int(s.Attachments.Copies),
		Limits: attachment.Limits{
			MaxBytes: int64(s.Attachments.MaxBytes), MaxPutBytes: int64(s.Attachments.MaxPutBytes), PerDevice: int(s.Attachments.PerDevice),
			Types: s.Attachments.FileTypes(), Expiry: s.Attachments.Expiry,
		},
	}
	if counted != nil {
		cfg.Counted = func(c attachment.Count) { counted(c.What, c.Site, c.Bytes) }
	}
	return attachment.New(cfg)
}

// uploads serves tus.
func (n *node) uploads() (http.Handler, error) {
	return tus.New(tus.Config{Uploads: n.attachments, MaxBytes: int64(n.settings.Attachments.MaxBytes), Stopping: n.stopping})
}

// attachmentsPort is what the routes ask of the files.
type attachmentsPort struct{ *attachment.Service }

// Open opens a file.
func (p attachmentsPort) Open(ctx context.Context, digest holdfast.Hash, whole bool) (api.Content, error) {
	c, err := p.Service.Open(ctx, digest, whole)
	if err != nil {
		return nil, err
	}
	return c, nil
}
