package storetest

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// model applies random steps, good and bad, to a few streams of the store and to
// the plainest possible model of the contract; both must always agree.
func model(t *testing.T, s store.Store) {
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		heads := map[int]holdfast.Head{}
		used := map[holdfast.ID]bool{}
		for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
			which := rapid.IntRange(0, 2).Draw(t, "stream")
			id := ID(0x40+byte(which), run)
			head := heads[which]
			a := Step(id, head, byte(which+1), rapid.IntRange(1, 5).Draw(t, "n"))
			a.Batch.Correlation = ID(0xc0+byte(which), run<<8|rapid.IntRange(0, 9).Draw(t, "correlation"))
			good := !used[a.Batch.Correlation]
			switch rapid.SampledFrom([]string{"", "", "", "stale", "digest", "id", "twice"}).Draw(t, "fault") {
			case "stale":
				a.Expected.AcceptedThrough++
				good = false
			case "digest":
				a.Expected.Digest[i]++
				good = false
			case "id":
				if head.AcceptedThrough > 0 {
					a.Transactions[0].ID = Transaction(byte(which+1), head.AcceptedThrough).ID
					good = false
				}
			case "twice":
				if len(a.Transactions) > 1 {
					a.Transactions[1].ID = a.Transactions[0].ID
					good = false
				}
			}
			err := s.Append(t.Context(), a)
			if good && err != nil || !good && !errors.Is(err, store.ErrConflict) {
				t.Fatalf("step %d (good: %v): %v", i, good, err)
			}
			if good {
				heads[which] = a.Next
				used[a.Batch.Correlation] = true
			}
		}
		for which, head := range heads {
			v, err := s.View(t.Context(), store.Key{Stream: ID(0x40+byte(which), run)})
			if err != nil || v.Head != head {
				t.Fatalf("stream %d: %+v %v, want %+v", which, v, err, head)
			}
			held, err := s.Held(t.Context(), store.HeldQuery{Stream: ID(0x40+byte(which), run), First: 1, Last: 1 << 30})
			if err != nil || int64(len(held)) != head.AcceptedThrough {
				t.Fatalf("stream %d holds %d of %d: %v", which, len(held), head.AcceptedThrough, err)
			}
		}
	})
}
