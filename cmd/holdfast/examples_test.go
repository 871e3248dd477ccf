package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

// TestExamplesOfConsumers builds every consumer of examples/consumers, with secrets of its own beside them.
func TestExamplesOfConsumers(t *testing.T) {
	files, err := filepath.Glob("../../examples/consumers/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	dir := t.TempDir()
	makeSecrets(t, filepath.Join(dir, "secrets"))
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			copied := filepath.Join(dir, filepath.Base(file))
			if err := os.WriteFile(copied, text, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := settings.Load(settings.Sources{Config: copied})
			if err != nil {
				t.Fatal(err)
			}
			all, err := consumersOf(s, s.Consumers)
			if err != nil {
				t.Fatal(err)
			}
			defer closeSenders(all)
			if len(all) == 0 {
				t.Fatal("it names no consumer")
			}
		})
	}
}

// makeSecrets writes what the examples name.
func makeSecrets(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(dir, 0o700))
	write := func(name string, text []byte) { must(os.WriteFile(filepath.Join(dir, name), text, 0o600)) }
	for _, name := range []string{"orders-token", "orders-api-key", "orders-password", "orders-client-secret", "finance-password"} {
		write(name, []byte("not a secret\n"))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write("ca.pem", certificate)
	write("orders-client.pem", certificate)
	write("orders-client.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	public, own, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	block, err := ssh.MarshalPrivateKey(own, "")
	must(err)
	write("warehouse-key", pem.EncodeToMemory(block))
	host, err := ssh.NewPublicKey(public)
	must(err)
	write("warehouse-known-hosts", []byte(knownhosts.Line([]string{"sftp.warehouse.example"}, host)+"\n"))
}
