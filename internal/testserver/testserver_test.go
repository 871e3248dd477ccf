package testserver_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func one(t *testing.T, url string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(ctx, "SELECT 1")
	return err
}

func TestPostgresLivesDiesAndComesBack(t *testing.T) {
	pg := testserver.NewPostgres(t)
	url := pg.NewDatabase(t)
	if err := one(t, url); err != nil {
		t.Fatal(err)
	}
	pg.Pause()
	if err := one(t, url); err == nil {
		t.Fatal("a paused server answers")
	}
	pg.Resume()
	pg.Kill()
	if err := one(t, url); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
	if err := one(t, url); err != nil {
		t.Fatal(err)
	}
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestRedisLivesDiesAndComesBack(t *testing.T) {
	r := testserver.Redis(t)
	r.Kill()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
}
