package faults_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// kill -9 in the middle of a migration, which waits for a table name that
// somebody else is about to take: afterwards nothing of it is there, and the
// next attempt does all of it.
func TestKilledWhileMigratingPostgres(t *testing.T) {
	url := testserver.Postgres(t).NewDatabase(t)
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	tx, err := other.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "CREATE TABLE tokens (x int)"); err != nil {
		t.Fatal(err)
	}
	watch, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	cmd := exec.Command(harness.Binary(t), "migrate", "up", "--output", "json")
	cmd.Env = append(cmd.Environ(), "HOLDFAST_DATABASE_URL="+url)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 20*time.Second, func() error {
		var waiting int
		err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%CREATE TABLE tokens%'").Scan(&waiting)
		if err == nil && waiting == 0 {
			err = fmt.Errorf("the migration does not wait")
		}
		return err
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOLDFAST_DATABASE_URL=" + url}
	harness.Eventually(t, 20*time.Second, func() error { // until the server has noticed the death
		var tables int
		err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE tablename IN ('epochs', 'streams', 'transactions')").Scan(&tables)
		if err == nil && tables != 0 {
			err = fmt.Errorf("%d tables of half a migration", tables)
		}
		return err
	})
	if _, _, code := harness.Command(t, t.TempDir(), env, "migrate", "validate"); code == 0 {
		t.Fatal("half a migration is valid")
	}
	if out, errs, code := harness.Command(t, t.TempDir(), env, "migrate", "up"); code != 0 {
		t.Fatal(out, errs)
	}
	if out, errs, code := harness.Command(t, t.TempDir(), env, "migrate", "validate"); code != 0 {
		t.Fatal(out, errs)
	}
}

// The same on one file, at twenty moments.
func TestKilledWhileMigratingSQLite(t *testing.T) {
	for round := range 20 {
		dir := t.TempDir()
		env := []string{"HOLDFAST_DATA_DIR=" + filepath.Join(dir, "data")}
		cmd := exec.Command(harness.Binary(t), "migrate", "up")
		cmd.Env, cmd.Dir = append(cmd.Environ(), env...), dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(round) * 3 * time.Millisecond) // the moment of the kill
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for _, command := range []string{"up", "validate"} {
			if out, errs, code := harness.Command(t, dir, env, "migrate", command); code != 0 {
				t.Fatalf("round %d: migrate %s: %s %s", round, command, out, errs)
			}
		}
	}
}
