package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// The kinds of files that are measured: photos in one request, and recordings in one and as uploads.
var fileKinds = []struct {
	name string
	size int
	many int // files in a measurement, or one for each client if these are more
	tus  bool
}{{"PUT 200 kB", 200_000, 1500, false}, {"PUT 50 MB", 50_000_000, 24, false}, {"tus 50 MB", 50_000_000, 24, true}}

// fileSet is octets that differ in their beginning.
type fileSet struct {
	base []byte
	sums []string
}

func newFileSet(size, many int, salt uint64) *fileSet {
	s := &fileSet{base: make([]byte, size), sums: make([]string, many)}
	for i := range s.base {
		s.base[i] = byte(i * i >> 7)
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 2 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < many; i = int(next.Add(1)) - 1 {
				h := sha256.New()
				_, _ = io.Copy(h, s.open(salt, i))
				s.sums[i] = hex.EncodeToString(h.Sum(nil))
			}
		})
	}
	wg.Wait()
	return s
}

// open reads file i; nothing is copied.
func (s *fileSet) open(salt uint64, i int) io.Reader {
	head := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, salt), uint64(i))
	return io.MultiReader(bytes.NewReader(head), bytes.NewReader(s.base[len(head):]))
}

// measureFiles compares the gateway in front of an S3 server with that server alone.
func measureFiles(dir string) error {
	tb := &plainTB{dir: dir}
	server := testserver.S3(tb)
	bare, err := minio.New(server.Addr(), &minio.Options{Creds: credentials.NewStaticV4(testserver.S3Key, testserver.S3Secret, ""), Region: "us-east-1"})
	if err != nil {
		return err
	}
	fmt.Printf("%-11s %-9s %8s %10s %12s %10s %12s %7s %9s\n", "files", "", "clients", "MB/s", "files/s", "bare MB/s", "bare files/s", "ratio", "peak MiB")
	for _, kind := range fileKinds {
		for run, clients := range numbers(*clients) {
			data := filepath.Join(dir, fmt.Sprintf("files-%d-%d", kind.size, run))
			if err := os.MkdirAll(data, 0o700); err != nil {
				return err
			}
			g, err := startGateway(*program, data, "", "HOLDFAST_OBJECT_STORES=east="+server.URL())
			if err != nil {
				return err
			}
			many := max(kind.many, clients)
			salt := uint64(time.Now().UnixNano())
			set := newFileSet(kind.size, many, salt)
			f := &fileRun{g: g, bare: bare, bucket: server.Bucket, set: set, salt: salt, size: kind.size, tus: kind.tus}
			err = f.report(kind.name, clients)
			g.stop()
			if err != nil {
				return err
			}
			server.Empty()
			_ = os.RemoveAll(data)
		}
	}
	return nil
}

type fileRun struct {
	g      *gateway
	bare   *minio.Client
	bucket string
	set    *fileSet
	salt   uint64
	size   int
	tus    bool
}

// each has clients do something to every file, and tells how many bytes a second that were.
func (f *fileRun) each(clients int, do func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	errs := make(chan error, clients)
	began := time.Now()
	for range clients {
		go func() {
			for i := int(next.Add(1)) - 1; i < len(f.set.sums); i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var failed error
	for range clients {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return time.Since(began), failed
}

func (f *fileRun) report(name string, clients int) error {
	up := f.put
	if f.tus {
		up = f.upload
	}
	for _, step := range []struct {
		name              string
		through, besideIt func(int) error
	}{{"upload", up, f.barePut}, {"download", f.get, f.bareGet}} {
		took, err := f.each(clients, step.through)
		if err != nil {
			return err
		}
		alone, err := f.each(clients, step.besideIt)
		if err != nil {
			return err
		}
		files := float64(len(f.set.sums))
		rate := func(d time.Duration) (mb, perSecond float64) {
			return files * float64(f.size) / d.Seconds() / 1e6, files / d.Seconds()
		}
		mb, n := rate(took)
		bareMB, bareN := rate(alone)
		fmt.Printf("%-11s %-9s %8d %10.0f %12.1f %10.0f %12.1f %7.2f %9d\n", name, step.name, clients, mb, n, bareMB, bareN, mb/bareMB, peakMemoryOf(f.g.cmd.Process.Pid)>>20)
	}
	return nil
}

var fileClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}}

func (f *fileRun) ask(method, path string, body io.Reader, length int64, want int, header ...string) (*http.Response, error) {
	r, err := http.NewRequest(method, "http://"+f.g.address+path, body)
	if err != nil {
		return nil, err
	}
	r.ContentLength = length
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := fileClient.Do(r)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if err == nil && (res.StatusCode != want || method == http.MethodGet && n != int64(f.size)) {
		err = fmt.Errorf("%s %s is answered %d with %d bytes", method, path, res.StatusCode, n)
	}
	return res, err
}

func (f *fileRun) put(i int) error {
	_, err := f.ask(http.MethodPut, "/v1/attachments/"+f.set.sums[i], f.set.open(f.salt, i), int64(f.size), http.StatusCreated)
	return err
}

func (f *fileRun) upload(i int) error {
	res, err := f.ask(http.MethodPost, "/v1/attachments", nil, 0, http.StatusCreated, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(f.size))
	if err != nil {
		return err
	}
	_, err = f.ask(http.MethodPatch, res.Header.Get("Location"), f.set.open(f.salt, i), int64(f.size), http.StatusNoContent,
		"Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	return err
}

func (f *fileRun) get(i int) error {
	_, err := f.ask(http.MethodGet, "/v1/attachments/"+f.set.sums[i], nil, 0, http.StatusOK)
	return err
}

func (f *fileRun) barePut(i int) error {
	_, err := f.bare.PutObject(context.Background(), f.bucket, "bare/"+f.set.sums[i], f.set.open(f.salt, i), int64(f.size), minio.PutObjectOptions{DisableMultipart: true})
	return err
}

func (f *fileRun) bareGet(i int) error {
	o, err := f.bare.GetObject(context.Background(), f.bucket, "bare/"+f.set.sums[i], minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer o.Close()
	n, err := io.Copy(io.Discard, o)
	if err == nil && n != int64(f.size) {
		err = fmt.Errorf("%d bytes of %d", n, f.size)
	}
	return err
}
