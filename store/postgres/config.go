package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/store"
)

// Config says which database, and how much of it.
type Config struct {
	// URL is postgres://… with one or more hosts. The host that takes writes is
	// used, unless the URL has a target_session_attrs of its own.
	URL    string
	Logger logrus.FieldLogger
	// Grouped is told of every commit; nil: nobody. It must return at once.
	Grouped func(store.Group)
	// Tracer is told of the pool's queries; nil: nobody. Commits are not among them:
	// each is of many requests.
	Tracer pgx.QueryTracer
	// Writers is how many goroutines write, each with a connection; 0: 1. A second one
	// makes groups smaller: measured, it costs more than it brings on 2 cores.
	Writers int
	// Connections is how many more there are, for reading, deliveries and everything else; 0: 12.
	Connections int
	// MaxWaiting bounds the steps, and the looks, that wait; 0: 8192.
	MaxWaiting int
	// Patience bounds one statement; 0: 7 s.
	Patience time.Duration
}

// What one group of steps may hold at the most.
const (
	maxGroupSteps = 256
	maxGroupRows  = 5000
	maxGroupBytes = 8 << 20
)

// connectPatience bounds one attempt to connect, over all hosts.
const connectPatience = 4 * time.Second

func (c Config) withDefaults() (Config, error) {
	if c.URL == "" {
		return c, errors.New("postgres: no database URL")
	}
	if c.Logger == nil {
		return c, errors.New("postgres: no logger")
	}
	if c.Grouped == nil {
		c.Grouped = func(store.Group) {}
	}
	if c.Writers == 0 {
		c.Writers = 1
	}
	if c.Connections == 0 {
		c.Connections = 12
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 8192
	}
	if c.Patience == 0 {
		c.Patience = 7 * time.Second
	}
	return c, nil
}

// poolConfig reads the URL. Its errors never repeat the URL, which holds a password.
func (c Config) poolConfig() (*pgxpool.Config, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("the database URL must be postgres://user@host:port/database")
	}
	q := u.Query()
	if !q.Has("target_session_attrs") {
		q.Set("target_session_attrs", "read-write")
		u.RawQuery = q.Encode()
	}
	cfg, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New("the database URL can't be read: " + reasonOf(err))
	}
	cfg.MaxConns = int32(c.Connections)
	cfg.MaxConnIdleTime = time.Minute
	cfg.ConnConfig.ConnectTimeout = connectPatience
	cfg.ConnConfig.RuntimeParams["application_name"] = "holdfast"
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = fmt.Sprint((c.Patience + time.Second).Milliseconds())
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = "5000"
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "10000"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed" // who waited for a lock must see what its holder did
	cfg.ConnConfig.RuntimeParams["jit"] = "off"                                      // it costs tens of milliseconds, and no statement here takes as long
	cfg.AfterConnect = beDurable
	cfg.ConnConfig.Tracer = c.Tracer
	return cfg, nil
}

// reasonOf is pgx's reason without the connection string that it repeats.
func reasonOf(err error) string {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) && parse.Unwrap() != nil {
		return parse.Unwrap().Error()
	}
	text := err.Error()
	return text[strings.LastIndexByte(text, '`')+1:]
}

// beDurable raises a synchronous_commit that would answer before the disk has it.
func beDurable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')")
	return err
}

// Ahead: a schema newer than newest is one that this program can live with.
const newest = 5

// current checks that the schema is not older than this program needs.
func current(ctx context.Context, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
},
) error {
	var version int64
	err := db.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "42P01":
		return fmt.Errorf("%w: the database has not been migrated", store.ErrSchema)
	case err != nil:
		return unavailable(err)
	case version < newest:
		return fmt.Errorf("%w: the schema is of version %d and %d is needed", store.ErrSchema, version, newest)
	}
	return nil
}
