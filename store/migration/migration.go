// Package migration runs numbered migrations for every backend, so that each
// brings its SQL and what its errors mean, and nothing else.
package migration

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/holdfast-sync/holdfast/store"
)

// Runner applies the migrations of a provider. Translate makes an error of the
// database one of package store.
type Runner struct {
	*goose.Provider
	Translate func(error) error
}

// Up applies what is pending, each migration in a Tx of its own, and reports
// each before it begins.
func (r Runner) Up(ctx context.Context, report func(store.Migration)) error {
	for {
		status, err := r.Status(ctx)
		if err != nil {
			return err
		}
		next := pending(status)
		if next == nil {
			return nil
		}
		report(*next)
		if _, err := r.UpByOne(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
			return fmt.Errorf("migration %d (%s): %w", next.Version, next.Name, r.Translate(err))
		}
	}
}

func pending(all []store.Migration) *store.Migration {
	for i := range all {
		if all[i].AppliedAt.IsZero() {
			return &all[i]
		}
	}
	return nil
}

// Status lists every known migration in order.
func (r Runner) Status(ctx context.Context) ([]store.Migration, error) {
	all, err := r.Provider.Status(ctx)
	if err != nil {
		return nil, r.Translate(err)
	}
	out := make([]store.Migration, len(all))
	for i, one := range all {
		name := strings.TrimSuffix(one.Source.Path[strings.LastIndexByte(one.Source.Path, '/')+1:], ".sql")
		out[i] = store.Migration{Version: one.Source.Version, Name: name, AppliedAt: one.AppliedAt}
	}
	return out, nil
}
