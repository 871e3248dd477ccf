package sync

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	stdsync "sync"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// hub wakes those who wait for changes of a stream. It costs a waiting device a channel and a place in a map.
type hub struct {
	mu      stdsync.Mutex
	waiting map[holdfast.ID]map[chan struct{}]struct{}
	count   int
}

// watch has the channel hear of the stream's changes until stop is called; false: too many wait.
func (h *hub) watch(stream holdfast.ID, most int) (heard chan struct{}, stop func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count >= most {
		return nil, nil, false
	}
	if h.waiting == nil {
		h.waiting = map[holdfast.ID]map[chan struct{}]struct{}{}
	}
	if h.waiting[stream] == nil {
		h.waiting[stream] = map[chan struct{}]struct{}{}
	}
	heard = make(chan struct{}, 1)
	h.waiting[stream][heard] = struct{}{}
	h.count++
	return heard, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiting[stream], heard)
		if len(h.waiting[stream]) == 0 {
			delete(h.waiting, stream)
		}
		h.count--
	}, true
}

func (h *hub) tell(streams []holdfast.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, stream := range streams {
		poke(h.waiting[stream])
	}
}

func (h *hub) tellAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, those := range h.waiting {
		poke(those)
	}
}

func poke(those map[chan struct{}]struct{}) {
	for heard := range those {
		select {
		case heard <- struct{}{}:
		default:
		}
	}
}

// Changed wakes those who wait for changes of the streams.
func (g *Gateway) Changed(streams []holdfast.ID) { g.hub.tell(streams) }

// Heard wakes those whom a notice of the database concerns.
func (g *Gateway) Heard(n store.Notice) {
	if n.All {
		g.hub.tellAll()
		return
	}
	g.hub.tell(n.Streams)
}

// Waiting is how many devices wait for changes.
func (g *Gateway) Waiting() int {
	g.hub.mu.Lock()
	defer g.hub.mu.Unlock()
	return g.hub.count
}

// AwaitChanges has a channel hear that a stream may have new changes, until stop is called. It may be poked without one. Who
// watches before the first look misses nothing.
func (g *Gateway) AwaitChanges(stream holdfast.ID) (heard <-chan struct{}, stop func(), err error) {
	heard, stop, ok := g.hub.watch(stream, g.MaxWaiting)
	if !ok {
		return nil, nil, &holdfast.Error{Code: holdfast.CodeOverloaded, Detail: "Too many wait for changes at this node.", RetryAfter: changesRetry}
	}
	return heard, stop, nil
}

// changesRetry is when a device that was one too many should come again.
const changesRetry = 5 * time.Second

// changesAtOnce bounds a page of changes.
const changesAtOnce = 200

// marks are what a cursor stands for. Users of a device come and go: the mark of their messages belongs to who.
type marks struct {
	number, message, user int64
	who                   uint32
}

// whose tells users apart; two that share a mark by accident would miss messages, so it has 32 bits.
func whose(user string) uint32 {
	if user == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(user))
	return binary.BigEndian.Uint32(sum[:]) | 1
}

// Changes are what happened to a stream's transactions behind a cursor, and the messages for whoever the request context names;
// an empty cursor is the beginning.
func (g *Gateway) Changes(ctx context.Context, stream holdfast.ID, cursor string) (holdfast.ChangePage, error) {
	ctx, cancel := g.patient(ctx)
	defer cancel()
	s, err := g.lookAs(ctx, store.Key{Stream: stream})
	if err != nil {
		return holdfast.ChangePage{}, explain(err)
	}
	epoch, err := g.epochOf(ctx, s.epoch)
	if err != nil {
		return holdfast.ChangePage{}, explain(err)
	}
	var at marks
	if cursor != "" {
		if at, err = readCursor(cursor, stream, epoch); err != nil {
			return holdfast.ChangePage{}, err
		}
	}
	page, err := g.changes(ctx, stream, epoch, at)
	if err != nil {
		return holdfast.ChangePage{}, explain(err)
	}
	page.Watermarks = g.marks(ctx, stream, s)
	return page, nil
}

// epochOf is the epoch of a number, with its id.
func (g *Gateway) epochOf(ctx context.Context, number int64) (store.Epoch, error) {
	e, err := g.knownEpoch(ctx)
	if err == nil && e.Number != number {
		e, err = g.lookAtEpoch(ctx)
	}
	return e, err
}

