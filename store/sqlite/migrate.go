package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/migration"
)

//go:embed migrations/*.sql
var embedded embed.FS

// newest is the version of the schema that this program needs. A newer schema is
// one that this program can live with.
const newest = 4

// Migrator brings the file of a data directory to what this program needs.
type Migrator struct {
	migration.Runner
	db  *sql.DB
	dir string
}

// Up applies what is pending, under the lock that an open [Store] holds: the
// schema does not change below a gateway.
func (m *Migrator) Up(ctx context.Context, report func(store.Migration)) error {
	lock, err := lockDir(m.dir)
	if err != nil {
		return err
	}
	return errors.Join(m.Runner.Up(ctx, report), lock.Close())
}

// NewMigrator opens the database file of dir, and makes both when they are not there.
func NewMigrator(ctx context.Context, dir string) (*Migrator, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory: %w", err)
	}
	db, err := openFile(ctx, Config{Dir: dir}.path(), 1)
	if err != nil {
		return nil, err
	}
	m, err := newMigrator(db)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	m.dir = dir
	return m, nil
}

// NewInspector is a Migrator for looking only: it makes no database where there is none, but
// tells of one that nothing was done to.
func NewInspector(ctx context.Context, dir string) (*Migrator, error) {
	if _, err := os.Stat(Config{Dir: dir}.path()); !errors.Is(err, fs.ErrNotExist) {
		return NewMigrator(ctx, dir)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return newMigrator(db)
}

func newMigrator(db *sql.DB) (*Migrator, error) {
	files, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return nil, err
	}
	return &Migrator{Runner: migration.Runner{Provider: p, Translate: foreign}, db: db}, nil
}

// Validate compares the schema with the one that the migrations make in an empty database.
func (m *Migrator) Validate(ctx context.Context) error {
	want, err := expectedSchema(ctx)
	if err != nil {
		return err
	}
	have, err := schemaOf(ctx, m.db)
	if err != nil {
		return foreign(err)
	}
	for name, text := range want {
		switch have[name] {
		case text:
		case "":
			return fmt.Errorf("%w: %s is missing", store.ErrSchema, name)
		default:
			return fmt.Errorf("%w: %s is not as the migrations make it", store.ErrSchema, name)
		}
	}
	return nil
}

func expectedSchema(ctx context.Context) (map[string]string, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	m, err := newMigrator(db)
	if err != nil {
		return nil, err
	}
	if _, err := m.Provider.Up(ctx); err != nil {
		return nil, err
	}
	return schemaOf(ctx, db)
}

// schemaOf is the text of each table and index by name, with white space folded.
func schemaOf(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name, coalesce(sql, '-') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		all[name] = strings.Join(strings.Fields(text), " ")
	}
	return all, rows.Err()
}

// Close lets go of the file.
func (m *Migrator) Close() error { return m.db.Close() }

// current checks that the schema is not older than needed.
func current(ctx context.Context, db *sql.DB) error {
	var version int64
	err := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	switch {
	case err != nil && strings.Contains(err.Error(), "no such table"):
		return fmt.Errorf("%w: the database has not been migrated", store.ErrSchema)
	case err != nil:
		return foreign(err)
	case version < newest:
		return fmt.Errorf("%w: the schema is of version %d and %d is needed", store.ErrSchema, version, newest)
	}
	return nil
}
