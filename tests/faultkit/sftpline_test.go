package faultkit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

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
