package sync_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	stdsync "sync"
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/sync"
)

var stream = idOf(0x5, 1)

func accept(t *testing.T, g *sync.Gateway, b *holdfast.Batch) holdfast.Receipt {
	t.Helper()
	r, err := g.AcceptBatch(as("", ""), b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func refused(t *testing.T, g *sync.Gateway, b *holdfast.Batch) *holdfast.Error {
	t.Helper()
	_, err := g.AcceptBatch(as("", ""), b)
	return refusal(t, err)
}

func TestNewTransactionsAreAccepted(t *testing.T) {
	g := newGateway(t, sync.Config{Store: newModel()})
	r := accept(t, g, batchOf(stream, 1, 1, 3))
	want := holdfast.Watermarks{Epoch: 1, AcceptedThrough: 3, DurableThrough: 3, Digest: digestThrough(3)}
	if r.Watermarks != want || !r.New || r.Replayed {
		t.Fatalf("got %+v", r)
	}
	if got := statuses(r); !slices.Equal(got, []holdfast.Status{"accepted", "accepted", "accepted"}) {
		t.Fatal(got)
	}
}

func TestAReplayIsTheFirstAnswerWithTodaysWatermarks(t *testing.T) {
	g := newGateway(t, sync.Config{Store: newModel(), Hints: &hints{}})
	first := accept(t, g, batchOf(stream, 1, 1, 3))
	accept(t, g, batchOf(stream, 2, 4, 5))
	again := accept(t, g, batchOf(stream, 1, 1, 3))
	if !again.Replayed || !again.New || again.AcceptedThrough != 5 || again.Digest != digestThrough(5) {
		t.Fatalf("got %+v", again)
	}
	if !slices.Equal(statuses(first), statuses(again)) {
		t.Fatal(statuses(again))
	}
}

func TestARespelledReplayIsAReplay(t *testing.T) {
	g := newGateway(t, sync.Config{Store: newModel()})
	accept(t, g, batchOf(stream, 1, 1, 1))
	again := batchOf(stream, 1, 1, 1)
	raw := []byte(` {"payload":{"n":1.0e0}, "seq":1, "type":"\u0070ick","occurredAt":"2026-11-20T10:15:00Z","id":"` + txOf(1).ID.String() + `"}`)
	again.Transactions[0].Raw, again.Transactions[0].Hash = raw, holdfast.HashOf(raw)
	if r := accept(t, g, again); !r.Replayed || r.Digest != digestThrough(1) {
		t.Fatalf("got %+v", r)
	}
}

func TestOnlyDuplicatesUnderANewCorrelationID(t *testing.T) {
	g := newGateway(t, sync.Config{Store: newModel(), Hints: &hints{}})
	accept(t, g, batchOf(stream, 1, 1, 4))
	r := accept(t, g, batchOf(stream, 2, 2, 3))
	if r.New || r.Replayed || !slices.Equal(statuses(r), []holdfast.Status{"duplicate", "duplicate"}) || r.AcceptedThrough != 4 {
		t.Fatalf("got %+v", r)
	}
	if again := accept(t, g, batchOf(stream, 2, 2, 3)); again.New || !again.Replayed || !slices.Equal(statuses(again), statuses(r)) {
		t.Fatalf("got %+v", again)
	}
}

func TestAResliceTakesOnlyWhatIsNew(t *testing.T) {
	g := newGateway(t, sync.Config{Store: newModel(), Hints: &hints{}})
	accept(t, g, batchOf(stream, 1, 1, 4))
	r := accept(t, g, batchOf(stream, 2, 3, 6))
	if !slices.Equal(statuses(r), []holdfast.Status{"duplicate", "duplicate", "accepted", "accepted"}) || r.Digest != digestThrough(6) {
		t.Fatalf("got %+v", r)
	}
}

func TestRefusals(t *testing.T) {
	forked := func(b *holdfast.Batch, at int, with holdfast.Transaction) *holdfast.Batch {
		b.Transactions[at] = with
		return b
	}
	stale := batchOf(stream, 9, 6, 6)
	stale.Epoch = 2
	for name, c := range map[string]struct {
		batch *holdfast.Batch
		code  holdfast.Code
		seq   int64
	}{
		"gap":                           {batchOf(stream, 2, 7, 8), holdfast.CodeSequenceGap, 0},
		"held seq under another id":     {forked(batchOf(stream, 2, 4, 6), 1, txWith(5, idOf(0xB, 5), `{"n":5}`)), holdfast.CodeStreamForked, 5},
		"held id under another seq":     {forked(batchOf(stream, 2, 6, 7), 1, txWith(7, idOf(0xA, 2), `{"n":7}`)), holdfast.CodeStreamForked, 7},
		"a fork beyond a gap is a fork": {batchOf2(8, txWith(8, idOf(0xA, 1), `{}`)), holdfast.CodeStreamForked, 8},
		"same id, other content":        {forked(batchOf(stream, 2, 5, 6), 0, txWith(5, idOf(0xA, 5), `{"n":6}`)), holdfast.CodeStreamForked, 5},
		"correlation id, other range":   {batchOf(stream, 1, 1, 4), holdfast.CodeCorrelationIDReused, 0},
		"correlation id, other content": {forked(batchOf(stream, 1, 1, 5), 0, txWith(1, idOf(0xA, 1), `{"n":2}`)), holdfast.CodeCorrelationIDReused, 0},
		"correlation id, new range":     {batchOf(stream, 1, 6, 6), holdfast.CodeCorrelationIDReused, 0},
		"a later epoch":                 {stale, holdfast.CodeFenced, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel()
			g := newGateway(t, sync.Config{Store: m, Hints: &hints{}})
			accept(t, g, batchOf(stream, 1, 1, 5))
			e := refused(t, g, c.batch)
			if e.Code != c.code || e.Seq != c.seq {
				t.Fatalf("got %+v", e)
			}
			if c.code == holdfast.CodeSequenceGap && e.ExpectedSeq != 6 {
				t.Fatalf("expectedSeq %d", e.ExpectedSeq)
			}
			if c.code != holdfast.CodeFenced && (e.Watermarks == nil || e.Watermarks.AcceptedThrough != 5) {
				t.Fatalf("watermarks %+v", e.Watermarks)
			}
			if s := m.streams[stream]; s.head.AcceptedThrough != 5 || len(s.batches) != 1 {
				t.Fatal("a refused request has changed something")
			}
			// A refusal does not use up the correlation id.
			if c.batch.Correlation != idOf(0xC, 1) {
				fresh := batchOf(stream, 0, 6, 6)
				fresh.Correlation = c.batch.Correlation
				accept(t, g, fresh)
			}
		})
	}
}

func batchOf2(correlation int, txs ...holdfast.Transaction) *holdfast.Batch {
	return &holdfast.Batch{Stream: stream, Correlation: idOf(0xC, correlation), Transactions: txs}
}

func TestAStreamBelongsToWhoBeganIt(t *testing.T) {
	g := newGateway(t, sync.Config{Store: newModel(), Hints: &hints{}})
	if _, err := g.AcceptBatch(as("ipad-1", "0042"), batchOf(stream, 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		device, shop string
		ok           bool
	}{{"ipad-2", "0042", false}, {"ipad-1", "0043", false}, {"", "0043", false}, {"ipad-1", "0042", true}, {"", "", true}, {"ipad-1", "", true}} {
		_, errRead := g.Stream(as(c.device, c.shop), stream)
		_, errReplay := g.AcceptBatch(as(c.device, c.shop), batchOf(stream, 1, 1, 1))
		_, errSend := g.AcceptBatch(as(c.device, c.shop), batchOf(stream, 7, 9, 9))
		if c.ok {
			if errRead != nil || errReplay != nil || refusal(t, errSend).Code != holdfast.CodeSequenceGap {
				t.Fatal(c, errRead, errReplay, errSend)
			}
			continue
		}
		for _, err := range []error{errRead, errReplay, errSend} {
			if e := refusal(t, err); e.Code != holdfast.CodeForbidden {
				t.Fatal(c, e)
			}
		}
	}
	operator := holdfast.WithPrincipal(as("desk-pc", "hq"), holdfast.Principal{Scope: holdfast.ScopeOperator})
	if _, _, err := g.Transaction(operator, stream, 1); err != nil {
		t.Fatal("an operator reads every stream", err)
	}
	contradicting := holdfast.WithRequestContext(context.Background(), holdfast.RequestContext{Contradiction: "X-Device-Id"})
	if _, err := g.AcceptBatch(contradicting, batchOf(stream, 1, 1, 1)); refusal(t, err).Code != holdfast.CodeForbidden {
		t.Fatal(err)
	}
}

type picky struct{ calls int }

func (p *picky) Check(_ string, _ int64, payload []byte) []byte {
	p.calls++
	if bytes.Contains(payload, []byte("bad")) {
		return []byte(`{"code":"schema-violation"}`)
	}
	return nil
}

func TestQuarantine(t *testing.T) {
	schemas := &picky{}
	g := newGateway(t, sync.Config{Store: newModel(), Schemas: schemas, Hints: &hints{}})
	bad := txWith(2, idOf(0xA, 2), `{"bad":1}`)
	r := accept(t, g, batchOf2(1, txOf(1), bad, txOf(3)))
	if !slices.Equal(statuses(r), []holdfast.Status{"accepted", "quarantined", "accepted"}) || r.Results[1].Problem == nil {
		t.Fatalf("got %+v", r)
	}
	checks := schemas.calls
	again := accept(t, g, batchOf2(1, txOf(1), bad, txOf(3)))
	if !again.Replayed || !slices.Equal(statuses(again), statuses(r)) || again.Results[1].Problem == nil {
		t.Fatalf("got %+v", again)
	}
	dup := accept(t, g, batchOf2(2, bad, txOf(3), txOf(4)))
	if !slices.Equal(statuses(dup), []holdfast.Status{"duplicate", "duplicate", "accepted"}) || dup.Results[0].Problem == nil {
		t.Fatalf("a duplicate of a quarantined transaction tells its problem: %+v", dup)
	}
	if schemas.calls != checks+1 {
		t.Fatalf("what is held is not checked again: %d checks", schemas.calls-checks)
	}
	dupAgain := accept(t, g, batchOf2(2, bad, txOf(3), txOf(4)))
	if !slices.Equal(statuses(dupAgain), statuses(dup)) || dupAgain.Results[0].Problem == nil {
		t.Fatalf("got %+v", dupAgain)
	}
	state, err := g.Stream(as("", ""), stream)
	if err != nil || state.Quarantined != 1 || state.AcceptedThrough != 4 {
		t.Fatalf("%+v %v", state, err)
	}
}

func TestSixteenIdenticalRequestsAtOnce(t *testing.T) {
	m := newModel()
	g := newGateway(t, sync.Config{Store: m, Hints: &hints{}})
	var wg stdsync.WaitGroup
	var mu stdsync.Mutex
	first, replayed, waiting := 0, 0, 0
	for range 16 {
		wg.Go(func() {
			r, err := g.AcceptBatch(as("", ""), batchOf(stream, 1, 1, 50))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && holdfast.CodeOf(err) == holdfast.CodeRequestInProgress:
				waiting++
			case err != nil:
				t.Error(err)
			case r.Replayed:
				replayed++
			default:
				first++
			}
		})
	}
	wg.Wait()
	if first != 1 || first+replayed+waiting != 16 || len(m.streams[stream].held) != 50 {
		t.Fatal(first, replayed, waiting, len(m.streams[stream].held))
	}
}

func TestInProgress(t *testing.T) {
	m := newModel()
	g := newGateway(t, sync.Config{Store: m})
	accept(t, g, batchOf(stream, 1, 1, 2))
	entered, release := make(chan struct{}), make(chan struct{})
	g.Store = blocking{m, entered, release}
	done := make(chan error)
	go func() {
		_, err := g.AcceptBatch(as("", ""), batchOf(stream, 2, 3, 4))
		done <- err
	}()
	<-entered
	g.Store = m
	e := refused(t, g, batchOf(stream, 2, 3, 4))
	if e.Code != holdfast.CodeRequestInProgress || e.RetryAfter == 0 || e.Watermarks == nil || e.Watermarks.AcceptedThrough != 2 {
		t.Fatalf("%+v", e)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := accept(t, g, batchOf(stream, 2, 3, 4)); !r.Replayed {
		t.Fatal("not a replay")
	}
}

type blocking struct {
	*model
	entered, release chan struct{}
}

func (b blocking) Append(ctx context.Context, a *store.Append) error {
	close(b.entered)
	<-b.release
	return b.model.Append(ctx, a)
}

func TestWhatTheStoreRefuses(t *testing.T) {
	for want, cause := range map[holdfast.Code]error{
		holdfast.CodeBackendUnavailable: store.ErrUnavailable,
		holdfast.CodeOutcomeUnknown:     store.ErrOutcomeUnknown,
		holdfast.CodeOverloaded:         store.ErrOverloaded,
		holdfast.CodeInternal:           errors.New("a bug"),
	} {
		m := newModel()
		m.fault = func(*store.Append) (error, error) { return cause, nil }
		g := newGateway(t, sync.Config{Store: m})
		e := refused(t, g, batchOf(stream, 1, 1, 1))
		if e.Code != want || (want != holdfast.CodeInternal) != (e.RetryAfter > 0) {
			t.Fatalf("%+v", e)
		}
	}
}

func TestAStreamThatNeverStandsStillIsGivenUp(t *testing.T) {
	m := newModel()
	m.fault = func(*store.Append) (error, error) { return store.ErrConflict, nil }
	g := newGateway(t, sync.Config{Store: m})
	if e := refused(t, g, batchOf(stream, 1, 1, 1)); e.Code != holdfast.CodeOverloaded || m.tries > 100 {
		t.Fatalf("%+v after %d tries", e, m.tries)
	}
}

func TestARememberedHeadSparesTheLook(t *testing.T) {
	m := newModel()
	g := newGateway(t, sync.Config{Store: m, Hints: &hints{}})
	accept(t, g, batchOf(stream, 1, 1, 1))
	looks := m.looks
	for i := range 10 {
		accept(t, g, batchOf(stream, 2+i, int64(2+i), int64(2+i)))
	}
	if m.looks != looks {
		t.Fatalf("%d looks at the database for 10 batches in order", m.looks-looks)
	}
}

func TestHintsDieWithTheirEpoch(t *testing.T) {
	m := newModel()
	g := newGateway(t, sync.Config{Store: m, Hints: &hints{}})
	accept(t, g, batchOf(stream, 1, 1, 5))
	// A promotion took the end of the history back.
	m.epoch = store.Epoch{Number: 2, ID: idOf(0xE, 2)}
	old := m.streams[stream]
	m.streams[stream] = &modelStream{
		head: holdfast.Head{AcceptedThrough: 2, Digest: digestThrough(2)},
		held: old.held[:2], batches: map[holdfast.ID]holdfast.BatchRecord{},
	}
	if e := refused(t, g, batchOf(stream, 2, 6, 6)); e.Code != holdfast.CodeSequenceGap || e.ExpectedSeq != 3 || e.Watermarks.Epoch != 2 {
		t.Fatalf("%+v", e)
	}
	if r := accept(t, g, batchOf(stream, 1, 1, 5)); r.Replayed || r.Epoch != 2 || r.AcceptedThrough != 5 {
		t.Fatalf("%+v", r)
	}
	if r := accept(t, g, batchOf(stream, 3, 6, 6)); r.AcceptedThrough != 6 || r.Digest != digestThrough(6) {
		t.Fatalf("%+v", r)
	}
}
