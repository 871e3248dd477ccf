package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

var attachmentTests = []struct {
	name string
	test func(*testing.T, store.Store)
}{
	{"Kept", attachmentsKept},
	{"FirstOnce", attachmentFirstOnce},
	{"Lost", attachmentsLost},
	{"Listed", attachmentsListed},
	{"Sparse", sparseAttachments},
	{"Named", namedAttachments},
	{"NamedWithTheStep", namesComeWithTheirStep},
	{"UploadReadBack", uploadReadBack},
	{"UploadsPerDevice", uploadsPerDevice},
	{"UploadFencing", uploadFencing},
	{"UploadFinished", uploadFinished},
	{"UploadsExpire", uploadsExpire},
	{"UploadRace", uploadRace},
	{"UploadModel", uploadModel},
}

// digest is a hash of a number, in the order of numbers.
func digest(n int) holdfast.Hash { return holdfast.Hash{0: byte(n >> 8), 1: byte(n), 31: 1} }

// attached is an event of a digest.
func attached(d holdfast.Hash) holdfast.AuditEvent {
	return holdfast.AuditEvent{
		ID: holdfast.NewID(time.Now()), Action: holdfast.ActionAttached, Outcome: holdfast.OutcomeSuccess,
		Actor: holdfast.AuditActor{Kind: "device", ID: "ipad"}, Target: holdfast.AuditTarget{Kind: "attachment", ID: d.String()},
	}
}

