package jsonscan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

// body is a batch of n transactions of about 400 bytes, as an app would send it.
func body(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"epoch":7,"transactions":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"0192f3c0-7a1b-7c3d-8e4f-%012x","seq":%d,"type":"pick.completed","schema":3,`+
			`"entity":{"type":"order","id":"A-%d"},"orderKey":"order/A-%d","occurredAt":"2026-11-20T10:15:00.123Z",`+
			`"payload":{"orderId":"A-%d","picker":"Márta Kovács","lines":[{"sku":"4006381333931","qty":2,"weight":1.25,"ok":true},`+
			`{"sku":"4006381333948","qty":1,"weight":0.4,"ok":false}],"note":"left at the loading dock, door 4","pallet":null}}`,
			i, i+1, i, i, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func BenchmarkValid(b *testing.B) {
	long := []byte(`{"text":"` + strings.Repeat("a picture in base64 has no line ends; ", 1000) + `"}`)
	for name, text := range map[string][]byte{"transaction": body(1), "batch of 50": body(50), "long string": long} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := jsonscan.Valid(text, jsonscan.MaxDepth); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStandardLibrary is what [BenchmarkValid] is compared with.
func BenchmarkStandardLibrary(b *testing.B) {
	text := body(50)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if !json.Valid(text) {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkEqual(b *testing.B) {
	text := body(50)
	other := []byte(strings.ReplaceAll(string(text), `"schema":3,`, `"schema" : 3.0 , `))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if !jsonscan.Equal(text, other) {
			b.Fatal("not equal")
		}
	}
}
