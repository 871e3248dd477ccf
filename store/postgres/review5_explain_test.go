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

// Not a test: times with a backlog (REVIEW5_BACKLOG=1).
func TestReview5Backlog(t *testing.T) {
	if os.Getenv("REVIEW5_BACKLOG") == "" {
		t.Skip("REVIEW5_BACKLOG")
	}
	url := migrated(t, testserver.Postgres(t))
	s := openURL(t, url)
	conn := review5Conn(t, url)
	a := storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 10)
	if err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	exec := func(q string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	}
	// 100 streams
	exec(`INSERT INTO streams (id, accepted_through, digest, quarantined, device, shop) SELECT ('00000000-0000-7000-8000-'||lpad(to_hex(i),12,'0'))::uuid, 3000, '', 0, 'd', lpad(i::text,4,'0') FROM generate_series(1,100) i`)
	exec(`INSERT INTO transactions (stream, seq, id, batch, body) SELECT s.num, i, gen_random_uuid(), 1, '{"type":"x","payload":{}}' FROM streams s, generate_series(1,3000) i WHERE s.device='d'`)
	lane := "decode(md5(s.num::text||'/'||(i/3)::text),'hex')"
	for _, c := range []string{"a", "b"} {
		after, waits := "'{}'", "0"
		if c == "b" {
			after, waits = "'{a}'", "1"
		}
		exec(`INSERT INTO deliveries (stream, seq, consumer, type, shop, lane, after, waits, behind, status) SELECT s.num, i, '` + c + `', 'x', s.shop, ` + lane + `, ` + after + `, ` + waits + `, i%3<>0, 0 FROM streams s, generate_series(1,1000) i WHERE s.device='d' ORDER BY i`)
	}
	measure := func(what string, fn func()) {
		began := time.Now()
		fn()
		fmt.Printf("%-40s %s\n", what, time.Since(began))
	}
	round := func(label string) {
		after := ""
		for k := range 4 {
			var c store.Claimed
			measure(label+" claim 64", func() {
				var err error
				c, err = s.ClaimDeliveries(t.Context(), store.ClaimQuery{Consumer: "a", Node: "n", Most: 64, Lease: time.Minute, AfterShop: after})
				if err != nil {
					t.Fatal(err)
				}
				after = c.AfterShop
			})
			var all []store.FinishedDelivery
			for i, d := range c.Deliveries {
				f := store.FinishedDelivery{Position: d.Position, Generation: d.Generation, Stream: d.Stream, Seq: d.Seq, Status: holdfast.DeliveryDelivered, Reference: "R",
					Change: &holdfast.Change{Kind: holdfast.ChangeDelivered, Stream: d.Stream, Seq: d.Seq, Consumer: "a"},
					Event:  &holdfast.AuditEvent{ID: storetest.ID(byte(0xe0+k), int(d.Position)*10+i), Action: holdfast.ActionDelivered, Outcome: holdfast.OutcomeSuccess, Stream: d.Stream, First: d.Seq, Last: d.Seq}}
				all = append(all, f)
			}
			measure(fmt.Sprintf("%s finish %d", label, len(all)), func() {
				if won, err := s.FinishDeliveries(t.Context(), all); err != nil || (len(won) > 0 && !won[0]) {
					t.Fatal(won, err)
				}
			})
		}
		measure(label+" empty claim", func() {
			_, _ = s.ClaimDeliveries(t.Context(), store.ClaimQuery{Consumer: "z", Node: "n", Most: 64, Lease: time.Minute})
		})
		var streams []holdfast.ID
		rows, _ := conn.Query(t.Context(), "SELECT id FROM streams WHERE device='d' ORDER BY id LIMIT 50")
		for rows.Next() {
			var id [16]byte
			_ = rows.Scan(&id)
			streams = append(streams, id)
		}
		var p store.Plan
		page, _ := s.Unplanned(t.Context(), 10, true)
		p.From, p.To = page.From, page.From
		base := int64(1001)
		if label == "analyzed" {
			base = 2001
		}
		for i, id := range streams {
			for k := range int64(5) {
				for _, c := range []string{"a", "b"} {
					p.Deliveries = append(p.Deliveries, holdfast.Delivery{Stream: id, Seq: base + k, Type: "x", Shop: fmt.Sprintf("%04d", i+1), Consumer: c, Lane: storetest.Lane(i), Status: holdfast.DeliveryWaiting})
				}
			}
		}
		measure(fmt.Sprintf("%s plan %d", label, len(p.Deliveries)), func() {
			if err := s.SavePlan(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		})
		measure(label+" stream deliveries", func() { _, _, _ = s.StreamDeliveries(t.Context(), streams[0], true) })
		measure(label+" act skip 1000", func() {
			n := 0
			done, err := s.ActOnDeliveries(t.Context(), holdfast.Deed{Verb: holdfast.VerbRetry, Deliveries: holdfast.DeliveryQuery{Consumer: "a", Limit: 1000}}, func(holdfast.Delivery) holdfast.AuditEvent {
				n++
				return holdfast.AuditEvent{ID: storetest.ID(byte(len(label)), n), Action: holdfast.ActionRetried, Outcome: holdfast.OutcomeSuccess}
			})
			if err != nil {
				fmt.Println(done, err)
			}
		})
		measure(label+" list held of a", func() {
			_, _ = s.Deliveries(t.Context(), holdfast.DeliveryQuery{Consumer: "a", Statuses: []holdfast.DeliveryStatus{holdfast.DeliveryHeld}, Limit: 100})
		})
		measure(label+" list waiting of shop", func() {
			_, _ = s.Deliveries(t.Context(), holdfast.DeliveryQuery{Shop: "0099", Statuses: []holdfast.DeliveryStatus{holdfast.DeliveryWaiting}, Limit: 100})
		})
		measure(label+" wake", func() { _ = s.WakeDeliveries(t.Context(), holdfast.HashOf([]byte("x"))) })
		measure(label+" recover", func() { _, _ = s.RecoverDeliveries(t.Context()) })
		measure(label+" count", func() { _, _ = s.CountDeliveries(t.Context()) })
	}
	round("fresh")
	exec("ANALYZE")
	round("analyzed")
}
