package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Run runs the whole suite, each test on a store of its own.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"AppendMovesTheHead", appendMovesTheHead},
		{"EveryPartOfExpectedIsCompared", everyPartOfExpectedIsCompared},
		{"AConflictWritesNothing", aConflictWritesNothing},
		{"HeldIDsConflict", heldIDsConflict},
		{"ACorrelationIDIsUsedOnce", aCorrelationIDIsUsedOnce},
		{"OnlyDuplicates", onlyDuplicates},
		{"OneWinnerPerStep", oneWinnerPerStep},
		{"AConflictFailsNoNeighbour", aConflictFailsNoNeighbour},
		{"RecordsComeBackWhole", recordsComeBackWhole},
		{"BytesComeBackAsTheyWere", bytesComeBackAsTheyWere},
		{"ABigBatch", aBigBatch},
		{"HeldBySeqAndID", heldBySeqAndID},
		{"Quarantine", quarantine},
		{"TransactionReadBack", transactionReadBack},
		{"UnknownStreams", unknownStreams},
		{"ADoneContextWritesNothing", aDoneContextWritesNothing},
		{"ReadsSeeWhatWasAcknowledged", readsSeeWhatWasAcknowledged},
		{"Queues", queues},
		{"Tokens", tokens},
		{"Epoch", epoch},
		{"AClosedStoreRefuses", aClosedStoreRefuses},
		{"Model", model},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	for _, c := range attachmentTests {
		t.Run("Attachments/"+c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	for _, c := range deliveryTests {
		t.Run("Deliveries/"+c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	for _, c := range auditTests {
		t.Run("Audit/"+c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var stream = ID(0x55, 1)

func appendMovesTheHead(t *testing.T, s store.Store) {
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	if got := mustView(t, s, stream, holdfast.ID{}); got.Head != head || got.Epoch != 1 || got.Batch != nil {
		t.Fatalf("got %+v, want %+v", got, head)
	}
	mustAppend(t, s, Step(stream, head, 1, 2))
	CheckStream(t, s, stream, 1, 5)
}

func onlyDuplicates(t *testing.T, s store.Store) {
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	a := Step(stream, head, 1, 0)
	a.Batch = holdfast.BatchRecord{
		Correlation: ID(0xdd, 1), First: 2, Last: 3, Duplicates: 2, Fingerprint: holdfast.HashOf([]byte("dup")),
		Problems: []holdfast.TransactionProblem{{Seq: 2, Problem: []byte(`{"code":"x"}`)}},
	}
	mustAppend(t, s, a)
	v := mustView(t, s, stream, a.Batch.Correlation)
	if v.Head != head || v.Batch == nil || v.Batch.Duplicates != 2 || v.Batch.First != 2 || len(v.Batch.Problems) != 1 {
		t.Fatalf("%+v", v)
	}
	if tx, err := s.Transaction(t.Context(), stream, 2); err != nil || tx.Problem != nil || tx.Correlation == a.Batch.Correlation {
		t.Fatalf("a duplicate's record changed the transaction: %+v %v", tx, err)
	}
}

func recordsComeBackWhole(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 3)
	a.Batch.Problems = []holdfast.TransactionProblem{{Seq: 2, Problem: []byte(`{"code":"schema-violation","detail":"ünï"}`)}}
	a.Next.Quarantined = 1
	a.Batch.Prior = []byte(`{"00000000-0000-7000-8000-000000000001":{"referenceNumber":"R-1"}}`)
	a.Batch.Context = holdfast.RequestContext{
		Correlation: "c", Shop: "0042", User: "u", Device: "d", Session: "s", AppVersion: "1.2.3",
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	before := time.Now()
	mustAppend(t, s, a)
	got := mustView(t, s, stream, a.Batch.Correlation).Batch
	if got == nil {
		t.Fatal("no record")
	}
	if age := got.AcceptedAt.Sub(before); age < -time.Minute || age > time.Minute {
		t.Fatalf("accepted at %v", got.AcceptedAt)
	}
	want := a.Batch
	want.Epoch, want.AcceptedAt = 1, got.AcceptedAt
	if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", want) {
		t.Fatalf("got\n%+v, want\n%+v", *got, want)
	}
}

func bytesComeBackAsTheyWere(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 0)
	for i, raw := range []string{
		"{ \"a\" : 1e400,\t\"b\":9223372036854775808,\r\n\"c\":-0.0 }",
		`{"nul":"\u0000","half":"\ud800","emoji":"😀","esc":"\ud83d\ude00","html":"<&>","sep":"` + "\u2028" + `"}`,
		`{"a":1,"a":2}`,
		`{"big":"` + strings.Repeat("x", 1<<20) + `"}`,
		`{"quote":"'';--\\ $1 %s ?"}`,
		`{}`,
	} {
		a.Transactions = append(a.Transactions, holdfast.Transaction{ID: ID(3, i), Seq: int64(i + 1), Raw: []byte(raw)})
	}
	a.Next.AcceptedThrough = int64(len(a.Transactions))
	a.Batch.First, a.Batch.Last = 1, a.Next.AcceptedThrough
	mustAppend(t, s, a)
	for i, h := range mustHeld(t, s, store.HeldQuery{Stream: stream, First: 1, Last: a.Next.AcceptedThrough}) {
		if !bytes.Equal(h.Raw, a.Transactions[i].Raw) {
			t.Errorf("number %d came back changed", i+1)
		}
	}
}

func aBigBatch(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 1000)
	for i := range a.Transactions {
		a.Transactions[i].Raw = append(a.Transactions[i].Raw, bytes.Repeat([]byte{' '}, 3600)...)
	}
	mustAppend(t, s, a)
	if held := mustHeld(t, s, store.HeldQuery{Stream: stream, First: 1, Last: 1000}); len(held) != 1000 {
		t.Fatalf("%d held", len(held))
	}
}

func heldBySeqAndID(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 20))
	ids := []holdfast.ID{Transaction(1, 3).ID, Transaction(1, 6).ID, Transaction(1, 17).ID, ID(9, 9)}
	var seqs []int64
	for _, h := range mustHeld(t, s, store.HeldQuery{Stream: stream, First: 5, Last: 7, IDs: ids}) {
		seqs = append(seqs, h.Seq)
	}
	if fmt.Sprint(seqs) != "[3 5 6 7 17]" {
		t.Fatal(seqs)
	}
	many := make([]holdfast.ID, 0, 1500)
	for i := range 1500 {
		many = append(many, ID(1, i))
	}
	if held := mustHeld(t, s, store.HeldQuery{Stream: stream, First: 100, Last: 200, IDs: many}); len(held) != 20 {
		t.Fatalf("%d held", len(held))
	}
}

func quarantine(t *testing.T, s store.Store) {
	a := Step(stream, holdfast.Head{}, 1, 3)
	problem := `{"code":"schema-violation"}`
	a.Batch.Problems = []holdfast.TransactionProblem{{Seq: 2, Problem: []byte(problem)}}
	a.Next.Quarantined = 1
	mustAppend(t, s, a)
	if v := mustView(t, s, stream, holdfast.ID{}); v.Head.Quarantined != 1 {
		t.Fatalf("%+v", v.Head)
	}
	for _, h := range mustHeld(t, s, store.HeldQuery{Stream: stream, First: 1, Last: 3}) {
		if (string(h.Problem) == problem) != (h.Seq == 2) || (h.Problem == nil) != (h.Seq != 2) {
			t.Errorf("seq %d: %s", h.Seq, h.Problem)
		}
	}
	tx, err := s.Transaction(t.Context(), stream, 2)
	if err != nil || string(tx.Problem) != problem {
		t.Fatalf("%s %v", tx.Problem, err)
	}
}

func transactionReadBack(t *testing.T, s store.Store) {
	first := Step(stream, holdfast.Head{}, 1, 2)
	head := mustAppend(t, s, first)
	second := Step(stream, head, 1, 2)
	second.Batch.Context.User = "u2"
	mustAppend(t, s, second)
	tx, err := s.Transaction(t.Context(), stream, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := Transaction(1, 3)
	if tx.ID != want.ID || tx.Seq != 3 || !bytes.Equal(tx.Raw, want.Raw) || tx.Correlation != second.Batch.Correlation ||
		tx.Context.User != "u2" || tx.Epoch != 1 || tx.AcceptedAt.IsZero() || tx.Problem != nil {
		t.Fatalf("%+v", tx)
	}
	for _, seq := range []int64{0, 5, -1, 1 << 62} {
		if _, err := s.Transaction(t.Context(), stream, seq); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("seq %d: %v", seq, err)
		}
	}
}

func unknownStreams(t *testing.T, s store.Store) {
	if v := mustView(t, s, stream, ID(1, 1)); v.Epoch != 1 || v.Head != (holdfast.Head{}) || v.Batch != nil {
		t.Fatalf("%+v", v)
	}
	if held := mustHeld(t, s, store.HeldQuery{Stream: stream, First: 1, Last: 9, IDs: []holdfast.ID{ID(1, 1)}}); len(held) != 0 {
		t.Fatalf("%+v", held)
	}
	if _, err := s.Transaction(t.Context(), stream, 1); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
}

func aDoneContextWritesNothing(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := Step(stream, holdfast.Head{}, 1, 1)
	switch err := s.Append(ctx, a); {
	case errors.Is(err, store.ErrUnavailable):
		mustAppend(t, s, a) // surely nothing was written
	case err == nil, errors.Is(err, store.ErrOutcomeUnknown):
		if err := s.Append(t.Context(), a); err != nil && !errors.Is(err, store.ErrConflict) {
			t.Fatal(err)
		}
	default:
		t.Fatal(err)
	}
	CheckStream(t, s, stream, 1, 1)
}

func readsSeeWhatWasAcknowledged(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			var head holdfast.Head
			for range 15 {
				a := Step(ID(0x55, w), head, 1, 1)
				if err := s.Append(t.Context(), a); err != nil {
					t.Error(err)
					return
				}
				head = a.Next
				v, err := s.View(t.Context(), store.Key{Stream: a.Stream, Correlation: a.Batch.Correlation})
				if err != nil || v.Head != head || v.Batch == nil {
					t.Errorf("%+v %v", v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func aClosedStoreRefuses(t *testing.T, s store.Store) {
	mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(within(t, 10*time.Second), Step(ID(0x55, 2), holdfast.Head{}, 1, 1)); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if _, err := s.View(within(t, 10*time.Second), store.Key{Stream: stream}); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal("closing twice:", err)
	}
}
