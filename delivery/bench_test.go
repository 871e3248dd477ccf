package delivery_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/store"
)

// each runs a benchmark on both stores; exec runs statements beside them.
func each(b *testing.B, bench func(b *testing.B, s store.Store, exec func(statement string))) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		s := openSQLiteIn(b, dir)
		bench(b, s, func(statement string) {
			db, err := sql.Open("sqlite", "file:"+dir+"/holdfast.db?_pragma=busy_timeout(60000)")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(context.Background(), statement); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("postgres", func(b *testing.B) {
		s, url := openPostgres(b)
		bench(b, s, func(statement string) {
			conn, err := pgx.Connect(context.Background(), url)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close(context.Background())
			if _, err := conn.Exec(context.Background(), statement); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkDeliveries is the whole way from the log to the recorded answer of an instant consumer, with order per stream: 200
// streams, 50 transactions in a batch. An operation is a delivery.
func BenchmarkDeliveries(b *testing.B) {
	each(b, func(b *testing.B, s store.Store, _ func(string)) {
		const streams, batch = 200, 50
		for left, n := b.N, 0; left > 0; n++ {
			some := min(left, batch)
			accept(b, s, n%streams, some)
			left -= some
		}
		instant := &sender{}
		b.ResetTimer()
		m := start(b, s, func(c *delivery.Config) { c.Poll = 500 * time.Millisecond },
			delivery.Consumer{Name: "orders", Order: delivery.OrderStream, Concurrency: 64, Sender: instant})
		m.Wake()
		for {
			_, log, err := s.PlannedThrough(context.Background())
			counts, other := s.CountDeliveries(context.Background())
			planned, _, _ := s.PlannedThrough(context.Background())
			if err != nil || other != nil {
				b.Fatal(err, other)
			}
			if instant.count() >= b.N && len(counts) == 0 && planned == log {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	})
}

// fill makes rows that wait, in 5000 lanes of 1000 stores, without the way through intake; the transactions are a stream's of that many.
func fill(sqlite bool, rows int) []string {
	series, lane, id, now := "generate_series(1, %d) AS g(i)", "decode(lpad(to_hex(i % 5000), 32, '0'), 'hex')", "gen_random_uuid()", "now()"
	body, after := `'{"id":"x","seq":' || i || ',"type":"pick.completed","payload":{}}'`, "'{}'"
	if sqlite {
		series, lane, id, now = "(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d) SELECT i FROM g)", "unhex(printf('%032x', i % 5000))", "randomblob(16)", "1"
		body, after = "CAST("+body+" AS BLOB)", "'[]'"
	}
	series = strings.ReplaceAll(series, "%d", strconv.Itoa(rows))
	return []string{
		"INSERT INTO transactions (stream, seq, id, batch, body) SELECT 1, i + 1, " + id + ", 1, " + body + " FROM " + series,
		"INSERT INTO deliveries (stream, seq, consumer, type, shop, lane, after, waits, behind, status, due_at, created_at) SELECT 1, i + 1, 'orders', 'pick.completed', " +
			"CAST(i % 1000 AS TEXT), " + lane + ", " + after + ", 0, i > 5000, 0, " + now + ", " + now + " FROM " + series,
	}
}

// BenchmarkClaim claims and finishes 64 deliveries at a time out of a backlog. Its cost must not depend on how long that is. An
// operation is a delivery. HOLDFAST_BENCH_ROWS=1000000 adds a backlog of that many.
func BenchmarkClaim(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if more, err := strconv.Atoi(os.Getenv("HOLDFAST_BENCH_ROWS")); err == nil {
		sizes = append(sizes, more)
	}
	for _, rows := range sizes {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			each(b, func(b *testing.B, s store.Store, exec func(string)) {
				accept(b, s, 1, 1)
				for _, statement := range fill(strings.HasSuffix(b.Name(), "sqlite"), rows) {
					exec(statement)
				}
				exec("ANALYZE")
				ctx, after := context.Background(), store.ClaimCursor{}
				b.ResetTimer()
				for left := b.N; left > 0; {
					c, err := s.ClaimDeliveries(ctx, store.ClaimQuery{Consumer: "orders", Node: "n1", Most: min(64, left), Lease: time.Minute, After: after})
					if err != nil {
						b.Fatal(err)
					}
					after = c.Next
					all := make([]store.FinishedDelivery, len(c.Deliveries))
					for i, d := range c.Deliveries {
						all[i] = store.FinishedDelivery{Position: d.Position, Generation: d.Generation, Stream: d.Stream, Seq: d.Seq, Status: holdfast.DeliveryDelivered}
					}
					if len(all) == 0 && c.Next == (store.ClaimCursor{}) {
						b.Fatalf("the backlog of %d is used up after %d", rows, b.N-left)
					}
					if _, err := s.FinishDeliveries(ctx, all); err != nil {
						b.Fatal(err)
					}
					left -= len(all)
				}
			})
		})
	}
}
