package faultkit_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

var large = bytes.Repeat([]byte("0123456789abcdef"), 16<<10) // 256 KiB

func TestFilesArrive(t *testing.T) {
	s := faultkit.SFTP(t)
	client := login(t, s)
	if at, err := client.Getwd(); err != nil || at != s.Dir {
		t.Fatal(at, err)
	}
	if err := upload(client, "one.json", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := client.Mkdir("in"); err != nil {
		t.Fatal(err)
	}
	if err := upload(client, s.Dir+"/in/two.json", large); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".hidden", "a.tmp", "in/b.part", "c.filepart"} {
		if f, err := client.Create(name); err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	files := s.Files()
	if len(files) != 2 || string(files["one.json"]) != "1" || !bytes.Equal(files["in/two.json"], large) {
		t.Fatal(len(files))
	}
	if left := fmt.Sprint(s.Leftovers()); left != "[.hidden a.tmp c.filepart in/b.part]" {
		t.Fatal(left)
	}
	if err := faultkit.CheckFiles(files, map[string][]byte{"one.json": []byte("1"), "in/two.json": large}); err != nil {
		t.Fatal(err)
	}
}

func TestTheServerDiesAndComesBack(t *testing.T) {
	s := faultkit.SFTP(t)
	client := login(t, s)
	f, err := client.Create("a.part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(large); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if _, err := f.Write(large); err == nil {
		t.Fatal("a dead server writes")
	}
	if _, err := dial(t, s); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	s.Start()
	if left := s.Leftovers(); len(left) != 1 || left[0] != "a.part" {
		t.Fatal(left)
	}
	if err := deliver(t, s, "a", large); err != nil || len(s.Leftovers()) != 0 {
		t.Fatal(err, s.Leftovers())
	}
}

func TestTheHostKeyChanges(t *testing.T) {
	s := faultkit.SFTP(t)
	before := s.Fingerprint()
	s.ChangeHostKey()
	if s.Fingerprint() == before || before[:7] != "SHA256:" {
		t.Fatal(before, s.Fingerprint())
	}
	var wrong *knownhosts.KeyError
	if _, err := dial(t, s); !errors.As(err, &wrong) || len(wrong.Want) != 1 {
		t.Fatalf("a client that knows the old key: %v", err)
	}
	s.Trust()
	login(t, s)
}

func TestTwoServersBesideEachOther(t *testing.T) {
	one, other := faultkit.SFTP(t), faultkit.SFTP(t)
	if host, _, err := net.SplitHostPort(one.Address()); err != nil || host != "127.0.0.1" || one.Address() == other.Address() {
		t.Fatal(one.Address(), other.Address())
	}
	one.Full(true)
	if err := deliver(t, other, "a", large); err != nil || len(one.Files()) != 0 {
		t.Fatal(err)
	}
}
