package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-sync/holdfast/store"
)

// codeOf is SQLite's primary result code, 0 when the error is none of SQLite's.
func codeOf(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// foreign explains a file that can't be read as a database of ours.
func foreign(err error) error {
	switch codeOf(err) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w: the database file is damaged or not one of Holdfast: %w", store.ErrSchema, err)
	}
	return unavailable(err)
}

// unavailable translates whatever kept a read, or a write that surely was not
// committed, from being done.
func unavailable(err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrTooMany) {
		return err
	}
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

func isConstraint(err error) bool { return codeOf(err) == sqlite3.SQLITE_CONSTRAINT }
