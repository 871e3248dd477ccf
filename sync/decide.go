package sync

import (
	"fmt"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/jsonscan"
	"github.com/holdfast-sync/holdfast/store"
)

// situation is everything a decision may depend on.
type situation struct {
	epoch  int64
	head   holdfast.Head
	record *holdfast.BatchRecord // of the batch's correlation id
	// held is what the stream holds of the batch; known once looked has been set.
	held   []store.Held
	looked bool
}

// request is a batch and who sends it.
type request struct {
	*holdfast.Batch
	owner holdfast.Owner
	// contradiction names a header that says otherwise than the credentials.
	contradiction string
	seenEpoch     int64
}

type verdict int

const (
	lookCloser  verdict = iota // not clear without what is held
	appendBatch                // take it, the first duplicates of it being held
	replayBatch                // an earlier request did the work
)

// decision is what to do with a batch that isn't refused.
type decision struct {
	verdict    verdict
	duplicates int
}

// fencedFor is how long a client should leave a node alone that knows of an
// older epoch than the client.
const fencedFor = 5 * time.Second

// decide is the rule of a stream, a pure function. The checks come in the
// protocol's order: owner, epoch, correlation id, fork, gap. The error is
// always a *holdfast.Error.
func decide(s situation, r request) (decision, error) {
	if err := admit(s, r.owner, r.contradiction, max(r.Epoch, r.seenEpoch)); err != nil {
		return decision{}, err
	}
	if s.record != nil {
		return decideKnown(s, r)
	}
	if r.First() == s.head.AcceptedThrough+1 && !s.looked {
		return decision{verdict: appendBatch}, nil
	}
	if !s.looked {
		return decision{verdict: lookCloser}, nil
	}
	if err := findFork(s, r.Transactions); err != nil {
		return decision{}, err
	}
	if r.First() > s.head.AcceptedThrough+1 {
		return decision{}, s.refuse(holdfast.Error{
			Code:        holdfast.CodeSequenceGap,
			Detail:      fmt.Sprintf("The stream is held through %d; the batch begins at %d.", s.head.AcceptedThrough, r.First()),
			ExpectedSeq: s.head.AcceptedThrough + 1,
		})
	}
	through := min(s.head.AcceptedThrough, r.Last())
	if !covers(s.held, r.First(), through) { // the two looks saw two histories
		return decision{verdict: lookCloser}, nil
	}
	return decision{verdict: appendBatch, duplicates: int(through - r.First() + 1)}, nil
}

// admit checks the owner and the epoch; it is the same for reads.
func admit(s situation, who holdfast.Owner, contradiction string, seenEpoch int64) error {
	if contradiction != "" {
		return &holdfast.Error{Code: holdfast.CodeForbidden, Detail: contradiction + " says otherwise than the credentials."}
	}
	if s.head.Owner.Contradicts(who) {
		return &holdfast.Error{Code: holdfast.CodeForbidden, Detail: "The stream was begun by another device or store."}
	}
	if seenEpoch > s.epoch {
		return &holdfast.Error{
			Code: holdfast.CodeFenced, RetryAfter: fencedFor,
			Detail: fmt.Sprintf("This node's history is of epoch %d; the client has seen a later one.", s.epoch),
		}
	}
	return nil
}

// decideKnown decides a batch whose correlation id has been used up.
func decideKnown(s situation, r request) (decision, error) {
	if s.record.First == r.First() && s.record.Last == r.Last() {
		if s.record.Fingerprint == r.Fingerprint() {
			return decision{verdict: replayBatch}, nil
		}
		if !s.looked {
			return decision{verdict: lookCloser}, nil
		}
		if findFork(s, r.Transactions) == nil && covers(s.held, r.First(), r.Last()) {
			return decision{verdict: replayBatch}, nil
		}
	}
	return decision{}, s.refuse(holdfast.Error{
		Code:   holdfast.CodeCorrelationIDReused,
		Detail: fmt.Sprintf("The correlation id stands for the transactions %d to %d, and these are others.", s.record.First, s.record.Last),
	})
}

// findFork compares what is held with what is sent: a held seq under another id,
// a held id under another seq, or the same id with another content.
func findFork(s situation, sent []holdfast.Transaction) error {
	bySeq := make(map[int64]*store.Held, len(s.held))
	byID := make(map[holdfast.ID]*store.Held, len(s.held))
	for i := range s.held {
		bySeq[s.held[i].Seq], byID[s.held[i].ID] = &s.held[i], &s.held[i]
	}
	for i := range sent {
		tx := &sent[i]
		h := bySeq[tx.Seq]
		if h == nil && byID[tx.ID] == nil {
			continue
		}
		if h == nil || h.ID != tx.ID || !sameContent(h.Raw, tx.Raw) {
			return s.refuse(holdfast.Error{
				Code: holdfast.CodeStreamForked, Seq: tx.Seq,
				Detail: fmt.Sprintf("The stream holds something else than what is sent as %d.", tx.Seq),
			})
		}
	}
	return nil
}

// covers says whether the stream holds every one of first to last.
func covers(held []store.Held, first, last int64) bool {
	var n int64
	for i := range held {
		if held[i].Seq >= first && held[i].Seq <= last {
			n++
		}
	}
	return n == last-first+1
}

// sameContent compares exact JSON values, so a client that serialises again is
// not punished.
func sameContent(a, b []byte) bool { return string(a) == string(b) || jsonscan.Equal(a, b) }

// refuse completes a refusal with the watermarks it was decided on.
func (s situation) refuse(e holdfast.Error) error {
	e.Watermarks = s.watermarks()
	return &e
}

// watermarks of the head. On one site what is accepted is durable.
func (s situation) watermarks() *holdfast.Watermarks {
	return &holdfast.Watermarks{
		Epoch:           s.epoch,
		AcceptedThrough: s.head.AcceptedThrough,
		DurableThrough:  s.head.AcceptedThrough,
		Digest:          s.head.Digest,
	}
}
