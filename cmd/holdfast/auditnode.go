package main

import (
	"context"

	"github.com/holdfast-sync/holdfast/audit"
)

// makeAudit makes what records, answers, seals and prunes.
func (n *node) makeAudit() error {
	n.atEnd(func(context.Context) error { return n.store.Close() })
	zones, err := zonesOf(n.settings)
	if err != nil {
		return err
	}
	n.auditLog, err = audit.New(audit.Config{Store: n.store, Zones: zones, Node: n.id, Redact: n.scanner.Append, Logger: n.log})
	if err != nil {
		return err
	}
	n.recorder, err = audit.NewRecorder(audit.RecorderConfig{Store: n.store, Logger: n.log, Redact: n.scanner.Append, Node: n.id})
	if err != nil {
		return err
	}
	n.recorder.Start()
	n.atEnd(func(ctx context.Context) error { n.recorder.Stop(ctx); return nil })
	return n.checkSealing()
}

// checkSealing tells what is wrong with the settings before anything is made on disk.
func (n *node) checkSealing() error {
	key, err := sealingKey(n.settings, false)
	if err == nil {
		_, err = trustedKeys(n.settings, key)
	}
	return err
}

// startSealing begins to seal and prune, once the database is there.
func (n *node) startSealing() error {
	key, err := sealingKey(n.settings, true)
	if err != nil {
		return err
	}
	if key == nil {
		n.log.Warn("the audit log is not sealed: audit.sealingKey is empty; holdfast audit key makes one")
	}
	sealer, err := audit.NewSealer(audit.SealerConfig{
		Store: n.store, Archives: archives(n.sites), Key: key, Node: n.id, Logger: n.log, Retention: n.settings.Audit.Retention, Redact: n.scanner.Append,
	})
	if err != nil {
		return err
	}
	sealer.Start()
	n.atEnd(func(ctx context.Context) error { sealer.Stop(ctx); return nil })
	return nil
}
