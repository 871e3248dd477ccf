package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

func TestABatchCarriesEverythingTheProtocolAsks(t *testing.T) {
	src := transactions(5)
	srv := newServer(t, src)
	r := newRig(t, Config{Token: "hf_abc", MaxTransactions: 3, UserAgent: "test/1"}, srv)
	s := r.Stream(StreamConfig{ID: streamA, Source: src})
	ctx := holdfast.WithRequestContext(testContext(t), holdfast.RequestContext{Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	if err := s.Send(ctx); err != nil {
		t.Fatal(err)
	}
	all := srv.requests()
	wantEqual(t, "slices", ranges(all), "1-3 4-5")
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer hf_abc", "User-Agent": "test/1",
		"X-Store-Id": "0042", "X-Device-Id": "ipad-1", "X-User-Id": "u1", "X-Session-Id": "s1", "X-App-Version": "1.2.3",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		wantEqual(t, name, all[0].header.Get(name), want)
	}
	wantEqual(t, "path", all[0].path, "/v1/streams/"+streamA.String()+"/batches")
	wantEqual(t, "epoch at first", all[0].header.Get("Holdfast-Epoch"), "")
	wantEqual(t, "epoch then", all[1].header.Get("Holdfast-Epoch"), "7")
	wantEqual(t, "queue at first", all[0].header.Get("Holdfast-Queue"), "depth=5, oldest=340")
	wantEqual(t, "queue then", all[1].header.Get("Holdfast-Queue"), "depth=2, oldest=340")
	if all[0].correlation() == all[1].correlation() {
		t.Error("two batches share a correlation id")
	}
	p := s.Progress()
	wantEqual(t, "progress", p, Progress{AcceptedThrough: 5, DurableThrough: 5, Epoch: 7, Batches: 2, Accepted: 5})
	wantEqual(t, "events", r.kinds(), "taken taken")
}

func TestASecondProcessSendsTheSameCorrelationIdsAndIsAnsweredAsAReplay(t *testing.T) {
	src := transactions(4)
	var srv *server
	replay := func(w http.ResponseWriter, q *seen) {
		w.Header().Set("Idempotency-Replayed", "true")
		srv.receipt(w, q, 201, 7, 4, holdfast.StatusAccepted)
	}
	srv = newServer(t, src)
	for range 2 {
		r := newRig(t, Config{MaxTransactions: 2}, srv)
		s := r.Stream(StreamConfig{ID: streamA, Source: src})
		if err := s.Send(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if len(srv.requests()) > 2 {
			wantEqual(t, "second run", s.Progress(), Progress{AcceptedThrough: 4, DurableThrough: 4, Epoch: 7, Batches: 1, Duplicates: 4})
		}
		srv.mu.Lock()
		srv.script = []reply{replay}
		srv.mu.Unlock()
	}
	all := srv.requests()
	// The watermark of the replay, proved by the digest, makes the second batch needless.
	wantEqual(t, "slices", ranges(all), "1-2 3-4 1-2")
	wantEqual(t, "correlation id", all[2].correlation(), all[0].correlation())
}

func TestCorrelationIDIsAVersion8UUIDOfTheContent(t *testing.T) {
	base := CorrelationID(streamA, holdfast.HashOf([]byte("x")), 0)
	// A published number: other processes and releases must make the same.
	wantEqual(t, "id", base.String(), "25fb6000-c648-85d6-b2eb-3e7383d999a6")
	wantEqual(t, "version", base.String()[14], byte('8'))
	if !strings.ContainsRune("89ab", rune(base.String()[19])) {
		t.Errorf("variant of %s", base)
	}
	for _, other := range []holdfast.ID{
		CorrelationID(streamA, holdfast.HashOf([]byte("x")), 1),
		CorrelationID(streamA, holdfast.HashOf([]byte("y")), 0),
		CorrelationID(holdfast.ID{1}, holdfast.HashOf([]byte("x")), 0),
	} {
		if other == base {
			t.Error("another batch has the same id")
		}
	}
}

func TestGzipIsDecodedToTheSameBytes(t *testing.T) {
	src := transactions(50)
	srv := newServer(t, src)
	r := newRig(t, Config{Gzip: true}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "coding", srv.requests()[0].header.Get("Content-Encoding"), "gzip")
}

func TestSlicesEndAtTheByteLimitAndAtAnotherOrigin(t *testing.T) {
	src := transactions(6)
	src[3].Origin.User, src[4].Origin.User, src[5].Origin.User = "u2", "u2", "u2"
	srv := newServer(t, src)
	r := newRig(t, Config{MaxBytes: int64(2*len(src[0].Raw) + 1 + len(bodyStart) + len(bodyEnd))}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	all := srv.requests()
	wantEqual(t, "slices", ranges(all), "1-2 3-3 4-5 6-6")
	wantEqual(t, "user", all[2].header.Get("X-User-Id"), "u2")

	srv = newServer(t, src)
	r = newRig(t, Config{MaxBytes: 10}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "larger than the limit: alone", len(srv.requests()), 6)
}

func TestHigherEpochWithALowerWatermarkRewindsAtOnce(t *testing.T) {
	src := transactions(6)
	var srv *server
	srv = newServer(t, src,
		func(w http.ResponseWriter, q *seen) { srv.receipt(w, q, 201, 7, 2, holdfast.StatusAccepted) },
		func(w http.ResponseWriter, q *seen) { srv.receipt(w, q, 201, 7, 4, holdfast.StatusAccepted) },
		problemReply(409, "sequence-gap", "expectedSeq=2", "epoch=8", "Holdfast-Epoch: 8", "Holdfast-Accepted-Through: 1"))
	srv.epoch = 8
	r := newRig(t, Config{MaxTransactions: 2}, srv)
	s := r.Stream(StreamConfig{ID: streamA, Source: src})
	if err := s.Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "slices", ranges(srv.requests()), "1-2 3-4 5-6 2-3 4-5 6-6")
	wantEqual(t, "events", r.kinds(), "taken taken epoch taken taken taken")
	wantEqual(t, "no wait", len(r.clock.slept), 0)
	wantEqual(t, "rewinds", s.Progress().Rewinds, 1)
	wantEqual(t, "epoch sent", srv.requests()[3].header.Get("Holdfast-Epoch"), "8")
}

func TestRegressionInTheSameEpochRewindsAfterAPause(t *testing.T) {
	src := transactions(4)
	srv := newServer(t, src, nil, problemReply(409, "sequence-gap", "expectedSeq=1", "epoch=7"))
	srv.script[0] = srv.takeEverything
	r := newRig(t, Config{MaxTransactions: 2}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "slices", ranges(srv.requests()), "1-2 3-4 1-2 3-4")
	wantEqual(t, "events", r.kinds(), "taken regression retry taken taken")
	wantEqual(t, "waits", len(r.clock.slept), 1)
}

func TestAGapThatIsNoneIsWaitedForNotSpunOn(t *testing.T) {
	src := transactions(2)
	srv := newServer(t, src,
		problemReply(409, "sequence-gap", "expectedSeq=1", "epoch=7"),
		problemReply(409, "sequence-gap", "expectedSeq=9", "epoch=7"))
	r := newRig(t, Config{}, srv)
	if err := r.Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "waits", len(r.clock.slept), 2)
}

func TestDivergedWhenTheDigestDiffers(t *testing.T) {
	src := transactions(2)
	other := transactions(2)
	other[1].Raw = bytes.Replace(other[1].Raw, []byte(`"n": 2`), []byte(`"n":2`), 1)
	srv := newServer(t, src, nil)
	srv.script[0] = func(w http.ResponseWriter, q *seen) {
		mark(w)
		body := bytes.Replace(srv.receiptBody(q, 7, 2, holdfast.StatusDuplicate),
			[]byte(digestOf(src, 2).String()), []byte(digestOf(other, 2).String()), 1)
		_, _ = w.Write(body)
	}
	r := newRig(t, Config{}, srv)
	s := r.Stream(StreamConfig{ID: streamA, Source: src})
	err := s.Send(testContext(t))
	var diverged *DivergedError
	if !errors.As(err, &diverged) {
		t.Fatalf("got %v, want DivergedError", err)
	}
	wantEqual(t, "at", diverged.AcceptedThrough, 2)
	wantEqual(t, "ours", diverged.Ours, digestOf(src, 2))
	wantEqual(t, "theirs", diverged.Theirs, digestOf(other, 2))
	wantEqual(t, "nothing counts as held", s.Progress().AcceptedThrough, 0)
}

func TestDivergedWhenTheGatewayHoldsMoreThanWeHave(t *testing.T) {
	src := transactions(2)
	srv := newServer(t, src, nil)
	srv.script[0] = func(w http.ResponseWriter, q *seen) { srv.receipt(w, q, 200, 7, 5, holdfast.StatusDuplicate) }
	err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t))
	var diverged *DivergedError
	if !errors.As(err, &diverged) || diverged.AcceptedThrough != 5 || diverged.Last != 2 {
		t.Fatalf("got %v, want DivergedError at 5 of 2", err)
	}
	if !strings.Contains(err.Error(), "holds it through 5, the source ends at 2") {
		t.Errorf("the text is %q", err)
	}
}

