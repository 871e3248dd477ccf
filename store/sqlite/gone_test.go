package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// A caller whose ctx ends while the writer has the task must not share variables with it (go test -race).
func TestACallerThatGoesAwaySharesNothing(t *testing.T) {
	dir := t.TempDir()
	migrated(t, dir)
	s := openDir(t, dir)
	if err := s.Append(t.Context(), storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := storetest.PlanAll(t.Context(), s, storetest.Consumer{Name: "orders", Lane: func(store.LoggedTransaction) holdfast.Lane { return storetest.Lane(1) }}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	other, err := sql.Open("sqlite", "file:"+files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c, err := s.ClaimDeliveries(ctx, store.ClaimQuery{Consumer: "orders", Node: "n", Most: 5, Lease: time.Minute})
	t.Log(len(c.Deliveries), err)
	if _, err := conn.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	all, err := s.Deliveries(t.Context(), holdfast.DeliveryQuery{Limit: 10})
	if err != nil || len(all) != 1 || all[0].Status != holdfast.DeliveryWaiting {
		t.Errorf("a claim that nobody waited for any more: %s until %s, %d attempts", all[0].Status, all[0].LeaseUntil, all[0].Attempts)
	}
}

func TestNotices(t *testing.T) {
	s := open(t)
	storetest.Notices(t, s, s)
}
