package faultkit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
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

func TestSessionsAreLimited(t *testing.T) {
	s := faultkit.SFTP(t)
	heals := func(t *testing.T) {
		t.Helper()
		s.Heal()
		if err := deliver(t, s, "healed", large); err != nil || !bytes.Equal(s.Files()["healed"], large) {
			t.Fatal("not healed:", err)
		}
		for name := range s.Files() {
			_ = os.Remove(filepath.Join(s.Dir, name))
		}
		for _, name := range s.Leftovers() {
			_ = os.Remove(filepath.Join(s.Dir, name))
		}
	}
	t.Run("read only", func(t *testing.T) {
		open := login(t, s)
		s.ReadOnly(true)
		if err := upload(open, "a", large); err == nil {
			t.Fatal("a session from before still writes")
		}
		if err := deliver(t, s, "a", large); !errors.Is(err, fs.ErrPermission) || len(s.Files())+len(s.Leftovers()) != 0 {
			t.Fatal(err, s.Leftovers())
		}
		if _, err := login(t, s).ReadDir("."); err != nil {
			t.Fatal("it cannot be read either:", err)
		}
		heals(t)
	})
	t.Run("full", func(t *testing.T) {
		s.Full(true)
		if err := deliver(t, s, "a", large); !failure(err) || len(s.Files()) != 0 || size(s, "a.part") != 0 {
			t.Fatal(err, s.Files())
		}
		heals(t)
	})
	t.Run("full after", func(t *testing.T) {
		s.FullAfter(8 << 10)
		if err := deliver(t, s, "a", large); !failure(err) || size(s, "a.part") != 8<<10 {
			t.Fatal(err, size(s, "a.part"))
		}
		if err := deliver(t, s, "small", large[:8<<10]); err != nil {
			t.Fatal(err)
		}
		heals(t)
	})
	t.Run("rename", func(t *testing.T) {
		s.RefuseRename(true)
		client := login(t, s)
		if err := upload(client, "a", large); err == nil || size(s, "a.part") != int64(len(large)) || len(s.Files()) != 0 {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"rename": client.Rename("a.part", "a"), "hardlink": client.Link("a.part", "a")} {
			if err == nil {
				t.Fatal("not refused:", what)
			}
		}
		s.RefuseRename(false)
		heals(t)
	})
	t.Run("deny", func(t *testing.T) {
		s.Deny("remove")
		client := login(t, s)
		if err := upload(client, "a", large); err != nil {
			t.Fatal(err)
		}
		if err := client.Remove("a"); !errors.Is(err, fs.ErrPermission) {
			t.Fatal(err)
		}
		s.Deny()
		heals(t)
	})
}

// failure is the status that a client is told for ENOSPC.
func failure(err error) bool {
	var status *sftp.StatusError
	return errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure
}

func size(s *faultkit.SFTPServer, name string) int64 {
	info, err := os.Stat(filepath.Join(s.Dir, name))
	if err != nil {
		return -1
	}
	return info.Size()
}

func TestTheLineToTheServerFails(t *testing.T) {
	s := faultkit.SFTP(t)
	if err := deliver(t, s, "whole", large); err != nil {
		t.Fatal(err)
	}
	whole := s.Uploaded()
	if whole < int64(len(large)) {
		t.Fatalf("%d octets went up", whole)
	}
	t.Run("refuse", func(t *testing.T) {
		s.Refuse(true)
		if _, err := dial(t, s); err == nil {
			t.Fatal("not refused")
		}
		s.Refuse(false)
	})
	t.Run("cut at many places", func(t *testing.T) {
		for after := int64(100); after < whole; after += whole / 8 {
			s.CutOnceAfter(after)
			if err := deliver(t, s, "cut", large); err == nil {
				t.Fatalf("not cut after %d of %d", after, whole)
			}
			if octets, there := s.Files()["cut"]; there && !bytes.Equal(octets, large) {
				t.Fatal("half a file under its real name")
			}
			if err := deliver(t, s, "cut", large); err != nil {
				t.Fatal("the one after the cut:", err)
			}
			if err := os.Remove(filepath.Join(s.Dir, "cut")); err != nil {
				t.Fatal(err)
			}
		}
		s.CutAfter(whole / 2)
		for range 2 {
			if err := deliver(t, s, "cut", large); err == nil {
				t.Fatal("not cut")
			}
		}
		s.CutAfter(-1)
		eventually(t, func() error {
			if n := size(s, "cut.part"); n <= 0 || n >= int64(len(large)) {
				return fmt.Errorf("%d octets arrived", n)
			}
			return nil
		})
	})
	t.Run("slow", func(t *testing.T) {
		s.Slow(whole * 2)
		began := time.Now()
		if err := deliver(t, s, "slow", large); err != nil || time.Since(began) < 400*time.Millisecond {
			t.Fatal(err, time.Since(began))
		}
		s.Slow(0)
	})
	t.Run("hang", func(t *testing.T) {
		client := login(t, s)
		s.Hang(true)
		done := make(chan error, 1)
		go func() { done <- upload(client, "hung", large) }()
		select {
		case err := <-done:
			t.Fatal("it does not hang:", err)
		case <-time.After(200 * time.Millisecond): // silence has no other sign
		}
		s.Hang(false)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the answer to a rename is lost", func(t *testing.T) {
		s.LoseRename()
		if err := deliver(t, s, "lost", large); err == nil {
			t.Fatal("the client knows")
		}
		if !bytes.Equal(s.Files()["lost"], large) || len(s.Leftovers()) != 1 { // cut.part
			t.Fatal("it was not renamed", s.Leftovers())
		}
		if err := deliver(t, s, "next", large); err != nil {
			t.Fatal(err)
		}
	})
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
