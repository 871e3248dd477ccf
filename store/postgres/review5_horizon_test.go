package postgres_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// Not a test: a claim's time while a long Tx (a dump) keeps dead rows alive (REVIEW5_BACKLOG=1).
func TestReview5Horizon(t *testing.T) {
	if os.Getenv("REVIEW5_BACKLOG") == "" {
		t.Skip("REVIEW5_BACKLOG")
	}
	url := migrated(t, testserver.Postgres(t))
	s := openURL(t, url)
	conn := review5Conn(t, url)
	if err := s.Append(t.Context(), storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	exec := func(q string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO transactions (stream, seq, id, batch, body) SELECT s.num, i, gen_random_uuid(), 1, '{"type":"x","payload":{}}' FROM streams s, generate_series(2,50000) i`)
	exec(`INSERT INTO deliveries (stream, seq, consumer, type, shop, lane, after, waits, behind, status) SELECT s.num, i, 'a', 'x', s.shop, decode(md5(i::text),'hex'), '{}', 0, false, 0 FROM streams s, generate_series(1,50000) i ORDER BY i`)
	exec("VACUUM ANALYZE deliveries")
	claim := func(what string) {
		began := time.Now()
		c, err := s.ClaimDeliveries(t.Context(), store.ClaimQuery{Consumer: "a", Node: "n", Most: 16, Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%-50s %d in %s\n", what, len(c.Deliveries), time.Since(began))
	}
	claim("first")
	claim("second")
	exec("UPDATE deliveries SET status = 10 WHERE seq <= 40000")
	claim("40000 done")
	claim("again")
	claim("again")
	old := review5Conn(t, url)
	if _, err := old.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ"); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(t.Context(), "SELECT count(*) FROM streams"); err != nil {
		t.Fatal(err)
	}
	exec("UPDATE deliveries SET status = 10 WHERE seq <= 49000 AND status = 0")
	for range 3 {
		claim("9000 more done, beside a long Tx")
	}
}
