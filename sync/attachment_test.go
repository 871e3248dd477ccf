package sync_test

import (
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/sync"
)

// named is an attachment of transaction seq with some copies.
func named(seq int64, copies int) holdfast.NamedAttachment {
	return holdfast.NamedAttachment{AttachmentRef: holdfast.AttachmentRef{Digest: holdfast.Hash{byte(seq)}, Size: 1}, Seq: seq, Copies: copies}
}

func TestTheDurableMarkWaitsForCopiesWhereTheyAreWanted(t *testing.T) {
	for copies, want := range map[int]int64{0: 6, 1: 6, 2: 3, 3: 1} {
		m := newModel()
		g := newGateway(t, sync.Config{Store: m, Copies: copies})
		stream := idOf(0x55, 1)
		receipt, err := g.AcceptBatch(t.Context(), batchOf(stream, 1, 1, 6))
		if err != nil || receipt.DurableThrough != 6 {
			t.Fatalf("copies %d: without attachments %+v %v", copies, receipt.Watermarks, err)
		}
		m.named = map[holdfast.ID][]holdfast.NamedAttachment{stream: {named(1, 3), named(2, 2), named(4, 1), named(5, 0), named(6, 2)}}
		// The mark may have been remembered: what is named later lies behind it.
		g = newGateway(t, sync.Config{Store: m, Copies: copies})
		state, err := g.Stream(t.Context(), stream)
		if err != nil || state.DurableThrough != want || state.AcceptedThrough != 6 || state.MissingAttachments != 1 {
			t.Fatalf("copies %d: %+v %v", copies, state, err)
		}
		again, err := g.AcceptBatch(t.Context(), batchOf(stream, 1, 1, 6))
		if err != nil || !again.Replayed || again.DurableThrough != want {
			t.Fatalf("copies %d: a replay %+v %v", copies, again.Watermarks, err)
		}
		gap, err := g.AcceptBatch(t.Context(), batchOf(stream, 2, 9, 9))
		if e := refusal(t, err); e.Watermarks.DurableThrough != want {
			t.Fatalf("copies %d: a gap %+v %+v", copies, gap, e.Watermarks)
		}
		for i := range m.named[stream] {
			m.named[stream][i].Copies = 3
		}
		if state, err = g.Stream(t.Context(), stream); err != nil || state.DurableThrough != 6 || state.MissingAttachments != 0 {
			t.Fatalf("copies %d: all held %+v %v", copies, state, err)
		}
	}
}

func TestAttachmentsAreTheStreamsOwners(t *testing.T) {
	m := newModel()
	g := newGateway(t, sync.Config{Store: m})
	stream := idOf(0x55, 2)
	mine := holdfast.WithRequestContext(t.Context(), holdfast.RequestContext{Device: "ipad-1"})
	mine = holdfast.WithPrincipal(mine, holdfast.Principal{Scope: holdfast.ScopeDevice, Device: "ipad-1"})
	if _, err := g.AcceptBatch(mine, batchOf(stream, 1, 1, 2)); err != nil {
		t.Fatal(err)
	}
	m.named = map[holdfast.ID][]holdfast.NamedAttachment{stream: {named(1, 0), named(2, 1)}}
	all, marks, err := g.Attachments(mine, store.NamedQuery{Stream: stream, Limit: 10})
	if err != nil || len(all) != 2 || marks.AcceptedThrough != 2 {
		t.Fatal(all, marks, err)
	}
	theirs := holdfast.WithRequestContext(t.Context(), holdfast.RequestContext{Device: "ipad-2"})
	theirs = holdfast.WithPrincipal(theirs, holdfast.Principal{Scope: holdfast.ScopeDevice, Device: "ipad-2"})
	if _, _, err := g.Attachments(theirs, store.NamedQuery{Stream: stream, Limit: 10}); holdfast.CodeOf(err) != holdfast.CodeForbidden {
		t.Fatal(err)
	}
}
