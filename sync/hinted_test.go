package sync_test

import (
	"slices"
	"testing"

	"github.com/holdfast-sync/holdfast/sync"
)

// What a remembered head was worth is told once for every question.
func TestHintsAreJudged(t *testing.T) {
	m := newModel()
	var told []sync.HintResult
	g := newGateway(t, sync.Config{Store: m, Hints: &hints{}, Hinted: func(r sync.HintResult) { told = append(told, r) }})
	another := newGateway(t, sync.Config{Store: m, Hints: &hints{}})
	accept(t, g, batchOf(stream, 1, 1, 3))
	accept(t, g, batchOf(stream, 2, 4, 5))
	accept(t, g, batchOf(stream, 1, 1, 3)) // a replay does not continue the head
	accept(t, another, batchOf(stream, 3, 6, 7))
	accept(t, g, batchOf(stream, 4, 6, 8))
	accept(t, g, batchOf(stream, 5, 9, 9))
	want := []sync.HintResult{sync.HintMiss, sync.HintHit, sync.HintMiss, sync.HintLie, sync.HintHit}
	if !slices.Equal(told, want) {
		t.Errorf("got %v, want %v", told, want)
	}
}
