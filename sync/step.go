package sync

import (
	"context"
	"slices"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// quarantine remembers the verdict on payloads, so that a batch that is decided
// again is not checked again.
type quarantine struct {
	check   func(typ string, version int64, payload []byte) []byte
	verdict map[int64][]byte
	checked int64 // every seq from here on has a verdict; 0: none has
}

// problems of the new transactions, ordered by seq.
func (q *quarantine) problems(fresh []holdfast.Transaction) []holdfast.TransactionProblem {
	var found []holdfast.TransactionProblem
	for i := range fresh {
		tx := &fresh[i]
		if q.checked == 0 || tx.Seq < q.checked {
			if p := q.check(tx.Type, tx.Schema, tx.Payload); p != nil {
				if q.verdict == nil {
					q.verdict = make(map[int64][]byte)
				}
				q.verdict[tx.Seq] = p
			}
		}
		if p := q.verdict[tx.Seq]; p != nil {
			found = append(found, holdfast.TransactionProblem{Seq: tx.Seq, Problem: p})
		}
	}
	if len(fresh) > 0 && (q.checked == 0 || fresh[0].Seq < q.checked) {
		q.checked = fresh[0].Seq
	}
	return found
}

// step turns a decision into what the store is to write.
func (g *Gateway) step(ctx context.Context, s situation, r request, rc holdfast.RequestContext, d decision, q *quarantine) *store.Append {
	fresh := r.Transactions[d.duplicates:]
	problems := q.problems(fresh)
	next := s.head
	for i := range fresh {
		next.Digest = next.Digest.Next(fresh[i].Hash)
	}
	next.AcceptedThrough += int64(len(fresh))
	next.Quarantined += int64(len(problems))
	if s.head.AcceptedThrough == 0 {
		next.Owner = r.owner
	}
	rc.Correlation = r.Correlation.String()
	step := &store.Append{
		Epoch: s.epoch, Stream: r.Stream, Expected: s.head, Next: next, Transactions: fresh,
		Batch: holdfast.BatchRecord{
			Correlation: r.Correlation, First: r.First(), Last: r.Last(),
			Duplicates: int64(d.duplicates), Fingerprint: r.Fingerprint(),
			Problems: append(heldProblems(s.held, r.First(), r.First()+int64(d.duplicates)-1), problems...),
			Context:  rc, Prior: r.Prior,
		},
	}
	step.Events = g.events(ctx, r, step, problems)
	return step
}

// heldProblems are those of the duplicates: the answer tells them again.
func heldProblems(held []store.Held, first, last int64) []holdfast.TransactionProblem {
	var found []holdfast.TransactionProblem
	for i := range held {
		if h := &held[i]; h.Problem != nil && h.Seq >= first && h.Seq <= last {
			found = append(found, holdfast.TransactionProblem{Seq: h.Seq, Problem: h.Problem})
		}
	}
	slices.SortFunc(found, func(a, b holdfast.TransactionProblem) int { return int(a.Seq - b.Seq) })
	return found
}

// results are those that the record's first answer gave.
func results(rec *holdfast.BatchRecord, sent []holdfast.Transaction) []holdfast.Result {
	out := make([]holdfast.Result, len(sent))
	problems := rec.Problems
	for i := range sent {
		out[i] = holdfast.Result{Seq: sent[i].Seq, ID: sent[i].ID, Status: holdfast.StatusAccepted}
		if len(problems) > 0 && problems[0].Seq == sent[i].Seq {
			out[i].Status, out[i].Problem = holdfast.StatusQuarantined, problems[0].Problem
			problems = problems[1:]
		}
		if int64(i) < rec.Duplicates {
			out[i].Status = holdfast.StatusDuplicate
		}
	}
	return out
}

// replayed is the first answer with today's watermarks.
func replayed(s situation, sent []holdfast.Transaction) holdfast.Receipt {
	return holdfast.Receipt{
		Watermarks: *s.watermarks(),
		Results:    results(s.record, sent),
		New:        s.record.Duplicates <= s.record.Last-s.record.First,
		Replayed:   true,
	}
}
