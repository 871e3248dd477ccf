package api

import (
	"fmt"
	"strings"
	"testing"
)

// usualBatch is n transactions of about 400 bytes, as an app would send them.
func usualBatch(n int) []byte {
	var txs []string
	for i := range n {
		txs = append(txs, fmt.Sprintf(`{"id":"0192f3c0-7a1b-7c3d-8e4f-%012x","seq":%d,"type":"pick.completed","schema":3,`+
			`"entity":{"type":"order","id":"A-%d"},"orderKey":"order/A-%d","occurredAt":"2026-11-20T10:15:00.123Z",`+
			`"payload":{"orderId":"A-%d","picker":"Márta Kovács","lines":[{"sku":"4006381333931","qty":2,"weight":1.25},`+
			`{"sku":"4006381333948","qty":1,"weight":0.4}],"note":"left at door 4"}}`, i, i+1, i, i, i))
	}
	return []byte(batchOf(strings.Join(txs, ",")))
}

func BenchmarkDecodeBatch(b *testing.B) {
	for _, n := range []int{1, 50, 1000} {
		b.Run(fmt.Sprintf("transactions=%d", n), func(b *testing.B) {
			body, limits := usualBatch(n), DefaultLimits()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeBatch(body, limits); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/tx")
		})
	}
}

// A transaction more costs no allocation more.
func TestDecodeBatchAllocations(t *testing.T) {
	limits := DefaultLimits()
	for _, n := range []int{1, 50, 1000} {
		body := usualBatch(n)
		if got := testing.AllocsPerRun(10, func() { _, _ = decodeBatch(body, limits) }); got > 5 {
			t.Errorf("%v allocations for %d transactions", got, n)
		}
	}
}