func TestAForkStopsTheStream(t *testing.T) {
	src := transactions(3)
	srv := newServer(t, src, problemReply(409, "stream-forked", "seq=2", "acceptedThrough=3", "Holdfast-Epoch: 7"))
	err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t))
	var forked *ForkedError
	if !errors.As(err, &forked) || *forked != (ForkedError{Stream: streamA, Seq: 2, AcceptedThrough: 3}) {
		t.Fatalf("got %v", err)
	}
	wantEqual(t, "requests", len(srv.requests()), 1)
}

func TestBisectionFindsTheCulpritAndTakesWhatStandsBefore(t *testing.T) {
	for _, status := range []int{400, 413, 415, 422} {
		src := transactions(20)
		srv := newServer(t, src)
		refuse := problemReply(status, "invalid-request", `errors=[{"pointer":"/transactions/0/payload","detail":"not so"}]`)
		judge := func(w http.ResponseWriter, q *seen) {
			if q.first <= 14 && 14 <= q.last {
				refuse(w, q)
				return
			}
			srv.takeEverything(w, q)
		}
		for range 30 {
			srv.script = append(srv.script, judge)
		}
		r := newRig(t, Config{}, srv)
		s := r.Stream(StreamConfig{ID: streamA, Source: src})
		err := s.Send(testContext(t))
		var refused *RefusedError
		if !errors.As(err, &refused) {
			t.Fatalf("%d: got %v, want RefusedError", status, err)
		}
		wantEqual(t, "culprit", refused.Seq, 14)
		wantEqual(t, "status", refused.Status, status)
		wantEqual(t, "what stands before is held", s.Progress().AcceptedThrough, 13)
		if len(refused.Fields) != 1 || !strings.Contains(err.Error(), "/transactions/0/payload: not so") {
			t.Errorf("the text is %q", err)
		}
		if n := len(srv.requests()); n > 12 {
			t.Errorf("%d requests for 20 transactions", n)
		}
		wantEqual(t, "no waits", len(r.clock.slept), 0)
	}
}