// told counts the events of an action about a digest.
func told(t *testing.T, s store.Store, action holdfast.AuditAction, d holdfast.Hash) int {
	t.Helper()
	all, err := s.Events(t.Context(), store.AuditPage{Filter: store.AuditFilter{Actions: []holdfast.AuditAction{action}, Target: d.String()}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func keepAt(t *testing.T, s store.Store, d holdfast.Hash, size int64, sites ...string) bool {
	t.Helper()
	first, err := s.KeepAttachment(t.Context(), holdfast.Attachment{Digest: d, Size: size, ContentType: "image/jpeg", Sites: sites}, attached(d))
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func attachmentsKept(t *testing.T, s store.Store) {
	d := digest(1)
	if _, err := s.Attachment(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Minute)
	if !keepAt(t, s, d, 5, "west") || keepAt(t, s, d, 6, "east", "west") || keepAt(t, s, d, 7, "west") {
		t.Fatal("not first once")
	}
	a, err := s.Attachment(t.Context(), d)
	if err != nil || a.Digest != d || a.Size != 5 || a.ContentType != "image/jpeg" || !slices.Equal(a.Sites, []string{"west", "east"}) || a.StoredAt.Before(before) {
		t.Fatalf("%+v %v", a, err)
	}
	if n := told(t, s, holdfast.ActionAttached, d); n != 1 {
		t.Fatalf("%d events", n)
	}
}

// Of many at once one is first, and no copy is forgotten.
func attachmentFirstOnce(t *testing.T, s store.Store) {
	for round := range 5 {
		d := digest(round)
		var first atomic.Int32
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				ok, err := s.KeepAttachment(t.Context(), holdfast.Attachment{Digest: d, Size: 1, Sites: []string{fmt.Sprint("site", i%4)}}, attached(d))
				if err != nil {
					t.Error(err)
				}
				if ok {
					first.Add(1)
				}
			})
		}
		wg.Wait()
		a, err := s.Attachment(t.Context(), d)
		if err != nil || first.Load() != 1 || len(a.Sites) != 4 || told(t, s, holdfast.ActionAttached, d) != 1 {
			t.Fatalf("%d were first: %+v %v", first.Load(), a, err)
		}
	}
}

func attachmentsLost(t *testing.T, s store.Store) {
	d := digest(1)
	lost := attached(d)
	lost.Action = holdfast.ActionLost
	lose := func(sites ...string) {
		t.Helper()
		lost.ID = holdfast.NewID(time.Now())
		if err := s.LoseCopies(t.Context(), d, sites, lost); err != nil {
			t.Fatal(err)
		}
	}
	lose("east") // nothing is there
	keepAt(t, s, d, 5, "east", "west", "north")
	lose("south")
	lose("east", "north")
	a, err := s.Attachment(t.Context(), d)
	if err != nil || !slices.Equal(a.Sites, []string{"west"}) || told(t, s, holdfast.ActionLost, d) != 1 {
		t.Fatalf("%+v %v", a, err)
	}
	lose("west")
	if _, err := s.Attachment(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if all, err := s.Attachments(t.Context(), holdfast.Hash{}, 10); err != nil || len(all) != 0 {
		t.Fatal(all, err)
	}
	if !keepAt(t, s, d, 5, "north") || told(t, s, holdfast.ActionAttached, d) != 2 {
		t.Fatal("it was not missing")
	}
}

func attachmentsListed(t *testing.T, s store.Store) {
	for _, n := range []int{5, 300, 2, 299} {
		keepAt(t, s, digest(n), int64(n), "east")
	}
	list := func(after holdfast.Hash, limit int) (sizes []int64) {
		all, err := s.Attachments(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			sizes = append(sizes, a.Size)
		}
		return sizes
	}
	if got := fmt.Sprint(list(holdfast.Hash{}, 10), list(digest(5), 10), list(holdfast.Hash{}, 2), list(digest(300), 5)); got != "[2 5 299 300] [299 300] [2 5] []" {
		t.Fatal(got)
	}
}

func sparseAttachments(t *testing.T, s store.Store) {
	for n, sites := range [][]string{{"east"}, {"east", "west"}, {"west"}, {"east", "west", "north"}, {"north", "east"}} {
		keepAt(t, s, digest(n+1), int64(n+1), sites...)
	}
	for _, c := range []struct {
		copies, after, limit int
		want                 string
	}{{1, 0, 10, "[]"}, {2, 0, 10, "[1 3]"}, {3, 0, 10, "[1 2 3 5]"}, {3, 2, 10, "[3 5]"}, {3, 0, 2, "[1 2]"}, {4, 0, 10, "[1 2 3 4 5]"}} {
		after := digest(c.after)
		if c.after == 0 {
			after = holdfast.Hash{}
		}
		all, err := s.Sparse(t.Context(), c.copies, after, c.limit)
		sizes := []int64{}
		for _, a := range all {
			sizes = append(sizes, a.Size)
		}
		if err != nil || fmt.Sprint(sizes) != c.want {
			t.Errorf("%+v: %v %v", c, sizes, err)
		}
	}
}

// naming is a step of which transaction i names the files of digests[i].
func naming(a *store.Append, digests ...[]int) *store.Append {
	for i, all := range digests {
		for _, n := range all {
			a.Transactions[i].Attachments = append(a.Transactions[i].Attachments, holdfast.AttachmentRef{Digest: digest(n), Size: int64(n)})
		}
	}
	return a
}

func namedAttachments(t *testing.T, s store.Store) {
	head := mustAppend(t, s, naming(Step(stream, holdfast.Head{}, 1, 3), []int{7, 3, 7}, nil, []int{5}))
	other := ID(0x55, 2)
	mustAppend(t, s, naming(Step(other, holdfast.Head{}, 2, 1), []int{3}))
	mustAppend(t, s, naming(Step(stream, head, 1, 2), []int{3}, []int{9}))
	keepAt(t, s, digest(3), 3, "east", "west")
	keepAt(t, s, digest(5), 5, "east")
	list := func(q store.NamedQuery) (got []string) {
		t.Helper()
		q.Stream = stream
		named, err := s.Named(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range named {
			if n.Transaction != Transaction(1, n.Seq).ID {
				t.Fatalf("%+v", n)
			}
			got = append(got, fmt.Sprintf("%d:%d×%d", n.Seq, n.Size, n.Copies))
		}
		return got
	}
	for _, c := range []struct {
		q    store.NamedQuery
		want string
	}{
		{store.NamedQuery{Limit: 10}, "[1:3×2 1:7×0 3:5×1 4:3×2 5:9×0]"},
		{store.NamedQuery{Limit: 10, Below: 1}, "[1:7×0 5:9×0]"},
		{store.NamedQuery{Limit: 10, Below: 2}, "[1:7×0 3:5×1 5:9×0]"},
		{store.NamedQuery{Limit: 2}, "[1:3×2 1:7×0]"},
		{store.NamedQuery{Limit: 2, AfterSeq: 1, AfterDigest: digest(3)}, "[1:7×0 3:5×1]"},
		{store.NamedQuery{Limit: 10, AfterSeq: 3, AfterDigest: digest(5)}, "[4:3×2 5:9×0]"},
		{store.NamedQuery{Limit: 10, AfterSeq: 5, AfterDigest: digest(9)}, "[]"},
	} {
		if got := fmt.Sprint(list(c.q)); got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
	}
	if named, err := s.Named(t.Context(), store.NamedQuery{Stream: ID(0x55, 9), Limit: 1}); err != nil || len(named) != 0 {
		t.Error(named, err)
	}
}

// A step that is not written names nothing; its neighbours do.
func namesComeWithTheirStep(t *testing.T, s store.Store) {
	mustAppend(t, s, naming(Step(stream, holdfast.Head{}, 1, 1), []int{1}))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if i%2 == 0 {
				if err := s.Append(t.Context(), naming(Step(stream, holdfast.Head{}, 3, 1), []int{2})); !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
				return
			}
			if err := s.Append(t.Context(), naming(Step(ID(0x56, i), holdfast.Head{}, byte(i), 2), []int{i}, []int{i, i + 1})); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if named, err := s.Named(t.Context(), store.NamedQuery{Stream: stream, Limit: 10}); err != nil || len(named) != 1 || named[0].Digest != digest(1) {
		t.Fatal(named, err)
	}
	for i := 1; i < 20; i += 2 {
		if named, err := s.Named(t.Context(), store.NamedQuery{Stream: ID(0x56, i), Limit: 10}); err != nil || len(named) != 3 {
			t.Fatal(i, named, err)
		}
	}
}
