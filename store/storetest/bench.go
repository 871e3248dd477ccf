package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Bench measures appends of 1 and 50 transactions by 1, 16 and 64 callers.
func Bench(b *testing.B, open Open) {
	for _, size := range []int{1, 50} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("transactions=%d/callers=%d", size, callers), func(b *testing.B) {
				benchAppend(b, open(b), size, callers)
			})
		}
	}
}

func benchAppend(b *testing.B, s store.Store, size, callers int) {
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
