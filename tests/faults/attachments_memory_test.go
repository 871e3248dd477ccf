package faults_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

// made is octets that nobody keeps in memory: a file of n, different for each seed.
type made struct {
	seed, at, n int64
	sum         hash.Hash
}

func (m *made) Read(p []byte) (int, error) {
	if m.at == m.n {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), m.n-m.at, 16<<10)]
	for i := range p {
		p[i] = byte((m.at + int64(i)) >> 4)
	}
	if m.at == 0 {
		copy(p, strconv.FormatInt(m.seed, 10))
	}
	m.at += int64(len(p))
	_, _ = m.sum.Write(p)
	return len(p), nil
}

// Two hundred uploads at once cost the gateway less than 64 MiB of memory. They are of 100 MB with
// HOLDFAST_LONG=1, else of 6 MB: what a request holds does not depend on it.
func TestTheMemoryOfManyUploads(t *testing.T) {
	const uploads, most = 200, 64 << 20
	size := int64(6_000_000)
	if os.Getenv("HOLDFAST_LONG") != "" {
		size = 100_000_000
	}
	for name, url := range map[string]func() string{
		"folder": func() string { return "file://" + t.TempDir() }, "S3": func() string { return harness.NewS3Site(t).Server.URL() },
	} {
		t.Run(name, func(t *testing.T) {
			n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_OBJECT_STORES": "one=" + url(), "HOLDFAST_ATTACHMENTS_PER_DEVICE": "1000"}})
			mustPut(t, n, harness.Octets(1, 100_000)) // everything is warm
			before := harness.PeakMemory(n.PID())
			transport := &http.Transport{MaxIdleConnsPerHost: uploads}
			client := &http.Client{Transport: transport}
			var wg sync.WaitGroup
			for i := range int64(uploads) {
				wg.Go(func() {
					m := &made{seed: i, n: size, sum: sha256.New()}
					if err := send(client, n, m); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			grown := harness.PeakMemory(n.PID()) - before
			t.Logf("%d uploads of %d MB: %d MiB before, %d MiB more at the peak", uploads, size/1_000_000, before>>20, grown>>20)
			if grown > most {
				t.Errorf("the memory grew by %d MiB", grown>>20)
			}
			n.MustBeClean(t)
		})
		runtime.GC()
	}
}

// send uploads a file in one PATCH and compares the digest that is answered.
func send(client *http.Client, n *harness.Node, m *made) error {
	ask := func(method, url string, body io.Reader, header ...string) (*http.Response, error) {
		r, err := http.NewRequest(method, url, body)
		if err != nil {
			return nil, err
		}
		if body != nil {
			r.ContentLength = m.n
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := client.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		return res, err
	}
	res, err := ask(http.MethodPost, n.URL+"/v1/attachments", nil, "Upload-Length", strconv.FormatInt(m.n, 10))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("creation is answered %d", res.StatusCode)
	}
	res, err = ask(http.MethodPatch, n.URL+res.Header.Get("Location"), m, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	if err != nil {
		return err
	}
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(m.sum.Sum(nil)) + ":"; res.StatusCode != http.StatusNoContent || res.Header.Get("Repr-Digest") != want {
		return fmt.Errorf("%d, %s", res.StatusCode, res.Header.Get("Repr-Digest"))
	}
	return nil
}