func TestTooLargeKeepsToTheLimitsItIsTold(t *testing.T) {
	src := transactions(30)
	srv := newServer(t, src, problemReply(413, "too-large", "maxTransactions=4", "maxBytes=4194304"))
	if err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "slices", ranges(srv.requests()), "1-30 1-4 5-8 9-12 13-16 17-20 21-24 25-28 29-30")
}

func TestACorrelationIdInUseIsReplaced(t *testing.T) {
	src := transactions(2)
	srv := newServer(t, src, problemReply(422, "correlation-id-reused"))
	if err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	all := srv.requests()
	wantEqual(t, "slices", ranges(all), "1-2 1-2")
	if all[0].correlation() == all[1].correlation() {
		t.Error("the id was used again")
	}
}

func TestASourceThatNoLongerHasTheBeginning(t *testing.T) {
	src := transactions(6)
	cfg := StreamConfig{ID: streamA, Source: src, After: 3, Digest: digestOf(src, 3)}
	srv := newServer(t, src)
	s := newRig(t, Config{}, srv).Stream(cfg)
	if err := s.Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "slices", ranges(srv.requests()), "4-6")

	srv = newServer(t, src, problemReply(409, "sequence-gap", "expectedSeq=2", "epoch=8"))
	err := newRig(t, Config{}, srv).Stream(cfg).Send(testContext(t))
	var lost *LostError
	if !errors.As(err, &lost) || *lost != (LostError{Stream: streamA, First: 2, Last: 3}) {
		t.Fatalf("got %v, want the range 2 to 3 as lost", err)
	}
}

func TestASourceThatFailsIsNamed(t *testing.T) {
	src := transactions(2)
	src[1].Origin.User = "zoë"
	srv := newServer(t, src)
	err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t))
	var bad *SourceError
	if !errors.As(err, &bad) || bad.Seq != 2 {
		t.Fatalf("got %v", err)
	}
	wantEqual(t, "nothing was sent", len(srv.requests()), 0)
	if _, err := src.Transaction(3); err == nil {
		t.Error("a slice gives what it has not")
	}
}

