package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-sync/holdfast/store"
)

// MigrateCmd looks after the database's schema.
type MigrateCmd struct {
	Up       MigrateUpCmd       `cmd:"" help:"Apply the migrations that are pending."`
	Status   MigrateStatusCmd   `cmd:"" help:"List the migrations and which are applied."`
	Validate MigrateValidateCmd `cmd:"" help:"Check that the schema is the one that the migrations make."`
}

// Help is shown below the flags.
func (MigrateCmd) Help() string {
	return `serve migrates an empty and the embedded database itself. A PostgreSQL schema of an older version is only migrated here,
so that nobody's new node changes the database under the old ones by accident.

Examples:
  holdfast migrate status
  holdfast migrate up`
}

// migrateFlags are those of every migrate command.
type migrateFlags struct {
	settingFlags
	outputFlag
}

// with opens the migrator for fn; look says that nothing is to be made.
func (f *migrateFlags) with(ctx context.Context, con *console, look bool, fn func(store.Migrator) error) error {
	s, err := f.load(con)
	if err != nil {
		return err
	}
	b := backendOf(s, con.discard())
	open := b.migrator
	if look {
		open = b.inspector
	}
	m, err := open(ctx)
	if err != nil {
		return unreachable(err)
	}
	return errors.Join(unreachable(fn(m)), m.Close())
}

// MigrateUpCmd applies what is pending.
type MigrateUpCmd struct{ migrateFlags }

// Help is shown below the flags.
func (MigrateUpCmd) Help() string {
	return `Each migration is applied in a transaction of its own, under a lock that other nodes respect. Interrupted, it goes on
where it stopped. Nodes of the previous version may keep running.

Examples:
  holdfast migrate up
  holdfast migrate up --database-url postgres://holdfast@db/holdfast --output json`
}

// record tells the audit log.
func (c *MigrateUpCmd) record(ctx context.Context, con *console) error {
	s, err := c.load(con)
	if err != nil {
		return err
	}
	opened, err := backendOf(s, con.discard()).beside(ctx)
	if err != nil {
		return err
	}
	return errors.Join(recordMigration(ctx, opened), opened.Close())
}

// Run applies them.
func (c *MigrateUpCmd) Run(ctx context.Context, con *console) error {
	return c.with(ctx, con, false, func(m store.Migrator) error {
		applied := []store.Migration{}
		err := m.Up(ctx, func(one store.Migration) {
			applied = append(applied, one)
			if c.Output == "text" {
				fmt.Fprintf(con.out, "applying %d %s\n", one.Version, one.Name)
			}
		})
		if err == nil && len(applied) > 0 {
			err = c.record(ctx, con)
		}
		if err != nil {
			return err
		}
		return c.write(con, map[string]any{"applied": applied}, func(w io.Writer) {
			fmt.Fprintf(w, "the schema is current; %d applied\n", len(applied))
		})
	})
}

// MigrateStatusCmd lists them.
type MigrateStatusCmd struct{ migrateFlags }

// Help is shown below the flags.
func (MigrateStatusCmd) Help() string {
	return `Examples:
  holdfast migrate status
  holdfast migrate status --output json`
}

// Run lists them.
func (c *MigrateStatusCmd) Run(ctx context.Context, con *console) error {
	return c.with(ctx, con, true, func(m store.Migrator) error {
		all, err := m.Status(ctx)
		if err != nil {
			return err
		}
		return c.write(con, map[string]any{"migrations": all}, func(w io.Writer) {
			rows := make([][]any, len(all))
			for i, one := range all {
				rows[i] = []any{one.Version, one.Name, applied(one)}
			}
			table(w, []any{"VERSION", "NAME", "APPLIED"}, rows)
		})
	})
}

func applied(m store.Migration) string {
	if m.AppliedAt.IsZero() {
		return "pending"
	}
	return m.AppliedAt.UTC().Format(time.RFC3339)
}

// MigrateValidateCmd compares.
type MigrateValidateCmd struct{ migrateFlags }

// Help is shown below the flags.
func (MigrateValidateCmd) Help() string {
	return `Exit code 1 and one line that names the first difference when there is one.

Examples:
  holdfast migrate validate
  holdfast migrate validate --output json`
}

// Run compares.
func (c *MigrateValidateCmd) Run(ctx context.Context, con *console) error {
	return c.with(ctx, con, true, func(m store.Migrator) error {
		err := m.Validate(ctx)
		if errors.Is(err, store.ErrSchema) && c.Output == "json" {
			if err := writeJSON(con.out, map[string]any{"valid": false, "difference": err.Error()}); err != nil {
				return err
			}
			return quiet(exitFailed)
		}
		if err != nil {
			return err
		}
		return c.write(con, map[string]any{"valid": true}, func(w io.Writer) { fmt.Fprintln(w, "the schema is valid") })
	})
}
