package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
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

func everyPartOfExpectedIsCompared(t *testing.T, s store.Store) {
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	for name, change := range map[string]func(*store.Append){
		"through too low":  func(a *store.Append) { a.Expected.AcceptedThrough = 2 },
		"through too high": func(a *store.Append) { a.Expected.AcceptedThrough = 4 },
		"digest":           func(a *store.Append) { a.Expected.Digest[7]++ },
		"quarantined":      func(a *store.Append) { a.Expected.Quarantined++ },
		"device":           func(a *store.Append) { a.Expected.Owner.Device = "ipad-0042-04" },
		"shop":             func(a *store.Append) { a.Expected.Owner.Shop = "" },
		"epoch":            func(a *store.Append) { a.Epoch = 2 },
		"no epoch":         func(a *store.Append) { a.Epoch = 0 },
		"unknown stream":   func(a *store.Append) { a.Expected = holdfast.Head{} },
	} {
		a := Step(stream, head, 1, 1)
		change(a)
		if err := s.Append(t.Context(), a); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	unknown := Step(ID(0x55, 2), holdfast.Head{}, 1, 1)
	unknown.Expected.AcceptedThrough = 1
	mustConflict(t, s, unknown)
	early := Step(ID(0x55, 2), holdfast.Head{}, 1, 1)
	early.Epoch = 2
	mustConflict(t, s, early)
	CheckStream(t, s, stream, 1, 3)
	if v := mustView(t, s, ID(0x55, 2), holdfast.ID{}); v.Head != (holdfast.Head{}) {
		t.Fatalf("a refused stream was begun: %+v", v.Head)
	}
}

func aConflictWritesNothing(t *testing.T, s store.Store) {
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	late := Step(stream, holdfast.Head{AcceptedThrough: 2, Digest: head.Digest, Owner: head.Owner}, 2, 4)
	late.Batch.Problems = []holdfast.TransactionProblem{{Seq: 4, Problem: []byte(`{}`)}}
	mustConflict(t, s, late)
	if v := mustView(t, s, stream, late.Batch.Correlation); v.Batch != nil || v.Head != head {
		t.Fatalf("%+v", v)
	}
	ids := make([]holdfast.ID, 0, 4)
	for _, tx := range late.Transactions {
		ids = append(ids, tx.ID)
	}
	if held := mustHeld(t, s, store.HeldQuery{Stream: stream, IDs: ids}); len(held) != 0 {
		t.Fatalf("%d rows of a refused step", len(held))
	}
	// The seq that it would have quarantined is free of it.
	mustAppend(t, s, Step(stream, head, 1, 1))
	if tx, err := s.Transaction(t.Context(), stream, 4); err != nil || tx.Problem != nil {
		t.Fatalf("%+v %v", tx, err)
	}
}

func heldIDsConflict(t *testing.T, s store.Store) {
	head := mustAppend(t, s, Step(stream, holdfast.Head{}, 1, 3))
	a := Step(stream, head, 1, 2)
	a.Transactions[1].ID = Transaction(1, 2).ID
	mustConflict(t, s, a)
	CheckStream(t, s, stream, 1, 3)
	// The same ids in another stream are others.
	other := ID(0x55, 2)
	mustAppend(t, s, Step(other, holdfast.Head{}, 1, 3))
	CheckStream(t, s, other, 1, 3)
}

func aCorrelationIDIsUsedOnce(t *testing.T, s store.Store) {
	first := Step(stream, holdfast.Head{}, 1, 3)
	head := mustAppend(t, s, first)
	a := Step(stream, head, 1, 1)
	a.Batch.Correlation = first.Batch.Correlation
	mustConflict(t, s, a)
	CheckStream(t, s, stream, 1, 3)
	other := Step(ID(0x55, 2), holdfast.Head{}, 1, 1)
	other.Batch.Correlation = first.Batch.Correlation
	mustAppend(t, s, other)
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

func oneWinnerPerStep(t *testing.T, s store.Store) {
	var head holdfast.Head
	for round := range 8 {
		var wins atomic.Int32
		var winner atomic.Pointer[store.Append]
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				a := Step(stream, head, byte(w+1), 2)
				a.Batch.Correlation = ID(byte(0x80+w), round)
				switch err := s.Append(t.Context(), a); {
				case err == nil:
					wins.Add(1)
					winner.Store(a)
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("%d winners", wins.Load())
		}
		head = winner.Load().Next
		if v := mustView(t, s, stream, holdfast.ID{}); v.Head != head {
			t.Fatalf("%+v, want %+v", v.Head, head)
		}
	}
}

// Good streams and ones that break every rule are written at the same time.
func aConflictFailsNoNeighbour(t *testing.T, s store.Store) {
	bad := ID(0x66, 0)
	badHead := mustAppend(t, s, Step(bad, holdfast.Head{}, 1, 2))
	const good, steps = 24, 12
	var wg sync.WaitGroup
	for w := range good {
		wg.Go(func() {
			var head holdfast.Head
			for range steps {
				a := Step(ID(0x55, w), head, 1, 2)
				if err := s.Append(t.Context(), a); err != nil {
					t.Errorf("stream %d: %v", w, err)
					return
				}
				head = a.Next
			}
		})
	}
	for w := range 8 {
		wg.Go(func() {
			for i := range steps {
				a := Step(bad, badHead, 1, 2)
				a.Batch.Correlation = ID(byte(0x90+w), i)
				switch i % 3 {
				case 0:
					a.Transactions[0].ID = Transaction(1, 1).ID
				case 1:
					a.Batch.Correlation = ID(1^0xc0, 1)
				default:
					a.Expected.AcceptedThrough = 77
				}
				if err := s.Append(t.Context(), a); !errors.Is(err, store.ErrConflict) {
					t.Errorf("a bad step: %v", err)
				}
			}
		})
	}
	wg.Wait()
	CheckStream(t, s, bad, 1, 2)
	for w := range good {
		CheckStream(t, s, ID(0x55, w), 1, 2*steps)
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
