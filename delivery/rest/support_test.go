package rest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/rest"
	"github.com/holdfast-sync/holdfast/store"
)

// secret begins every secret of these tests; no result and no error may hold it.
const secret = "s3cret"

// leak is what consumers say about themselves; no result may hold it but as a reference.
const leak = "at com.example.Internal(10.1.2.3)"

func callOf(t testing.TB, payload string, change ...func(*store.ClaimedDelivery)) *delivery.Call {
	t.Helper()
	var d store.ClaimedDelivery
	d.Stream, d.Transaction = holdfast.ID{15: 1}, holdfast.ID{15: 2}
	d.Seq, d.Epoch, d.Consumer, d.Attempts = 7, 1, "wms", 1
	d.Raw = []byte(`{"type":"pick.completed","entity":{"type":"order","id":"4711"},"payload":` + payload + `}`)
	for _, f := range change {
		f(&d)
	}
	c, err := delivery.NewCall(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newSender(t testing.TB, c rest.Config) *rest.Sender {
	t.Helper()
	s, err := rest.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// send makes a call that may take 5 s; it never tells what it must not.
func send(t testing.TB, s *rest.Sender, c *delivery.Call) delivery.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return sendIn(ctx, t, s, c)
}

func sendIn(ctx context.Context, t testing.TB, s *rest.Sender, c *delivery.Call) delivery.Result {
	t.Helper()
	r := s.Send(ctx, c)
	if told := r.Code + r.Detail; strings.Contains(told, secret) || strings.Contains(told, leak) || strings.ContainsAny(told, "\r\n") {
		t.Errorf("told too much: %+v", r)
	}
	if (r.Verdict == delivery.Confirmed) != (r.Code == "") || r.Verdict != delivery.Confirmed && r.Reference != "" {
		t.Errorf("contradicts itself: %+v", r)
	}
	return r
}

// is says in short what a result is: the verdict, ! when the consumer is at fault, and the code or the reference.
func is(r delivery.Result) string {
	down := ""
	if r.Down {
		down = "!"
	}
	return fmt.Sprintf("%s%s %s%s", r.Verdict, down, r.Code, r.Reference)
}

// file holds a text.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, text)
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// request is what a consumer got.
type request struct {
	*http.Request
	body string
}

// consumer answers and keeps what it got.
type consumer struct {
	*httptest.Server
	mu   sync.Mutex
	got  []request
	next func(w http.ResponseWriter, r *http.Request)
}

func newConsumer(t testing.TB, answer func(w http.ResponseWriter, r *http.Request)) *consumer {
	t.Helper()
	c := prepared(answer)
	c.Start()
	t.Cleanup(c.Close)
	return c
}

// prepared is not started yet.
func prepared(answer func(w http.ResponseWriter, r *http.Request)) *consumer {
	c := &consumer{next: answer}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.got = append(c.got, request{r.Clone(context.Background()), string(body)})
		next := c.next
		c.mu.Unlock()
		next(w, r)
	}))
	c.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	return c
}

func (c *consumer) requests() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got
}

func (c *consumer) last(t testing.TB) request {
	t.Helper()
	all := c.requests()
	if len(all) == 0 {
		t.Fatal("it was not asked")
	}
	return all[len(all)-1]
}

func answering(status int, body string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var referring = answering(http.StatusCreated, `{"referenceNumber":"R-1"}`)

// pair makes a certificate and its key, in files.
func pair(t testing.TB, name string) (certificate *x509.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	octets, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, file(t, pemOf("CERTIFICATE", der)), file(t, pemOf("PRIVATE KEY", octets))
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// connCounter counts connections: all, and those that are open.
func connCounter(opened, open *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			opened.Add(1)
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}
