package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/holdfast-sync/holdfast/store"
)

// SQLSTATEs that decide what is done (PostgreSQL documentation, appendix A).
const (
	uniqueViolation     = "23505"
	deadlockDetected    = "40P01"
	serializationFailed = "40001"
	readOnly            = "25006" // the primary has become a standby
	adminShutdown       = "57P01"
)

func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// unavailable translates whatever kept a read from being done, or a write that
// surely was not committed.
func unavailable(err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrTooMany):
		return err
	case errors.Is(err, pgx.ErrNoRows):
		return store.ErrNotFound
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// unavailable also drops the pool's connections when the server behind them is
// no primary any more.
func (s *Store) unavailable(err error) error {
	if state := stateOf(err); state == readOnly || state == adminShutdown {
		s.pool.Reset()
	}
	return unavailable(err)
}

// reading asks again, on a new connection, when the first one turned out to be
// dead: a server that was restarted meanwhile costs no caller an error.
func (s *Store) reading(ctx context.Context, ask func() error) error {
	err := ask()
	if err != nil && ctx.Err() == nil && stateOf(err) == "" && !errors.Is(err, pgx.ErrNoRows) {
		s.pool.Reset()
		err = ask()
	}
	return s.unavailable(err)
}

// written translates what became of a statement that writes. An ERROR has undone
// it. A FATAL, or a connection that broke after something was sent, tells nothing.
func written(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR", pgconn.SafeToRetry(err):
		return unavailable(err)
	}
	return fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err)
}

// written also drops the pool's connections when the server behind them is no
// primary any more.
func (s *Store) written(err error) error {
	_ = s.unavailable(err)
	return written(err)
}
