package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/migration"
)

//go:embed migrations/*.sql
var embedded embed.FS

// expectedSchema is what the migrations make, one line for each column,
// constraint, index, trigger and function; a test makes sure that they do.
//
//go:embed schema.txt
var expectedSchema string

// Migrator brings a database to what this program needs. Two of them at once
// are safe: a session lock lets one go first.
type Migrator struct {
	migration.Runner
	db *sql.DB
}

// NewMigrator does not connect yet. Its role must own the schema.
func NewMigrator(url string) (*Migrator, error) {
	cfg, err := Config{URL: url, Logger: logrus.StandardLogger()}.withDefaults()
	if err != nil {
		return nil, err
	}
	pc, err := cfg.poolConfig()
	if err != nil {
		return nil, err
	}
	// A migration may take as long as it needs.
	for _, limit := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		delete(pc.ConnConfig.RuntimeParams, limit)
	}
	db := stdlib.OpenDB(*pc.ConnConfig)
	files, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return &Migrator{Runner: migration.Runner{Provider: p, Translate: unavailable}, db: db}, nil
}

// Empty says whether the database holds no table at all.
func (m *Migrator) Empty(ctx context.Context) (bool, error) {
	var n int
	err := m.db.QueryRowContext(ctx, "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema()").Scan(&n)
	return n == 0, unavailable(err)
}

// Validate compares the schema with what the migrations make. More than that
// (a newer version's columns, an operator's indexes) is no difference.
func (m *Migrator) Validate(ctx context.Context) error {
	have, err := m.schema(ctx)
	if err != nil {
		return unavailable(err)
	}
	present := map[string]bool{}
	for _, line := range have {
		present[line] = true
	}
	for line := range strings.Lines(expectedSchema) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !present[line] {
			return fmt.Errorf("%w: missing or different: %s", store.ErrSchema, line)
		}
	}
	return nil
}

// schemaStatement leaves out the partitions, which are different each month; the
// triggers of the default one tell whether it is append-only.
const schemaStatement = `
WITH tables AS (
  SELECT oid, relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
  AND relname !~ '^(goose_|audit_events_)'
)
SELECT line FROM (
  SELECT format('column %s.%s %s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' ELSE '' END) AS line
  FROM pg_attribute a JOIN tables c ON c.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT format('constraint %s.%s %s', c.relname, conname, pg_get_constraintdef(r.oid))
  FROM pg_constraint r JOIN tables c ON c.oid = r.conrelid WHERE contype <> 'n'
  UNION ALL
  SELECT format('index %s.%s %s', tablename, indexname, substring(indexdef FROM 'USING .*'))
  FROM pg_indexes i JOIN tables c ON c.relname = i.tablename WHERE schemaname = current_schema()
  UNION ALL
  SELECT format('trigger %s.%s%s', c.relname, tgname, CASE WHEN tgenabled = 'O' THEN '' ELSE ' disabled' END)
  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
  WHERE NOT tgisinternal AND (tgrelid IN (SELECT oid FROM tables) OR tgrelid = to_regclass('audit_events_default'))
  UNION ALL
  SELECT format('function %s(%s) %s', proname, pg_get_function_identity_arguments(oid), CASE WHEN prosecdef THEN 'security definer' ELSE 'security invoker' END)
  FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname ~ '^audit_'
) all_lines ORDER BY line COLLATE "C"`

func (m *Migrator) schema(ctx context.Context) ([]string, error) {
	rows, err := m.db.QueryContext(ctx, schemaStatement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}

// Close ends its connections.
func (m *Migrator) Close() error { return m.db.Close() }
