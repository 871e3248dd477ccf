package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/postgres"
	"github.com/holdfast-sync/holdfast/store/sqlite"
)

// backend is how to reach the database that the settings name.
type backend struct {
	// open opens it for serving, beside for a tool while a gateway may run.
	open, beside func(ctx context.Context) (store.Store, error)
	migrator     func(ctx context.Context) (store.Migrator, error)
	inspector    func(ctx context.Context) (store.Migrator, error) // for looking only: it makes nothing
	embedded     bool
}

func backendOf(s *settings.Settings, logger logrus.FieldLogger) backend {
	return watchedBackendOf(s, logger, watch{})
}

// watch is told what a backend does; the zero value is nobody.
type watch struct {
	grouped func(store.Group)
	tracer  pgx.QueryTracer
}

// backend is the database as the node watches it.
func (n *node) backend() backend {
	return watchedBackendOf(n.settings, n.log, watch{grouped: n.grouped, tracer: n.tracePostgres()})
}

func watchedBackendOf(s *settings.Settings, logger logrus.FieldLogger, w watch) backend {
	if s.Embedded() {
		open := func(beside bool) func(context.Context) (store.Store, error) {
			return func(ctx context.Context) (store.Store, error) {
				return opened(sqlite.Open(ctx, sqlite.Config{Dir: s.DataDir, Logger: logger, Beside: beside, Grouped: w.grouped}))
			}
		}
		return backend{
			open: open(false), beside: open(true), embedded: true,
			migrator: func(ctx context.Context) (store.Migrator, error) {
				return openedMigrator(sqlite.NewMigrator(ctx, s.DataDir))
			},
			inspector: func(ctx context.Context) (store.Migrator, error) {
				return openedMigrator(sqlite.NewInspector(ctx, s.DataDir))
			},
		}
	}
	open := func(ctx context.Context) (store.Store, error) {
		return opened(postgres.Open(ctx, postgres.Config{URL: s.DatabaseURL, Logger: logger, Grouped: w.grouped, Tracer: w.tracer}))
	}
	migrator := func(context.Context) (store.Migrator, error) {
		return openedMigrator(postgres.NewMigrator(s.DatabaseURL))
	}
	return backend{open: open, beside: open, migrator: migrator, inspector: migrator}
}

// opened keeps a nil backend from becoming a store that isn't nil.
func opened[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openedMigrator[M store.Migrator](m M, err error) (store.Migrator, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// ready opens the database with open; it migrates first when that is needed and
// this program may do it: an empty database, or the embedded one.
func (b backend) ready(ctx context.Context, open func(context.Context) (store.Store, error), logger logrus.FieldLogger) (store.Store, error) {
	s, err := open(ctx)
	if !errors.Is(err, store.ErrSchema) {
		return s, err
	}
	applied, err := b.migrate(ctx, err, logger)
	if err != nil {
		return nil, err
	}
	if s, err = open(ctx); err != nil || applied == 0 {
		return s, err
	}
	if err := recordMigration(ctx, s); err != nil {
		logger.WithError(err).Warn("that the schema was migrated could not be recorded")
	}
	return s, nil
}

// recordMigration tells the audit log that somebody changed the schema.
func recordMigration(ctx context.Context, s store.Audit) error {
	e := operatorEvent(holdfast.ActionMigrated, "", time.Now())
	e.Target = holdfast.AuditTarget{Kind: "database"}
	return s.Record(ctx, []holdfast.AuditEvent{e})
}

// migrate applies what is pending, and says how many; reason is what open said.
func (b backend) migrate(ctx context.Context, reason error, logger logrus.FieldLogger) (applied int, err error) {
	m, err := b.migrator(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = m.Close() }()
	if !b.embedded {
		current, err := b.settled(ctx, m, reason)
		if err != nil || current {
			return 0, err
		}
	}
	err = m.Up(ctx, func(one store.Migration) {
		applied++
		logger.WithField("migration", one.Version).WithField("name", one.Name).Info("migrating")
	})
	return applied, err
}

// migrationPause is between two looks at a schema that another node may be migrating.
const migrationPause = time.Second

// settled says whether the schema is current by now: another node that found the
// database empty too may have been quicker. It is neither that nor an error for an
// empty one. A schema that is older, and stays so, is only migrated by hand.
func (b backend) settled(ctx context.Context, m store.Migrator, reason error) (bool, error) {
	for before := -1; ; {
		all, err := m.Status(ctx)
		if err != nil {
			return false, err
		}
		switch left := pending(all); left {
		case 0:
			return true, nil
		case len(all):
			return false, nil
		case before:
			return false, fmt.Errorf("%w; run holdfast migrate up", reason)
		default:
			before = left
		}
		select {
		case <-time.After(migrationPause):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// pending counts migrations that have not been applied.
func pending(all []store.Migration) (n int) {
	for _, one := range all {
		if one.AppliedAt.IsZero() {
			n++
		}
	}
	return n
}

// unreachable adds what to do about a database that can't be used.
func unreachable(err error) error {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%w; is the database running, and is HOLDFAST_DATABASE_URL right? holdfast doctor says more", err)
	}
	return err
}
