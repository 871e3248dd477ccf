// Package fastpathtest is the suite that every implementation of
// [fastpath.Hints] passes.
package fastpathtest

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/fastpath"
)

// Harness is an implementation under test.
type Harness struct {
	// New makes one that remembers nothing yet.
	New func(t *testing.T) fastpath.Hints
	// Longest is how long a question may take.
	Longest time.Duration
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"KnowsNothingAtFirst":    knowsNothingAtFirst,
		"Remembers":              remembers,
		"LastWordCounts":         lastWordCounts,
		"ForgetsOtherEpochs":     forgetsOtherEpochs,
		"KeepsStreamsApart":      keepsStreamsApart,
		"KeepsEveryFieldAsItIs":  keepsEveryField,
		"IsSafeForManyCallers":   safeForManyCallers,
		"NeverTakesLong":         neverTakesLong,
		"HeedsAContextThatEnded": heedsContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, h) })
	}
}

// ID is a random id.
func ID() (id holdfast.ID) {
	_, _ = rand.Read(id[:])
	return id
}

// Head is a head as a stream may have it.
func Head(acceptedThrough int64) holdfast.Head {
	return holdfast.Head{
		AcceptedThrough: acceptedThrough, Quarantined: acceptedThrough / 3,
		Digest: holdfast.Digest(holdfast.HashOf([]byte{byte(acceptedThrough)})),
		Owner:  holdfast.Owner{Device: "d-17", Shop: "store 4"},
	}
}

var background = context.Background()

func knowsNothingAtFirst(t *testing.T, h Harness) {
	if head, ok := h.New(t).Head(background, ID(), ID()); ok || head != (holdfast.Head{}) {
		t.Fatalf("got %+v", head)
	}
}

func remembers(t *testing.T, h Harness) {
	hints, epoch, stream := h.New(t), ID(), ID()
	hints.Remember(epoch, stream, Head(42))
	for range 3 {
		if head, ok := hints.Head(background, epoch, stream); !ok || head != Head(42) {
			t.Fatalf("got %+v, %t", head, ok)
		}
	}
}

// A hint that is too high has to be put right by a lower one.
func lastWordCounts(t *testing.T, h Harness) {
	hints, epoch, stream := h.New(t), ID(), ID()
	for _, n := range []int64{1, 50, 7, 0, 9} {
		hints.Remember(epoch, stream, Head(n))
		if head, ok := hints.Head(background, epoch, stream); !ok || head != Head(n) {
			t.Fatalf("got %+v, %t, want that of %d", head, ok, n)
		}
	}
}

func forgetsOtherEpochs(t *testing.T, h Harness) {
	hints, before, after, stream := h.New(t), ID(), ID(), ID()
	hints.Remember(before, stream, Head(42))
	if head, ok := hints.Head(background, after, stream); ok {
		t.Fatalf("what was remembered in one epoch answers in another: %+v", head)
	}
	hints.Remember(after, stream, Head(7))
	if head, ok := hints.Head(background, after, stream); !ok || head != Head(7) {
		t.Fatalf("got %+v, %t", head, ok)
	}
}

func keepsStreamsApart(t *testing.T, h Harness) {
	hints, epoch := h.New(t), ID()
	streams := make([]holdfast.ID, 500)
	for i := range streams {
		streams[i] = ID()
		hints.Remember(epoch, streams[i], Head(int64(i)))
	}
	for i, stream := range streams {
		if head, ok := hints.Head(background, epoch, stream); !ok || head != Head(int64(i)) {
			t.Fatalf("stream %d: got %+v, %t", i, head, ok)
		}
	}
	swapped := epoch // the epoch as stream and the other way round is something else
	if _, ok := hints.Head(background, streams[0], swapped); ok {
		t.Fatal("an epoch is taken for a stream")
	}
}

func keepsEveryField(t *testing.T, h Harness) {
	hints, epoch := h.New(t), ID()
	long := make([]byte, 128)
	for i := range long {
		long[i] = '~'
	}
	for _, want := range []holdfast.Head{
		{},
		{AcceptedThrough: 1<<63 - 1, Quarantined: 1<<63 - 1},
		{AcceptedThrough: 1, Owner: holdfast.Owner{Device: string(long)}},
		{AcceptedThrough: 1, Owner: holdfast.Owner{Shop: string(long)}},
	} {
		stream := ID()
		hints.Remember(epoch, stream, want)
		if head, ok := hints.Head(background, epoch, stream); !ok || head != want {
			t.Fatalf("got %+v, %t, want %+v", head, ok, want)
		}
	}
}

func safeForManyCallers(t *testing.T, h Harness) {
	hints, epoch := h.New(t), ID()
	streams := make([]holdfast.ID, 32)
	for i := range streams {
		streams[i] = ID()
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for n := range 300 {
				i := n % len(streams)
				hints.Remember(epoch, streams[i], Head(int64(i)))
				if head, ok := hints.Head(background, epoch, streams[i]); ok && head != Head(int64(i)) {
					t.Errorf("stream %d: got %+v", i, head)
					return
				}
			}
		})
	}
	wg.Wait()
}

func neverTakesLong(t *testing.T, h Harness) {
	hints, epoch := h.New(t), ID()
	for range 200 {
		began := time.Now()
		hints.Head(background, epoch, ID())
		hints.Remember(epoch, ID(), Head(1))
		if took := time.Since(began); took > h.Longest {
			t.Fatalf("took %v, may take %v", took, h.Longest)
		}
	}
}

func heedsContext(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, ok := h.New(t).Head(ctx, ID(), ID()); ok {
		t.Fatal("something is known of an unknown stream")
	}
}
