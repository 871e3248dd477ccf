package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sirupsen/logrus"

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
	embedded     bool
}

func backendOf(s *settings.Settings, logger logrus.FieldLogger) backend {
	if s.Embedded() {
		open := func(beside bool) func(context.Context) (store.Store, error) {
			return func(ctx context.Context) (store.Store, error) {
				return opened(sqlite.Open(ctx, sqlite.Config{Dir: s.DataDir, Logger: logger, Beside: beside}))
			}
		}
		return backend{open: open(false), beside: open(true), embedded: true, migrator: func(ctx context.Context) (store.Migrator, error) {
			return openedMigrator(sqlite.NewMigrator(ctx, s.DataDir))
		}}
	}
	open := func(ctx context.Context) (store.Store, error) {
		return opened(postgres.Open(ctx, postgres.Config{URL: s.DatabaseURL, Logger: logger}))
	}
	return backend{open: open, beside: open, migrator: func(context.Context) (store.Migrator, error) {
		return openedMigrator(postgres.NewMigrator(s.DatabaseURL))
	}}
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
	if err := b.migrate(ctx, err, logger); err != nil {
		return nil, err
	}
	return open(ctx)
}

// migrate applies what is pending; reason is what open said.
func (b backend) migrate(ctx context.Context, reason error, logger logrus.FieldLogger) error {
	m, err := b.migrator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	if !b.embedded {
		all, err := m.Status(ctx)
		if err != nil {
			return err
		}
		if !untouched(all) {
			return fmt.Errorf("%w; run holdfast migrate up", reason)
		}
	}
	return m.Up(ctx, func(one store.Migration) {
		logger.WithField("migration", one.Version).WithField("name", one.Name).Info("migrating")
	})
}

// untouched says whether no migration has ever been applied.
func untouched(all []store.Migration) bool {
	for _, one := range all {
		if !one.AppliedAt.IsZero() {
			return false
		}
	}
	return true
}

// unreachable adds what to do about a database that can't be used.
func unreachable(err error) error {
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%w; is the database running, and is HOLDFAST_DATABASE_URL right? holdfast doctor says more", err)
	}
	return err
}
