package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

const loneBatch = `
INSERT INTO batches (stream, correlation, first_seq, last_seq, duplicates, fingerprint, context, epoch)
VALUES ((SELECT num FROM streams LIMIT 1), gen_random_uuid(), 1, 1, 1, '', '{}', 1)`

// The xmax of a snapshot is one past the highest COMPLETED xid: a Tx that runs may have a higher one. A writer whose xid is the
// younger one and whose position is the lower one is passed over, and its transactions are never delivered.
func TestAHoleOfAYoungerTxIsNotPassedOver(t *testing.T) {
	url := migrated(t, testserver.Postgres(t))
	s := openURL(t, url)
	a := storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 1)
	if err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	page, err := s.Unplanned(t.Context(), 100, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SavePlan(t.Context(), store.Plan{From: page.From, To: page.To}); err != nil {
		t.Fatal(err)
	}
	older, err := connect(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	younger, err := connect(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// As appendStatement does: streams are written first (that gives the xid), positions are taken afterwards.
	for _, step := range []struct {
		tx        pgx.Tx
		statement string
	}{{older, "SELECT pg_current_xact_id()"}, {younger, "SELECT pg_current_xact_id()"}, {younger, loneBatch}, {older, loneBatch}} {
		if _, err := step.tx.Exec(t.Context(), step.statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := older.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		next, err := s.Unplanned(t.Context(), 100, true)
		if err != nil {
			t.Fatal(err)
		}
		if next.To != page.To {
			t.Fatalf("the plan goes from %d to %d over a batch that is being committed", next.From, next.To)
		}
	}
	if err := younger.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Expired messages must not hide those that are not.
func TestExpiredMessagesHideNothing(t *testing.T) {
	url := migrated(t, testserver.Postgres(t))
	s := openURL(t, url)
	stream := storetest.ID(0x55, 1)
	if err := s.Append(t.Context(), storetest.Step(stream, holdfast.Head{}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	send := func(n int, expires time.Time) {
		t.Helper()
		m := holdfast.Message{ID: storetest.ID(0x66, n), Shop: "0042", Body: []byte(`{}`), ExpiresAt: expires}
		if err := s.SendMessage(t.Context(), m, holdfast.AuditEvent{ID: storetest.ID(0x67, n), Action: holdfast.ActionMessage, Outcome: holdfast.OutcomeSuccess}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 10 {
		send(n, time.Now().Add(-time.Minute))
	}
	send(10, time.Now().Add(time.Hour))
	all, err := s.Changes(t.Context(), holdfast.ChangesQuery{Stream: stream, Shop: "0042", Limit: 10})
	if err != nil || len(all) != 1 {
		t.Errorf("%d messages, want the one that has not expired: %v", len(all), err)
	}
}

// A payload may hold what PostgreSQL can't make text of; it is kept, and must not keep operators from the list.
func TestTheQuarantineListsEveryPayload(t *testing.T) {
	for name, payload := range map[string]string{"nul": `"\u0000"`, "surrogate": `"\ud800"`} {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, testserver.Postgres(t))
			s := openURL(t, url)
			a := storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 1)
			a.Transactions[0].Raw = []byte(`{"type":"pick.completed","payload":{"x":` + payload + `}}`)
			a.Batch.Problems = []holdfast.TransactionProblem{{Seq: 1, Problem: []byte(`{"code":"schema-violation"}`)}}
			a.Next.Quarantined = 1
			if err := s.Append(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			all, err := s.Quarantined(t.Context(), holdfast.QuarantineQuery{Limit: 10})
			if err != nil || len(all) != 1 {
				t.Errorf("%d %v", len(all), err)
			}
		})
	}
}

// What a consumer answers may be anything; it must not keep the results of others from being recorded.
func TestAReferenceThatIsNoUTF8(t *testing.T) {
	url := migrated(t, testserver.Postgres(t))
	s := openURL(t, url)
	if err := s.Append(t.Context(), storetest.Step(storetest.ID(0x55, 1), holdfast.Head{}, 1, 2)); err != nil {
		t.Fatal(err)
	}
	if err := storetest.PlanAll(t.Context(), s, storetest.Consumer{Name: "orders", Lane: func(l store.LoggedTransaction) holdfast.Lane { return storetest.Lane(int(l.Seq)) }}); err != nil {
		t.Fatal(err)
	}
	c, err := s.ClaimDeliveries(t.Context(), store.ClaimQuery{Consumer: "orders", Node: "n", Most: 10, Lease: time.Minute})
	if err != nil || len(c.Deliveries) != 2 {
		t.Fatal(c, err)
	}
	var all []store.FinishedDelivery
	for _, d := range c.Deliveries {
		all = append(all, store.FinishedDelivery{Position: d.Position, Generation: d.Generation, Stream: d.Stream, Seq: d.Seq, Status: holdfast.DeliveryDelivered, Reference: "R-1"})
	}
	all[1].Reference = "K\xf6ln-1"
	won, err := s.FinishDeliveries(t.Context(), all)
	if err != nil || !won[0] {
		t.Errorf("%v %v", won, err)
	}
}

func TestNoticesReachOtherNodes(t *testing.T) {
	url := migrated(t, testserver.Postgres(t))
	storetest.Notices(t, openURL(t, url), openURL(t, url))
}
