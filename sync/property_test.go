package sync_test

import (
	"errors"
	stdsync "sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/sync"
)

// However a queue is sliced, repeated, reordered, raced and disturbed, the
// stream ends the same: P2 (once) and P3 (order).
func TestAnySlicingEndsInTheSameStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 40
		m := newModel()
		faults := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "before", "after", "conflict"}), 64, 64).Draw(t, "faults")
		m.fault = func(*store.Append) (error, error) {
			switch faults[m.tries%len(faults)] {
			case "before":
				return store.ErrUnavailable, nil
			case "after": // the reply is lost after the commit
				return nil, store.ErrOutcomeUnknown
			case "conflict":
				return store.ErrConflict, nil
			}
			return nil, nil
		}
		lies := rapid.SliceOfN(rapid.Int64Range(0, n+5), 16, 16).Draw(t, "lies")
		asked := 0
		h := &hints{lie: func(head holdfast.Head, ok bool) (holdfast.Head, bool) {
			asked++
			if lie := lies[asked%len(lies)]; lie%3 == 0 {
				return holdfast.Head{AcceptedThrough: lie, Digest: digestThrough(lie + 1)}, true
			}
			return head, ok
		}}
		nodes := []*sync.Gateway{
			newGateway(t, sync.Config{Store: m, Hints: h}),
			newGateway(t, sync.Config{Store: m, Hints: &hints{}}),
			newGateway(t, sync.Config{Store: m}),
		}
		through := int64(0)
		for correlation := 1; through < n; correlation++ {
			first := rapid.Int64Range(max(1, through-5), through+3).Draw(t, "first")
			last := min(n, first+rapid.Int64Range(0, 12).Draw(t, "length"))
			if first > last {
				continue
			}
			copies := rapid.IntRange(1, 3).Draw(t, "copies")
			var wg stdsync.WaitGroup
			for c := range copies {
				wg.Go(func() {
					r, err := nodes[(correlation+c)%len(nodes)].AcceptBatch(as("", ""), batchOf(stream, correlation, first, last))
					var refusal *holdfast.Error
					if err != nil && (!errors.As(err, &refusal) || refusal.Code == holdfast.CodeInternal || refusal.Code == holdfast.CodeStreamForked) {
						t.Errorf("%v", err)
					}
					if err == nil && r.Digest != digestThrough(r.AcceptedThrough) {
						t.Errorf("digest at %d", r.AcceptedThrough)
					}
				})
			}
			wg.Wait()
			head := holdfast.Head{}
			if s := m.streams[stream]; s != nil {
				head = s.head
			}
			if head.AcceptedThrough < through {
				t.Fatalf("a watermark fell from %d to %d", through, head.AcceptedThrough)
			}
			through = head.AcceptedThrough
		}
		s := m.streams[stream]
		for i, held := range s.held {
			if held.Seq != int64(i+1) || held.ID != txOf(held.Seq).ID {
				t.Fatalf("place %d holds %d", i, held.Seq)
			}
		}
		if s.head.Digest != digestThrough(n) || len(s.held) != n {
			t.Fatal("another history than the device's")
		}
	})
}

// Two devices that claim one stream with different histories: one history is
// kept, the other is told that it forked, and nothing is mixed.
func TestTwoHistoriesNeverMix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		g := newGateway(t, sync.Config{Store: m, Hints: &hints{}})
		mine := func(side byte, seq int64) holdfast.Transaction { return txWith(seq, idOf(side, int(seq)), `{}`) }
		at := map[byte]int64{1: 0, 2: 0}
		forked := map[byte]bool{}
		for i := range 20 {
			side := rapid.SampledFrom([]byte{1, 2}).Draw(t, "side")
			r, err := g.AcceptBatch(as("", ""), batchOf2(100+i, mine(side, at[side]+1)))
			switch {
			case err == nil:
				if forked[side] {
					t.Fatal("a forked side was accepted")
				}
				at[side] = r.AcceptedThrough
			case holdfast.CodeOf(err) == holdfast.CodeStreamForked:
				forked[side] = true
			default:
				t.Fatal(err)
			}
		}
		for _, h := range m.streams[stream].held {
			if h.ID[0] != m.streams[stream].held[0].ID[0] {
				t.Fatal("two histories in one stream")
			}
		}
	})
}