func (g *Gateway) changes(ctx context.Context, stream holdfast.ID, epoch store.Epoch, at marks) (holdfast.ChangePage, error) {
	rc := holdfast.RequestContextFrom(ctx)
	if who := whose(rc.User); at.who != who {
		at.user, at.who = 0, who
	}
	all, err := g.Store.Changes(ctx, holdfast.ChangesQuery{
		Stream: stream, Number: max(at.number-1, 0), Message: at.message, UserMessage: at.user, Device: rc.Device, Shop: rc.Shop, User: rc.User, Limit: changesAtOnce + 1,
	})
	if err != nil {
		return holdfast.ChangePage{}, err
	}
	page := holdfast.ChangePage{Cursor: writeCursor(at, stream, epoch)}
	if at.number > 0 { // the last one that is known was read again, to see that this history has it
		if len(all) == 0 || all[0].Number != at.number {
			return page, errCursor
		}
		all = all[1:]
	}
	if len(all) == 0 {
		return page, g.possible(ctx, stream, at)
	}
	all = inTime(all)
	for i := range all[:min(len(all), changesAtOnce)] {
		switch {
		case all[i].Kind != holdfast.ChangeMessage:
			at.number = all[i].Number
		case all[i].ForUser:
			at.user = all[i].Message
		default:
			at.message = all[i].Message
		}
		page.Cursor = writeCursor(at, stream, epoch)
		page.Events = append(page.Events, holdfast.CursorChange{Change: all[i], Cursor: page.Cursor})
	}
	return page, nil
}

// inTime merges changes and messages, each in its own order.
func inTime(all []holdfast.Change) []holdfast.Change {
	first := slices.IndexFunc(all, func(c holdfast.Change) bool { return c.Kind == holdfast.ChangeMessage })
	if first <= 0 {
		return all
	}
	changes, messages := all[:first], all[first:]
	merged := make([]holdfast.Change, 0, len(all))
	for len(changes) > 0 && len(messages) > 0 {
		if messages[0].At.Before(changes[0].At) {
			merged, messages = append(merged, messages[0]), messages[1:]
		} else {
			merged, changes = append(merged, changes[0]), changes[1:]
		}
	}
	return append(append(merged, changes...), messages...)
}

// possible refuses marks of messages that this history has not come to yet.
func (g *Gateway) possible(ctx context.Context, stream holdfast.ID, at marks) error {
	if at.message == 0 && at.user == 0 {
		return nil
	}
	_, message, err := g.Store.LastChange(ctx, stream)
	if err == nil && max(at.message, at.user) > message {
		err = errCursor
	}
	return err
}

var errCursor = &holdfast.Error{Code: holdfast.CodeCursorExpired, Detail: "The cursor is of another epoch, or nobody gave it. Begin without one."}

// cursorVersion is the first octet of a cursor.
const cursorVersion = 1

// seal makes a cursor one of a stream and a history; it keeps mistakes away, not attackers, who may read all of the stream anyway.
func seal(b []byte, stream holdfast.ID, epoch store.Epoch) []byte {
	sum := sha256.New()
	_, _ = sum.Write(b)
	_, _ = sum.Write(stream[:])
	_, _ = sum.Write(epoch.ID[:])
	return sum.Sum(nil)[:6]
}

func writeCursor(at marks, stream holdfast.ID, epoch store.Epoch) string {
	b := []byte{cursorVersion}
	for _, n := range []int64{epoch.Number, at.number, at.message, at.user, int64(at.who)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return base64.RawURLEncoding.EncodeToString(append(b, seal(b, stream, epoch)...))
}

func readCursor(text string, stream holdfast.ID, epoch store.Epoch) (marks, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 10 || len(b) > 64 || b[0] != cursorVersion || base64.RawURLEncoding.EncodeToString(b) != text { // line ends are passed over by the decoder
		return marks{}, errCursor
	}
	body, sum := b[:len(b)-6], b[len(b)-6:]
	if string(seal(body, stream, epoch)) != string(sum) {
		return marks{}, errCursor
	}
	var numbers [5]int64
	rest := body[1:]
	for i := range numbers {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			return marks{}, errCursor
		}
		numbers[i], rest = int64(n), rest[size:]
	}
	if len(rest) > 0 || numbers[0] != epoch.Number {
		return marks{}, errCursor
	}
	return marks{numbers[1], numbers[2], numbers[3], uint32(numbers[4])}, nil
}