func TestQuarantineIsCustodyAndIsTold(t *testing.T) {
	src := transactions(2)
	srv := newServer(t, src, nil)
	srv.script[0] = func(w http.ResponseWriter, q *seen) {
		mark(w)
		body := strings.Replace(string(srv.receiptBody(q, 7, 2, holdfast.StatusQuarantined)), `"status":"quarantined"`,
			`"status":"quarantined","problem":{"code":"schema-violation","detail":"payload breaks t/1","errors":[{"pointer":"/payload/n","detail":"must be text"}]}`, 1)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(body))
	}
	r := newRig(t, Config{}, srv)
	s := r.Stream(StreamConfig{ID: streamA, Source: src})
	if err := s.Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "quarantined", s.Progress().Quarantined, 2)
	q := r.events[0].Quarantined
	if len(q) != 1 || q[0].Code != holdfast.CodeSchemaViolation || q[0].Seq != 1 ||
		strings.Join(q[0].Errors, " ") != "/payload/n: must be text" {
		t.Errorf("the event tells %v", q)
	}
}

func TestVerifyComparesTheStateWithTheSource(t *testing.T) {
	src := transactions(3)
	srv := newServer(t, src)
	state := func(epoch, through int64) reply {
		return func(w http.ResponseWriter, q *seen) { srv.receipt(w, q, 200, epoch, through, "") }
	}
	srv.script = []reply{srv.takeEverything, drop, state(7, 3), state(8, 1), srv.takeEverything, state(8, 3), state(8, 4)}
	srv.epoch = 8
	s := newRig(t, Config{Token: "t"}, srv).Stream(StreamConfig{ID: streamA, Source: src})
	ctx := testContext(t)
	srv.script[0] = func(w http.ResponseWriter, q *seen) { srv.receipt(w, q, 201, 7, 3, holdfast.StatusAccepted) }
	if err := s.Send(ctx); err != nil {
		t.Fatal(err)
	}
	st, err := s.Verify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "state", st, State{Epoch: 7, AcceptedThrough: 3, DurableThrough: 3, Quarantined: 2, Undelivered: 3, Digest: digestOf(src, 3)})
	last := srv.requests()[2]
	wantEqual(t, "request", last.method+" "+last.path+" "+last.header.Get("X-Device-Id"), "GET /v1/streams/"+streamA.String()+" ipad-1")

	_, err = s.Verify(ctx)
	var behind *BehindError
	if !errors.As(err, &behind) || behind.AcceptedThrough != 1 {
		t.Fatalf("got %v, want BehindError at 1", err)
	}
	if err := s.Send(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	var diverged *DivergedError
	if _, err = s.Verify(ctx); !errors.As(err, &diverged) {
		t.Fatalf("got %v, want DivergedError", err)
	}
}

func TestStateOfAStreamOfNobody(t *testing.T) {
	src := transactions(1)
	srv := newServer(t, src, nil, problemReply(404, "not-found"))
	srv.script[0] = func(w http.ResponseWriter, q *seen) { srv.receipt(w, q, 200, 7, 0, "") }
	r := newRig(t, Config{}, srv)
	st, err := r.State(testContext(t), streamA, Origin{Device: "d"})
	if err != nil || st.AcceptedThrough != 0 || st.Epoch != 7 {
		t.Fatalf("got %+v, %v", st, err)
	}
	_, err = r.State(testContext(t), streamA, Origin{})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Status != 404 {
		t.Fatalf("got %v", err)
	}
}

func TestTheContextEndsEverything(t *testing.T) {
	src := transactions(1)
	srv := newServer(t, src)
	ctx, cancel := context.WithCancel(testContext(t))
	for range 200 {
		srv.script = append(srv.script, problemReply(503, "overloaded"))
	}
	srv.script[5] = func(w http.ResponseWriter, q *seen) { cancel(); drop(w, q) }
	err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	wantEqual(t, "requests", len(srv.requests()), 6)
}

func TestTheChainReadsBackFromItsMarks(t *testing.T) {
	src := transactions(3*markEvery + 10)
	reads := 0
	c := newChain(0, holdfast.Digest{}, func(seq int64) (Transaction, error) {
		reads++
		return src.Transaction(seq)
	})
	for _, n := range []int64{600, 5, 256, 255, 257, 0, src.Last(), 512, 700} {
		before := reads
		got, err := c.digest(n)
		if err != nil {
			t.Fatal(err)
		}
		want := digestOf(src, n)
		if got != want {
			t.Errorf("d(%d) is %s, want %s", n, got, hex.EncodeToString(want[:]))
		}
		if n < 600 && reads-before > markEvery {
			t.Errorf("d(%d) took %d reads", n, reads-before)
		}
	}
}

func TestWallClockIsOnlyForTheQueuesAge(t *testing.T) {
	src := transactions(1)
	src[0].OccurredAt = time.Time{}
	srv := newServer(t, src)
	if err := newRig(t, Config{}, srv).Stream(StreamConfig{ID: streamA, Source: src}).Send(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "queue", srv.requests()[0].header.Get("Holdfast-Queue"), "depth=1")
}
