package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func newUpload(n int) holdfast.Upload {
	return holdfast.Upload{
		ID: ID(0x77, n), Owner: holdfast.Owner{Device: "ipad-1", Shop: "0042"}, Size: 100, Announced: digest(n), ContentType: "image/jpeg",
		Metadata: "filename ZG9jaw==", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
	}
}

func mustCreate(t *testing.T, s store.Store, u holdfast.Upload) {
	t.Helper()
	if err := s.CreateUpload(t.Context(), u, 1000); err != nil {
		t.Fatal(err)
	}
}

func mustClaim(t *testing.T, s store.Store, id holdfast.ID, until time.Time) holdfast.Upload {
	t.Helper()
	u, err := s.ClaimUpload(t.Context(), id, until)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func uploadReadBack(t *testing.T, s store.Store) {
	for n, u := range []holdfast.Upload{newUpload(0), {ID: ID(0x77, 1), CreatedAt: noon, ExpiresAt: noon}, newUpload(2)} {
		if n == 2 {
			u.Offset, u.Site, u.State = 7, "east", []byte{0, 1, 255}
		}
		mustCreate(t, s, u)
		got, err := s.Upload(t.Context(), u.ID)
		if len(got.State) == 0 {
			got.State = nil
		}
		if err != nil || !reflect.DeepEqual(got, u) {
			t.Fatalf("%+v %v, want %+v", got, err, u)
		}
	}
	if err := s.CreateUpload(t.Context(), newUpload(0), 1000); !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"read": func() error { _, err := s.Upload(t.Context(), ID(0x78, 1)); return err }(), "claim": func() error { _, err := s.ClaimUpload(t.Context(), ID(0x78, 1), noon); return err }(),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.DropUpload(t.Context(), holdfast.Upload{ID: ID(0x78, 1)}); err != nil {
		t.Error(err)
	}
	if err := s.SaveUpload(t.Context(), holdfast.Upload{ID: ID(0x78, 1), ExpiresAt: noon}); !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
}

func uploadsPerDevice(t *testing.T, s store.Store) {
	create := func(n int, device string, at time.Time) error {
		u := newUpload(n)
		u.Owner.Device, u.CreatedAt, u.ExpiresAt = device, at, at.Add(time.Hour)
		return s.CreateUpload(t.Context(), u, 2)
	}
	for n, want := range []error{nil, nil, store.ErrTooMany} {
		if err := create(n, "ipad-1", noon); !errors.Is(err, want) {
			t.Fatal(n, err)
		}
	}
	for n, device := range []string{"ipad-2", "", ""} {
		if err := create(10+n, device, noon); err != nil {
			t.Fatal(device, err)
		}
	}
	if err := create(20, "", noon); !errors.Is(err, store.ErrTooMany) {
		t.Fatal("of no device:", err)
	}
	if err := create(21, "ipad-1", noon.Add(2*time.Hour)); err != nil { // the others have ended
		t.Fatal(err)
	}
	u := mustClaim(t, s, ID(0x77, 10), noon)
	if err := s.FinishUpload(t.Context(), u, holdfast.Attachment{Digest: digest(9), Size: 100, Sites: []string{"east"}}, attached(digest(9))); err != nil {
		t.Fatal(err)
	}
	for n, want := range []error{nil, nil, store.ErrTooMany} { // a finished one does not count
		if err := create(30+n, "ipad-2", noon); !errors.Is(err, want) {
			t.Fatal(n, err)
		}
	}
}

// Who was overtaken changes nothing.
func uploadFencing(t *testing.T, s store.Store) {
	mustCreate(t, s, newUpload(1))
	old := mustClaim(t, s, ID(0x77, 1), noon.Add(2*time.Hour))
	if old.Generation != 1 || !old.ExpiresAt.Equal(noon.Add(2*time.Hour)) {
		t.Fatalf("%+v", old)
	}
	young := mustClaim(t, s, ID(0x77, 1), noon) // an end is never brought forward
	if young.Generation != 2 || !young.ExpiresAt.Equal(noon.Add(2*time.Hour)) {
		t.Fatalf("%+v", young)
	}
	young.Offset, young.Site, young.State = 40, "east", []byte(`{}`)
	if err := s.SaveUpload(t.Context(), young); err != nil {
		t.Fatal(err)
	}
	old.Offset = 99
	a := holdfast.Attachment{Digest: digest(1), Size: 100, Sites: []string{"west"}}
	for name, err := range map[string]error{
		"save": s.SaveUpload(t.Context(), old), "finish": s.FinishUpload(t.Context(), old, a, attached(digest(1))), "drop": s.DropUpload(t.Context(), old),
	} {
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := s.Upload(t.Context(), young.ID)
	if err != nil || got.Offset != 40 || got.Site != "east" || string(got.State) != "{}" || got.Generation != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := s.Attachment(t.Context(), digest(1)); !errors.Is(err, store.ErrNotFound) {
		t.Fatal("finished by who was overtaken", err)
	}
	if err := s.DropUpload(t.Context(), young); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Upload(t.Context(), young.ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
}

func uploadFinished(t *testing.T, s store.Store) {
	mustCreate(t, s, newUpload(1))
	u := mustClaim(t, s, ID(0x77, 1), noon)
	u.Offset, u.Site, u.State = 60, "east", []byte(`{"parts":[]}`)
	if err := s.SaveUpload(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	a := holdfast.Attachment{Digest: digest(1), Size: 100, ContentType: "image/png", Sites: []string{"east"}}
	if err := s.FinishUpload(t.Context(), u, a, attached(a.Digest)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Upload(t.Context(), u.ID)
	if err != nil || got.Finished != a.Digest || got.Offset != 100 || len(got.State) != 0 || got.Site != "" {
		t.Fatalf("%+v %v", got, err)
	}
	held, err := s.Attachment(t.Context(), a.Digest)
	if err != nil || held.Size != 100 || held.ContentType != "image/png" || told(t, s, holdfast.ActionAttached, a.Digest) != 1 {
		t.Fatalf("%+v %v", held, err)
	}
	for name, err := range map[string]error{"again": s.FinishUpload(t.Context(), u, a, attached(a.Digest)), "save": s.SaveUpload(t.Context(), u)} {
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustCreate(t, s, newUpload(2)) // of what is held
	if err := s.FinishUpload(t.Context(), mustClaim(t, s, ID(0x77, 2), noon), a, attached(a.Digest)); err != nil {
		t.Fatal(err)
	}
	if n := told(t, s, holdfast.ActionAttached, a.Digest); n != 1 {
		t.Fatalf("%d events", n)
	}
}

func uploadsExpire(t *testing.T, s store.Store) {
	for n, end := range []time.Duration{3, 1, 2, 5} {
		u := newUpload(n)
		u.ExpiresAt = noon.Add(end * time.Hour)
		mustCreate(t, s, u)
	}
	list := func(before time.Duration, limit int) (got []string) {
		t.Helper()
		all, err := s.ExpiredUploads(t.Context(), noon.Add(before*time.Hour), limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range all {
			got = append(got, fmt.Sprint(u.ExpiresAt.Sub(noon).Hours()))
		}
		return got
	}
	if got := fmt.Sprint(list(4, 10), list(4, 2), list(1, 10), list(9, 10)); got != "[1 2 3] [1 2] [] [1 2 3 5]" {
		t.Fatal(got)
	}
}

// Of many that take an upload over and save at once, the last to claim wins, whoever it is.
func uploadRace(t *testing.T, s store.Store) {
	mustCreate(t, s, newUpload(1))
	var saved atomic.Int64 // the highest generation that was saved
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			u, err := s.ClaimUpload(t.Context(), ID(0x77, 1), noon)
			if err != nil {
				t.Error(err)
				return
			}
			u.Offset = u.Generation
			switch err := s.SaveUpload(t.Context(), u); {
			case err == nil:
				for {
					before := saved.Load()
					if before >= u.Generation || saved.CompareAndSwap(before, u.Generation) {
						break
					}
				}
			case !errors.Is(err, store.ErrConflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Upload(t.Context(), ID(0x77, 1))
	if err != nil || got.Generation != 12 || got.Offset != saved.Load() {
		t.Fatalf("%+v %v, saved %d", got, err, saved.Load())
	}
}

// uploadModel does the same to the store and to a map.
func uploadModel(t *testing.T, s store.Store) {
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		known := map[holdfast.ID]holdfast.Upload{}
		var holders []holdfast.Upload
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			id := ID(byte(0x80+rapid.IntRange(0, 1).Draw(r, "upload")), round)
			now, there := known[id]
			switch step := rapid.SampledFrom([]string{"create", "claim", "claim", "save", "save", "finish", "drop"}).Draw(r, "step"); step {
			case "create":
				u := newUpload(1)
				u.ID = id
				if err := s.CreateUpload(t.Context(), u, 1<<20); (err == nil) == there {
					r.Fatalf("create: %v, there %t", err, there)
				} else if err == nil {
					known[id] = u
				}
			case "claim":
				u, err := s.ClaimUpload(t.Context(), id, noon)
				if (err == nil) != there {
					r.Fatalf("claim: %v, there %t", err, there)
				}
				if there {
					if now.Generation++; u.Generation != now.Generation || u.Offset != now.Offset || u.Finished != now.Finished {
						r.Fatalf("claimed %+v, want %+v", u, now)
					}
					known[id] = now
					holders = append(holders, u)
				}
			default:
				if len(holders) == 0 {
					continue
				}
				u := holders[rapid.IntRange(0, len(holders)-1).Draw(r, "holder")]
				now, there = known[u.ID]
				mine := there && now.Generation == u.Generation
				var err error
				switch step {
				case "save":
					u.Offset = rapid.Int64Range(0, 99).Draw(r, "offset")
					err = s.SaveUpload(t.Context(), u)
					mine = mine && now.Finished == holdfast.Hash{}
					now.Offset = u.Offset
				case "finish":
					a := holdfast.Attachment{Digest: digest(round), Size: 100, Sites: []string{"east"}}
					err = s.FinishUpload(t.Context(), u, a, attached(a.Digest))
					mine = mine && now.Finished == holdfast.Hash{}
					now.Offset, now.Finished = 100, a.Digest
				case "drop":
					err = s.DropUpload(t.Context(), u)
					mine = mine || !there
				}
				if (err == nil) != mine || err != nil && !errors.Is(err, store.ErrConflict) {
					r.Fatalf("%s: %v, mine %t", step, err, mine)
				}
				if err == nil && step == "drop" {
					delete(known, u.ID)
				} else if err == nil {
					known[u.ID] = now
				}
			}
		}
		for id, want := range known {
			if got, err := s.Upload(t.Context(), id); err != nil || got.Offset != want.Offset || got.Generation != want.Generation || got.Finished != want.Finished {
				r.Fatalf("%+v %v, want %+v", got, err, want)
			}
		}
	})
}
