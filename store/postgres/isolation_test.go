package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// A database whose default is another isolation level: what waits for a lock must see what its holder has done.
func TestTheIsolationLevelIsOurs(t *testing.T) {
	url := migrated(t, testserver.Postgres(t))
	admin := connect(t, url)
	name := url[strings.LastIndexByte(url, '/')+1:]
	if i := strings.IndexByte(name, '?'); i >= 0 {
		name = name[:i]
	}
	if _, err := admin.Exec(t.Context(), `ALTER DATABASE "`+name+`" SET default_transaction_isolation = 'repeatable read'`); err != nil {
		t.Fatal(err)
	}
	s := openURL(t, url)
	head := holdfast.Head{}
	lane := func(store.LoggedTransaction) holdfast.Lane { return storetest.Lane(1) }
	step := func() {
		t.Helper()
		a := storetest.Step(storetest.ID(0x55, 1), head, 1, 1)
		if err := s.Append(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		head = a.Next
	}
	step()
	orders := storetest.Consumer{Name: "orders", Lane: lane}
	if err := storetest.PlanAll(t.Context(), s, orders); err != nil {
		t.Fatal(err)
	}
	step()
	// Somebody holds the lane, finishes the first one, and lets go while the plan of the second waits.
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1::integer, $2::integer)", 0x48464c44, int32(storetest.Lane(1)[0])*16+int32(storetest.Lane(1)[1])/16); err != nil {
		t.Fatal(err)
	}
	planned := make(chan error, 1)
	go func() { planned <- storetest.PlanAll(t.Context(), s, orders) }()
	time.Sleep(500 * time.Millisecond)
	if _, err := tx.Exec(t.Context(), "UPDATE deliveries SET status = 10"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-planned; err != nil {
		t.Fatal(err)
	}
	c, err := s.ClaimDeliveries(t.Context(), store.ClaimQuery{Consumer: "orders", Node: "n", Most: 5, Lease: time.Minute})
	if err != nil || len(c.Deliveries) != 1 {
		t.Errorf("%d claimed, want the second one, which is the first of its lane: %v", len(c.Deliveries), err)
	}
}
