package redact

import (
	"strings"
	"testing"
)

// cleanLines are about 500 bytes each, as this product and others write them.
var cleanLines = map[string]string{
	"JSON":  `{"bytesIn":1834,"bytesOut":412,"client":"10.12.0.7","correlationId":"0192f3c0-5a1e-7c3d-9b2f-1d2e3f4a5b6c","deviceId":"ipad-0042-7","durationMs":12.482,"level":"info","method":"POST","msg":"request","route":"/v1/streams/{streamId}/batches","scope":"device","sessionId":"b7c1d2e3-1111-4222-8333-abcdefabcdef","status":201,"storeId":"0042","streamId":"7d444840-9dc0-11d1-b245-5ffdce74fad2","subject":"dock-7","time":"2026-11-20T10:15:00.123Z","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","userId":"u-1834"}`,
	"text":  `time="2026-11-20T10:15:00Z" level=info msg="batch accepted" stream=7d444840-9dc0-11d1-b245-5ffdce74fad2 first=4182 last=4197 accepted=16 duplicates=0 quarantined=0 digest=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 epoch=7 durable=4180 node=8c13a2@holdfast lsn=0/16B3748 duration=12.4ms store=0042 user=u-1834 device=ipad-0042-7 version=4.18.2 order=A-17 sku=4006381333931 quantity=3 region=eu-central-1 zone=b path=/var/lib/holdfast/objects/ab/cd status=201 bytes=1834`,
	"prose": `2026-11-20 10:15:00.123 INFO  [http-nio-8080-exec-4] com.example.picking.OrderService - Order A-17 of store 0042 was picked by associate u-1834 in 182 seconds, 3 of 3 lines complete, first pick at 10:11:58, no substitutions; the next wave starts at 10:30 and has 42 orders in 7 zones, 5 of which need a forklift. The replenishment job 9182 moved 14 pallets from dock 7 to aisle 12 and finished without warnings after 1h 12m 9s, which is 3 percent faster than the mean of the last four weeks on this site.`,
}

func BenchmarkClean(b *testing.B) {
	for name, line := range cleanLines {
		b.Run(name, func(b *testing.B) {
			buf, dst := []byte(line), make([]byte, 0, 1024)
			if !Default.Clean(buf) {
				b.Fatal("not clean")
			}
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				dst = Default.Append(dst[:0], buf)
			}
		})
	}
}

func BenchmarkDirty(b *testing.B) {
	for name, line := range map[string]string{
		"one secret": cleanLines["JSON"][:480] + `,"password":"hunter2"}`,
		"hostile":    strings.Repeat(`"password":"\"`, 40),
	} {
		b.Run(name, func(b *testing.B) {
			buf, dst := []byte(line), make([]byte, 0, 2048)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				dst = Default.Append(dst[:0], buf)
			}
		})
	}
}
