package sftp_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// What a server refuses is tried again later, and nothing is left behind; when it is healed the file arrives.
func TestTheServerRefuses(t *testing.T) {
	s := faultkit.SFTP(t)
	large := callOf(t, 1, `{"x":"`+strings.Repeat("x", 200_000)+`"}`)
	for _, one := range []struct {
		name string
		make func()
		want string
	}{
		{"read only", func() { s.ReadOnly(true) }, "passing! permission"},
		{"full", func() { s.Full(true) }, "passing! refused"},
		{"nearly full", func() { s.FullAfter(100_000) }, "passing! refused"},
		{"no rename", func() { s.RefuseRename(true) }, "passing! permission"},
		{"no writing", func() { s.Deny("write") }, "passing! permission"},
		{"no looking", func() { s.Deny("stat") }, "passing! permission"},
	} {
		one.make() // which ends the sessions that are open
		sender := newSender(t, configOf(s))
		for range 2 {
			if r := send(t, sender, large); r != one.want {
				t.Errorf("%s: %s", one.name, r)
			}
		}
		holds(t, s, nil)
		s.Heal()
		if r := send(t, newSender(t, configOf(s)), again(large)); r != "confirmed" {
			t.Errorf("%s is healed: %s", one.name, r)
		}
		holds(t, s, map[string][]byte{nameOf(large): bodyOf(large)})
		_ = os.Remove(filepath.Join(s.Dir, nameOf(large)))
	}
	s.Deny("fsync") // it is not promised then
	if r := send(t, newSender(t, configOf(s)), large); r != "confirmed" {
		t.Error("no fsync:", r)
	}
	s.Heal()
	config := configOf(s)
	config.Directory = "nowhere"
	if r := send(t, newSender(t, config), large); r != "passing! no-directory" {
		t.Error(r)
	}
}

// The answer to the rename is lost: the next attempt finds the file and is content.
func TestALostAnswer(t *testing.T) {
	s := faultkit.SFTP(t)
	config := configOf(s)
	config.SHA256, config.Done = true, true
	sender := newSender(t, config)
	call := callOf(t, 1, `{}`)
	for n := range 3 { // of each of the three files
		s.LoseRename()
		if r := send(t, sender, call); r != "passing! connection" || len(s.Files()) != n+1 {
			t.Error(n, r, len(s.Files()))
		}
		call = again(call)
	}
	if r := send(t, sender, call); r != "confirmed" || len(s.Files()) != 3 || len(s.Leftovers()) != 0 {
		t.Error(r, s.Leftovers())
	}
}

// Wherever the line is cut, the name never stands for half a file, and the next attempt takes the remains away.
func TestTheLineIsCut(t *testing.T) {
	s := faultkit.SFTP(t)
	config := configOf(s)
	config.Attachments = "{{.file.sha256}}"
	photo := attached{name: "a", octets: bytes.Repeat([]byte("0123456789abcdef"), 16<<10)}
	call := callOf(t, 1, `{"x":"`+strings.Repeat("x", 200_000)+`"}`, photo)
	want := map[string][]byte{nameOf(call): bodyOf(call), photo.digest(): photo.octets}
	if r := send(t, newSender(t, config), call); r != "confirmed" {
		t.Fatal(r)
	}
	whole := s.Uploaded()
	clear := func() {
		for name := range want {
			_ = os.Remove(filepath.Join(s.Dir, name))
		}
	}
	put(t, s, ".other.json.41-1.part", "of somebody else")
	for after := int64(50); after < whole; after += whole / 12 {
		clear()
		sender := newSender(t, config)
		s.CutOnceAfter(after)
		if r := send(t, sender, call); r != "passing! connection" {
			t.Errorf("cut after %d: %s", after, r)
		}
		for name, octets := range s.Files() {
			if !bytes.Equal(octets, want[name]) {
				t.Errorf("cut after %d: %d octets of %s", after, len(octets), name)
			}
		}
		if r := send(t, sender, again(call)); r != "confirmed" {
			t.Errorf("cut after %d, again: %s", after, r)
		}
		eventually(t, fmt.Sprintf("cut after %d: nothing is left", after), func() bool {
			if left := s.Leftovers(); len(left) == 1 && left[0] == ".other.json.41-1.part" {
				return true
			}
			return send(t, sender, again(call)) != "confirmed" // a dying session may have made its file late
		})
		if err := faultkit.CheckFiles(s.Files(), want); err != nil {
			t.Error(err)
		}
	}
}

