package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// A batch that is being committed while a later one is there already is not passed over; one that was rolled back is.
func TestPlansWaitForOpenCommits(t *testing.T) {
	url := migrated(t, testserver.Postgres(t))
	s := openURL(t, url)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	stream := storetest.ID(0x55, 1)
	var head holdfast.Head
	step := func() {
		t.Helper()
		a := storetest.Step(stream, head, 1, 1)
		if err := s.Append(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		head = a.Next
	}
	through := func() (n int) {
		t.Helper()
		page, err := s.Unplanned(t.Context(), 100, true)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Transactions)
	}
	step()
	for name, end := range map[string]func(pgx.Tx, context.Context) error{"commit": pgx.Tx.Commit, "rollback": pgx.Tx.Rollback} {
		before := through()
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `
INSERT INTO batches (stream, correlation, first_seq, last_seq, duplicates, fingerprint, context, epoch)
VALUES ((SELECT num FROM streams LIMIT 1), gen_random_uuid(), 1, 1, 1, '', '{}', 1)`); err != nil {
			t.Fatal(err)
		}
		step()
		if n := through(); n != before {
			t.Errorf("%s: %d transactions are planned around an open commit, %d before", name, n, before)
		}
		if err := end(tx, t.Context()); err != nil {
			t.Fatal(err)
		}
		through() // what is before the hole is told at once, and what is behind it the next time
		if n := through(); n != before+1 {
			t.Errorf("%s: %d transactions afterwards, %d before", name, n, before)
		}
	}
}
