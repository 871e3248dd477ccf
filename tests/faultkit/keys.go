package faultkit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"testing"

	"golang.org/x/crypto/ssh"
)

// newKey makes an Ed25519 key and writes the private half in OpenSSH's form.
func newKey(tb testing.TB, path string) ssh.PublicKey {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "faultkit")
	if err != nil {
		tb.Fatal(err)
	}
	write(tb, path, pem.EncodeToMemory(block), 0o600)
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func write(tb testing.TB, path string, octets []byte, mode os.FileMode) {
	tb.Helper()
	if err := os.WriteFile(path, octets, mode); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		tb.Fatal(err)
	}
}
