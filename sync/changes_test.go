package sync

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// A cursor stands for its marks in its own stream and history, and for nothing anywhere else.
func TestCursors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64Range(0, 1<<40)
		at := marks{number.Draw(t, "number"), number.Draw(t, "message"), number.Draw(t, "user"), rapid.Uint32().Draw(t, "who")}
		stream, epoch := holdfast.ID{1}, store.Epoch{Number: rapid.Int64Range(1, 1000).Draw(t, "epoch"), ID: holdfast.ID{2}}
		cursor := writeCursor(at, stream, epoch)
		if got, err := readCursor(cursor, stream, epoch); err != nil || got != at {
			t.Fatalf("%+v became %+v: %v", at, got, err)
		}
		other := epoch
		other.Number++
		for name, read := range map[string]func() (marks, error){
			"another stream": func() (marks, error) { return readCursor(cursor, holdfast.ID{3}, epoch) },
			"another epoch":  func() (marks, error) { return readCursor(cursor, stream, other) },
			"another history of that number": func() (marks, error) {
				return readCursor(cursor, stream, store.Epoch{Number: epoch.Number, ID: holdfast.ID{9}})
			},
			"a part": func() (marks, error) { return readCursor(cursor[:len(cursor)-1], stream, epoch) },
		} {
			if got, err := read(); err == nil {
				t.Fatalf("%s reads %+v", name, got)
			}
		}
	})
}

// FuzzCursor: whatever is sent as one, only what the gateway wrote is taken.
func FuzzCursor(f *testing.F) {
	stream, epoch := holdfast.ID{1}, store.Epoch{Number: 7, ID: holdfast.ID{2}}
	for _, seed := range []string{"", "x", "AQEB", writeCursor(marks{}, stream, epoch), writeCursor(marks{1, 2, 3, 4}, stream, epoch)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if at, err := readCursor(text, stream, epoch); err == nil && writeCursor(at, stream, epoch) != text {
			t.Errorf("%q is read as %+v", text, at)
		}
	})
}

// Changes and messages are told in the order of time, each kind in its own.
func TestInTime(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	all := []holdfast.Change{
		{Kind: holdfast.ChangeDelivered, Number: 1, At: at(5)}, {Kind: holdfast.ChangeFailed, Number: 2, At: at(3)}, // of a node whose Tx began earlier
		{Kind: holdfast.ChangeMessage, Message: 1, At: at(4)}, {Kind: holdfast.ChangeMessage, Message: 2, At: at(9)},
	}
	var got []int64
	for _, c := range inTime(all) {
		got = append(got, c.Number*10+c.Message)
	}
	if want := []int64{1, 10, 20, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// A stream's waiters are woken by its changes, everybody by a message; who leaves is forgotten, and one too many is refused.
func TestHub(t *testing.T) {
	var h hub
	a, stopA, _ := h.watch(holdfast.ID{1}, 2)
	b, stopB, _ := h.watch(holdfast.ID{2}, 2)
	if _, _, ok := h.watch(holdfast.ID{3}, 2); ok {
		t.Error("a third one waits")
	}
	woken := func(c chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	h.tell([]holdfast.ID{{1}, {9}})
	h.tell([]holdfast.ID{{1}})
	if !woken(a) || woken(a) || woken(b) {
		t.Error("the wrong ones were woken")
	}
	h.tellAll()
	if !woken(a) || !woken(b) {
		t.Error("a message woke not everybody")
	}
	stopA()
	stopB()
	if h.count != 0 || len(h.waiting) != 0 {
		t.Errorf("%d are counted, %d streams are left", h.count, len(h.waiting))
	}
}
