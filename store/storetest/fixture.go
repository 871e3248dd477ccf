package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Open opens a fresh, empty, migrated store and closes it when the test ends.
type Open func(tb testing.TB) store.Store

// ID makes an id of a kind and a number, the same one each time.
func ID(kind byte, n int) holdfast.ID {
	id := holdfast.ID{0: kind, 6: 0x70, 8: 0x80}
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}

// Transaction is number seq of a history: histories differ in their ids.
func Transaction(history byte, seq int64) holdfast.Transaction {
	id := ID(history, int(seq))
	raw := fmt.Appendf(nil, `{"id":"%s","seq":%d,"type":"pick.completed","schema":3,"entity":{"type":"order","id":"A-%d"},`+
		`"orderKey":"order/A-17","occurredAt":"2026-11-20T10:15:00.123Z","payload":{"orderNumber":"A-17","lines":[`+
		`{"sku":"4006381333931","quantity":2,"location":"12-04-B","picked":2},{"sku":"4006381333948","quantity":1,`+
		`"location":"12-07-A","picked":1}],"tote":"T-0042-113","durationMs":48211,"note":"second shelf, left"}}`, id, seq, seq%997)
	return holdfast.Transaction{ID: id, Seq: seq, Type: "pick.completed", Schema: 3, Raw: raw, Hash: holdfast.HashOf(raw)}
}

// Step continues a stream from head with n transactions of a history.
func Step(stream holdfast.ID, head holdfast.Head, history byte, n int) *store.Append {
	a := &store.Append{Epoch: 1, Stream: stream, Expected: head, Next: head}
	for i := range n {
		tx := Transaction(history, head.AcceptedThrough+int64(i)+1)
		a.Transactions = append(a.Transactions, tx)
		a.Next.Digest = a.Next.Digest.Next(tx.Hash)
	}
	if head.AcceptedThrough == 0 {
		a.Next.Owner = holdfast.Owner{Device: "ipad-0042-03", Shop: "0042"}
	}
	a.Next.AcceptedThrough += int64(n)
	correlation := ID(history^0xc0, int(head.AcceptedThrough)+1)
	a.Batch = holdfast.BatchRecord{
		Correlation: correlation, First: head.AcceptedThrough + 1, Last: a.Next.AcceptedThrough,
		Fingerprint: holdfast.HashOf(correlation[:]),
		Context:     holdfast.RequestContext{Correlation: correlation.String(), Shop: "0042", Device: "ipad-0042-03", User: "u1"},
	}
	return a
}

// Digest is the running hash of a history at seq.
func Digest(history byte, seq int64) (d holdfast.Digest) {
	for i := int64(1); i <= seq; i++ {
		d = d.Next(Transaction(history, i).Hash)
	}
	return d
}

func mustAppend(tb testing.TB, s store.Store, a *store.Append) holdfast.Head {
	tb.Helper()
	if err := s.Append(tb.Context(), a); err != nil {
		tb.Fatalf("append: %v", err)
	}
	return a.Next
}

func mustConflict(tb testing.TB, s store.Store, a *store.Append) {
	tb.Helper()
	if err := s.Append(tb.Context(), a); !errors.Is(err, store.ErrConflict) {
		tb.Fatalf("want a conflict, got %v", err)
	}
}

func mustView(tb testing.TB, s store.Store, stream, correlation holdfast.ID) store.View {
	tb.Helper()
	v, err := s.View(tb.Context(), store.Key{Stream: stream, Correlation: correlation})
	if err != nil {
		tb.Fatalf("view: %v", err)
	}
	return v
}

func mustHeld(tb testing.TB, s store.Store, q store.HeldQuery) []store.Held {
	tb.Helper()
	held, err := s.Held(tb.Context(), q)
	if err != nil {
		tb.Fatalf("held: %v", err)
	}
	return held
}

// CheckStream reads a whole stream back and compares it with n transactions of
// a history: once, in order, to the byte, under the right digest.
func CheckStream(tb testing.TB, s store.Store, stream holdfast.ID, history byte, n int64) {
	tb.Helper()
	v := mustView(tb, s, stream, holdfast.ID{})
	if v.Head.AcceptedThrough != n || v.Head.Digest != Digest(history, n) {
		tb.Fatalf("the head is %+v, want %d transactions", v.Head, n)
	}
	held := mustHeld(tb, s, store.HeldQuery{Stream: stream, First: 1, Last: n + 1000})
	if int64(len(held)) != n {
		tb.Fatalf("%d transactions are held, want %d", len(held), n)
	}
	for i, h := range held {
		if want := Transaction(history, int64(i)+1); h.Seq != want.Seq || h.ID != want.ID || string(h.Raw) != string(want.Raw) {
			tb.Fatalf("place %d holds seq %d %s", i, h.Seq, h.ID)
		}
	}
}

func within(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}
