package faultkit_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pkg/sftp"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

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
