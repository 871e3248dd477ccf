package storetest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Bench measures appends of 1 and 50 transactions by 1, 16 and 64 callers, without
// an audit event and with the one that an accepted batch has.
func Bench(b *testing.B, open Open) {
	for _, size := range []int{1, 50} {
		for _, callers := range []int{1, 16, 64} {
			for _, events := range []int{0, 1} {
				b.Run(fmt.Sprintf("transactions=%d/callers=%d/events=%d", size, callers, events), func(b *testing.B) {
					benchAppend(b, open(b), size, callers, events)
				})
			}
		}
	}
}

func benchAppend(b *testing.B, s store.Store, size, callers, events int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			var head holdfast.Head
			for left.Add(-1) >= 0 {
				a := Step(ID(0x55, c), head, 1, size)
				if events > 0 {
					a.Events = []holdfast.AuditEvent{accepted(a, c)}
				}
				if err := s.Append(b.Context(), a); err != nil {
					b.Error(err)
					return
				}
				head = a.Next
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "transactions/s")
}

// accepted is the event of an accepted batch as intake writes it, with random ids where real ones are.
func accepted(a *store.Append, caller int) holdfast.AuditEvent {
	random := func() (id holdfast.ID) {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
		return id
	}
	e := holdfast.AuditEvent{
		ID: random(), ClientAt: time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC), Action: holdfast.ActionAccepted, Outcome: holdfast.OutcomeSuccess,
		Actor:   holdfast.AuditActor{Kind: "device", ID: "ipad-0042-03", Scope: holdfast.ScopeDevice},
		Target:  holdfast.AuditTarget{Kind: "transactions", ID: a.Stream.String()},
		Context: a.Batch.Context, Stream: a.Stream, First: a.Batch.First, Last: a.Batch.Last, Address: "192.0.2.17", Node: "gateway-a",
	}
	e.Context.Correlation, e.Context.Session, e.Context.AppVersion = random().String(), fmt.Sprint("session-", caller), "4.12.0"
	e.Context.Traceparent = "00-" + strings.ReplaceAll(random().String(), "-", "") + "-00f067aa0ba902b7-01"
	if len(a.Transactions) == 1 {
		e.Transaction = a.Transactions[0].ID
	}
	return e
}
