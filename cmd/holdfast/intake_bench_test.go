package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/redact"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// BenchmarkIntake measures a request through the whole gateway in this process,
// all but the network: processor time and allocations, on both stores.
func BenchmarkIntake(b *testing.B) {
	for _, database := range []string{"sqlite", "postgres"} {
		for _, size := range []int{1, 50} {
			b.Run(fmt.Sprintf("%s/transactions=%d", database, size), func(b *testing.B) {
				url := ""
				if database == "postgres" {
					url = testserver.Postgres(b).NewDatabase(b)
				}
				benchIntake(b, url, size)
			})
		}
	}
}

func benchIntake(b *testing.B, url string, size int) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.SetFormatter(&redact.Formatter{Inner: jsonFormatter{}, Scanner: redact.Default}) // as serve does
	s, err := settings.Load(settings.Sources{Environ: []string{"HOLDFAST_DATA_DIR=" + b.TempDir(), "HOLDFAST_DATABASE_URL=" + url}})
	if err != nil {
		b.Fatal(err)
	}
	n, err := newNode(s, log)
	if err != nil {
		b.Fatal(err)
	}
	defer n.close()
	if err := <-n.openDatabase(n.backend()); err != nil {
		b.Fatal(err)
	}
	var devices atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		device := int(devices.Add(1))
		stream := storetest.ID(0x55, device)
		for seq := int64(1); p.Next(); seq += int64(size) {
			if status := post(n.server.Handler, stream, device, seq, size); status != http.StatusCreated {
				b.Errorf("status %d", status)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "transactions/s")
}

func post(h http.Handler, stream holdfast.ID, device int, seq int64, size int) int {
	var body bytes.Buffer
	body.WriteString(`{"transactions":[`)
	for i := range size {
		if i > 0 {
			body.WriteByte(',')
		}
		tx := storetest.Transaction(byte(device), seq+int64(i))
		body.Write(tx.Raw)
	}
	body.WriteString(`]}`)
	r := httptest.NewRequest("POST", "/v1/streams/"+stream.String()+"/batches", &body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Device-Id", fmt.Sprintf("bench-%d", device))
	r.Header.Set("X-Store-Id", "0042")
	r.Header.Set("Correlation-Id", storetest.ID(byte(device)^0xc0, int(seq)).String())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}