// Killed in the middle of a large file the server has no part of it under its name; started again it is found by the next attempt, and
// connections that died while they rested are nobody's failure.
func TestTheServerIsKilled(t *testing.T) {
	s := faultkit.SFTP(t)
	sender := newSender(t, configOf(s))
	if r := send(t, sender, callOf(t, 1, `{}`)); r != "confirmed" {
		t.Fatal(r)
	}
	large := callOf(t, 2, `{"x":"`+strings.Repeat("x", 8<<20)+`"}`)
	s.Slow(4 << 20)
	done := make(chan string, 1)
	go func() { done <- send(t, sender, large) }()
	eventually(t, "a part is written", func() bool {
		all, _ := filepath.Glob(filepath.Join(s.Dir, ".*.part"))
		if len(all) != 1 {
			return false
		}
		info, err := os.Stat(all[0])
		return err == nil && info.Size() > 100_000
	})
	s.Kill()
	if r := <-done; r != "passing! connection" || len(s.Files()) != 1 || len(s.Leftovers()) != 1 {
		t.Error(r, s.Leftovers())
	}
	if r := send(t, sender, again(large)); r != "passing! unreachable" && r != "passing! connection" {
		t.Error("dead:", r)
	}
	s.Slow(0)
	s.Start()
	if r := send(t, sender, again(again(large))); r != "confirmed" || len(s.Leftovers()) != 0 || !bytes.Equal(s.Files()[nameOf(large)], bodyOf(large)) {
		t.Error(r, s.Leftovers())
	}
	for n := byte(10); n < 15; n++ {
		s.Kill()
		s.Start()
		if r := send(t, sender, callOf(t, n, `{}`)); r != "confirmed" {
			t.Error("after a restart at rest:", r)
		}
	}
}

// However slow a server is, an attempt ends with its time, and so does the end of the sender.
func TestTheServerIsSlow(t *testing.T) {
	s := faultkit.SFTP(t)
	large := callOf(t, 1, `{"x":"`+strings.Repeat("x", 8<<20)+`"}`)
	for name, slow := range map[string]func(){"slow": func() { s.Slow(200 << 10) }, "silent": func() { s.Hang(true) }} {
		t.Run(name, func(t *testing.T) {
			sender := newSender(t, configOf(s))
			if r := send(t, sender, callOf(t, 2, `{}`)); r != "confirmed" {
				t.Fatal(r)
			}
			slow()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			if r := sendIn(ctx, t, sender, large); r != "passing! timeout" || time.Since(began) > 3*time.Second {
				t.Error(r, time.Since(began))
			}
			ctx, end := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, end)
			if r := sendIn(ctx, t, sender, large); r != "passing interrupted" {
				t.Error(r)
			}
			s.Heal()
			if r := send(t, sender, again(large)); r != "confirmed" {
				t.Error("healed:", r)
			}
			s.Hang(true)
			began = time.Now()
			if err := sender.Close(); err != nil || time.Since(began) > 3*time.Second {
				t.Error("the sender's end:", err, time.Since(began))
			}
			s.Heal()
			_ = os.Remove(filepath.Join(s.Dir, nameOf(large)))
		})
	}
}

// Hundreds of files need a handful of connections, and afterwards there is none.
func TestConnectionsAreReused(t *testing.T) {
	s := faultkit.SFTP(t)
	before := runtime.NumGoroutine()
	logins := strings.Count(s.Log(), "Accepted publickey")
	config := configOf(s)
	config.Connections, config.Attachments = 4, "{{.file.sha256}}"
	sender := newSender(t, config)
	var all sync.WaitGroup
	var mu sync.Mutex
	want := map[string][]byte{}
	for worker := range 4 {
		all.Go(func() {
			for n := range 50 {
				c := callOf(t, byte(50*worker+n), `{}`)
				mu.Lock()
				want[nameOf(c)] = bodyOf(c)
				mu.Unlock()
				if r := send(t, sender, c); r != "confirmed" {
					t.Error(r)
				}
			}
		})
	}
	all.Wait()
	holds(t, s, want)
	if n := strings.Count(s.Log(), "Accepted publickey") - logins; n > 4 {
		t.Errorf("%d logins for 200 files", n)
	}
	for range 10 { // failures do not leak either
		s.Cut()
		c := callOf(t, 250, `{}`, attached{})
		c.Files[0].Size = 5
		if r := send(t, sender, c); r != "passing attachment" && r != "passing! connection" {
			t.Error(r)
		}
	}
	burst := make(chan *delivery.Call, 30) // more than there are connections to keep
	for n := range 30 {
		burst <- callOf(t, byte(n), `{"burst":1}`)
		all.Go(func() {
			if r := send(t, sender, <-burst); r != "permanent conflict" {
				t.Error(r)
			}
		})
	}
	all.Wait()
	if err := sender.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "no goroutine of a connection, on either side", func() bool { return runtime.NumGoroutine() <= before })
	eventually(t, "no session", func() bool { return sessions(t) == 0 })
}

// sessions counts the sftp-servers below this process.
func sessions(t *testing.T) (n int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents, names := map[string]string{}, map[string]string{}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		head, rest, _ := strings.Cut(string(text), ") ")
		pid, name, _ := strings.Cut(head, " (")
		parents[pid], names[pid] = strings.Fields(rest)[1], name
	}
	for pid, name := range names {
		if name != "sftp-server" {
			continue
		}
		for at := pid; at != "" && at != "0"; at = parents[at] {
			if at == fmt.Sprint(os.Getpid()) {
				n++
			}
		}
	}
	return n
}
