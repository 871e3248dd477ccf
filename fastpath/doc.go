// Package fastpath remembers heads of streams outside the database, so that most
// batches are decided without reading it.
//
// What is remembered is a hint. It may be old, wrong or missing, because nodes
// don't tell each other, memory is evicted, and Redis may be flushed, restored from an
// old dump or full of somebody else's bytes. Whoever uses a hint lets the store check
// it: a wrong one costs a second look, never a wrong answer. That is why
// nothing here is locked, confirmed or repaired, and why nothing here may make a
// request wait: behind a slow or dead Redis every question is a miss.
//
// A hint belongs to an epoch, by the epoch's id and not its number: what was
// remembered in one history is not found in another.
package fastpath

import (
	"context"

	"github.com/holdfast-sync/holdfast"
)

// Hints is the contract of the implementations below this folder.
type Hints interface {
	// Head is what is remembered of a stream in that epoch.
	Head(ctx context.Context, epoch, stream holdfast.ID) (holdfast.Head, bool)
	// Remember replaces what is remembered, whatever that was: what was too high
	// must be put right too. It is best effort and returns at once.
	Remember(epoch, stream holdfast.ID, head holdfast.Head)
}
