package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

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
