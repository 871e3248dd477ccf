package postgres

import (
	"context"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
)

// commented adds whose request it is to a statement that serves a single one, as
// sqlcommenter has it: keys in order, values URL-encoded, so that none can end the
// comment. Whoever reads pg_stat_activity or the server's log finds the request.
func commented(ctx context.Context, statement string) string {
	rc := holdfast.RequestContextFrom(ctx)
	var pairs []string
	for _, p := range [...]struct{ key, value string }{{"correlation", rc.Correlation}, {"traceparent", rc.Traceparent}} {
		if p.value != "" {
			pairs = append(pairs, p.key+"='"+strings.ReplaceAll(url.QueryEscape(p.value), "+", "%20")+"'")
		}
	}
	if len(pairs) == 0 {
		return statement
	}
	return statement + " /*" + strings.Join(pairs, ",") + "*/"
}

// query runs a statement that serves a single request. Its text is different each
// time, so it is not prepared.
func (s *Store) query(ctx context.Context, statement string, args ...any) (pgx.Rows, error) {
	return s.pool.Query(ctx, commented(ctx, statement), append([]any{pgx.QueryExecModeExec}, args...)...)
}

// queryRow is query for one row.
func (s *Store) queryRow(ctx context.Context, statement string, args ...any) pgx.Row {
	return s.pool.QueryRow(ctx, commented(ctx, statement), append([]any{pgx.QueryExecModeExec}, args...)...)
}

// list reads all rows of a statement that serves a single request.
func list[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], statement string, args ...any) (all []T, err error) {
	err = s.reading(ctx, func() error {
		rows, err := s.query(ctx, statement, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
