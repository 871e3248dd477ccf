package attachment_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/attachment"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

const mib = 1 << 20

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		types, kind string
		want        bool
	}{
		{"", "", true},
		{"", "nonsense", true},
		{"image/*", "image/jpeg", true},
		{"image/*", "IMAGE/JPEG; q=1", true},
		{"image/*", "imagery/x", false},
		{"image/*", "", false},
		{"application/pdf", "application/pdf", true},
		{"application/pdf", "application/pdfx", false},
		{"image/*,text/plain", "text/plain; charset=utf-8", true},
	} {
		l := attachment.Limits{Types: strings.FieldsFunc(c.types, func(r rune) bool { return r == ',' })}
		if got := l.Takes(c.kind); got != c.want {
			t.Errorf("%q takes %q: %t", c.types, c.kind, got)
		}
	}
}

func TestNames(t *testing.T) {
	d := holdfast.HashOf([]byte("x"))
	if got, ok := attachment.DigestOf(attachment.ObjectName(d)); !ok || got != d {
		t.Fatal(got, ok)
	}
	for _, name := range []string{"", "attachments/", "attachments/ab", "attachments/ab/x", "audit/segments/1", attachment.ObjectName(d) + "0", strings.ToUpper(attachment.ObjectName(d))} {
		if _, ok := attachment.DigestOf(name); ok {
			t.Error(name)
		}
	}
}

func TestAFileIsPutOnce(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 1, "east", "west")
	b := octets(1, 100_000)
	if !w.put(t, b) || w.put(t, b) {
		t.Fatal("not first once")
	}
	w.holds(t, b)
	if _, err := os.Stat(w.at["west"].path(holdfast.HashOf(b))); err == nil {
		t.Fatal("two copies")
	}
	a, err := w.Attachment(t.Context(), holdfast.HashOf(b))
	if err != nil || a.ContentType != "image/jpeg" || a.Size != 100_000 || fmt.Sprint(a.Sites) != "[east]" {
		t.Fatalf("%+v %v", a, err)
	}
	w.clean(t)
}

func TestWhatIsNotPut(t *testing.T) {
	w := newWorld(t, attachment.Config{Limits: attachment.Limits{MaxPutBytes: 1000, Types: []string{"image/*"}}}, 1, "east")
	b := octets(1, 1000)
	sum := holdfast.HashOf(b)
	for name, c := range map[string]struct {
		size   int64
		kind   string
		octets io.Reader
		want   holdfast.Code
	}{
		"digest":           {1000, "image/png", bytes.NewReader(octets(2, 1000)), holdfast.CodeDigestMismatch},
		"short":            {1000, "image/png", bytes.NewReader(b[:999]), holdfast.CodeInvalidRequest},
		"broken":           {1000, "image/png", io.MultiReader(bytes.NewReader(b[:10]), iotest.ErrReader(errors.New("reset"))), holdfast.CodeInvalidRequest},
		"large":            {1001, "image/png", bytes.NewReader(b), holdfast.CodeTooLarge},
		"large, not told":  {-1, "image/png", bytes.NewReader(octets(1, 1001)), holdfast.CodeTooLarge},
		"broken, not told": {-1, "image/png", iotest.ErrReader(errors.New("reset")), holdfast.CodeInvalidRequest},
		"type":             {1000, "text/html", bytes.NewReader(b), holdfast.CodeUnsupportedMediaType},
	} {
		if _, err := w.Put(t.Context(), sum, c.size, c.kind, c.octets); holdfast.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Open(t.Context(), sum, true); holdfast.CodeOf(err) != holdfast.CodeNotFound {
		t.Fatal(err)
	}
	if first, err := w.Put(t.Context(), sum, -1, "image/png", bytes.NewReader(b)); err != nil || !first {
		t.Fatal("as many as there may be, not told:", err)
	}
	w.clean(t)
}

// Pieces of any size make the same file, in folders and in sites that want parts of 5 MiB.
func TestPiecesOfAnySize(t *testing.T) {
	for _, minPart := range []int64{1, 5 * mib} {
		for _, size := range []int{0, 1, 5*mib - 1, 5 * mib, 11*mib + 3} {
			for _, n := range []int{size + 1, 3*mib + 1, 700_000} {
				w := newWorld(t, attachment.Config{}, minPart, "east")
				b := octets(byte(n), size)
				id := w.begin(t, b, n%2 == 0)
				w.finish(t, id, b, n)
				w.holds(t, b)
				w.clean(t)
				if left := w.at["east"].left(t); len(left) > 0 {
					t.Errorf("%d in %d: %v is left over", size, n, left)
				}
			}
		}
	}
}

// What is held needs no octets, named or not.
func TestAnUploadOfWhatIsHeld(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 1, "east")
	b := octets(1, 3*mib)
	w.put(t, b)
	id := w.begin(t, b, true)
	u, kept, err := w.Append(t.Context(), id, 0, iotest.ErrReader(errors.New("it was read")))
	if err != nil || kept != 0 || u.Finished != holdfast.HashOf(b) || u.Offset != u.Size {
		t.Fatalf("%+v %d %v", u, kept, err)
	}
	id = w.begin(t, b, false)
	w.finish(t, id, b, mib)
	wrong, err := w.Create(t.Context(), holdfast.Upload{Size: 5, Announced: holdfast.HashOf(b)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Append(t.Context(), wrong.ID, 0, strings.NewReader("12345")); holdfast.CodeOf(err) != holdfast.CodeDigestMismatch {
		t.Fatal(err)
	}
	if _, err := w.Upload(t.Context(), wrong.ID); holdfast.CodeOf(err) != holdfast.CodeNotFound {
		t.Fatal(err)
	}
	w.clean(t)
}

func TestRefusalsOfUploads(t *testing.T) {
	w := newWorld(t, attachment.Config{Limits: attachment.Limits{MaxBytes: 100, PerDevice: 1, Types: []string{"image/*"}}}, 1, "east")
	create := func(size int64, kind string) error {
		_, err := w.Create(t.Context(), holdfast.Upload{Size: size, ContentType: kind})
		return err
	}
	for name, err := range map[string]error{"large": create(101, "image/png"), "type": create(1, "")} {
		if holdfast.CodeOf(err) != map[string]holdfast.Code{"large": holdfast.CodeTooLarge, "type": holdfast.CodeUnsupportedMediaType}[name] {
			t.Error(name, err)
		}
	}
	u, err := w.Create(t.Context(), holdfast.Upload{Size: 10, ContentType: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	if err := create(1, "image/png"); holdfast.CodeOf(err) != holdfast.CodeTooManyUploads {
		t.Fatal(err)
	}
	if _, _, err := w.Append(t.Context(), u.ID, 3, strings.NewReader("0123456")); holdfast.CodeOf(err) != holdfast.CodeOffsetMismatch {
		t.Fatal(err)
	}
	if err := w.End(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.End(t.Context(), u.ID); holdfast.CodeOf(err) != holdfast.CodeNotFound {
		t.Fatal(err)
	}
	if err := create(1, "image/png"); err != nil {
		t.Fatal(err)
	}
}

// A request that was overtaken keeps nothing and disturbs nobody.
func TestALateRequestChangesNothing(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 5*mib, "east")
	b := octets(1, 12*mib)
	id := w.begin(t, b, true)
	reader, writer := io.Pipe()
	late := make(chan error, 1)
	go func() {
		_, _, err := w.Append(t.Context(), id, 0, reader)
		late <- err
	}()
	_, _ = writer.Write(b[:6*mib]) // a part is kept, a mebibyte waits
	w.finish(t, id, b, 4*mib)
	_ = writer.Close()
	if err := <-late; holdfast.CodeOf(err) != holdfast.CodeUploadInterrupted {
		t.Fatal(err)
	}
	w.holds(t, b)
	w.clean(t)
}

// The site of the parts is lost: the upload begins anew elsewhere, and only if there is an elsewhere.
func TestTheSiteOfThePartsIsLost(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 5*mib, "east", "west")
	b := octets(1, 12*mib)
	id := w.begin(t, b, true)
	if err := w.piece(t, id, b, 7*mib); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.at {
		s.down.Store(true)
	}
	for range 3 {
		if err := w.piece(t, id, b, 3*mib); holdfast.CodeOf(err) != holdfast.CodeBackendUnavailable {
			t.Fatal(err)
		}
	}
	if u, _ := w.Upload(t.Context(), id); u.Offset != 7*mib {
		t.Fatal("both are down, and the offset is", u.Offset)
	}
	w.at["west"].down.Store(false)
	w.finish(t, id, b, 3*mib)
	if w.counted("restarted") != 1 {
		t.Fatal(w.seen)
	}
	w.at["east"].down.Store(false)
	w.holds(t, b)
	w.clean(t)
}

// Loose octets are lost while the parts before them stay: nothing that is not whole ever gets the name.
func TestLooseOctetsAreLost(t *testing.T) {
	for _, named := range []bool{true, false} {
		w := newWorld(t, attachment.Config{}, 5*mib, "east")
		b := octets(1, 9*mib)
		id := w.begin(t, b, named)
		for _, n := range []int{6 * mib, mib} { // a part, pieces
			if err := w.piece(t, id, b, n); err != nil {
				t.Fatal(err)
			}
		}
		for info, err := range w.at["east"].List(t.Context(), objectstore.Transient, "") {
			if err := errors.Join(err, w.at["east"].Remove(t.Context(), info.Name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.piece(t, id, b, 12*mib); holdfast.CodeOf(err) != holdfast.CodeUploadInterrupted {
			t.Fatal(err)
		}
		if u, _ := w.Upload(t.Context(), id); u.Offset != 0 {
			t.Fatal("it did not begin anew:", u.Offset)
		}
		w.finish(t, id, b, 4*mib)
		w.holds(t, b)
		w.clean(t)
	}
}

// A request that was overtaken completes its octets; the one that overtook it has others of the same length. Each name
// has its own content.
func TestOvertakenWithOtherOctets(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 5*mib, "east")
	mine := octets(1, 11*mib)
	theirs := append(bytes.Clone(mine[:10*mib]), octets(9, mib)...)
	id := w.begin(t, mine, false)
	if err := w.piece(t, id, mine, 10*mib); err != nil {
		t.Fatal(err)
	}
	w.db.fail.Store(func(what string) error {
		if what == "finish" {
			return store.ErrConflict // overtaken between the object and its record
		}
		return nil
	})
	broken := func(what string) error {
		if what == "adopt" {
			return objectstore.ErrUnavailable
		}
		return nil
	}
	w.at["east"].trouble.Store(&broken) // and before it got its name
	if err := w.piece(t, id, mine, mib); err == nil {
		t.Fatal("finished")
	}
	w.at["east"].trouble.Store(nil)
	w.db.fail.Store(func(string) error { return nil })
	w.finish(t, id, theirs, mib)
	w.holds(t, theirs)
	if _, err := w.Open(t.Context(), holdfast.HashOf(mine), true); holdfast.CodeOf(err) != holdfast.CodeNotFound {
		t.Fatal(err)
	}
	w.clean(t)
}

// A damaged object has the name of a large file: the next site takes it.
func TestADamagedObjectHasTheName(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 5*mib, "east", "west")
	b := octets(1, 11*mib)
	path := w.at["east"].path(holdfast.HashOf(b))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b[1:], 0o600)); err != nil {
		t.Fatal(err)
	}
	id := w.begin(t, b, true)
	w.finish(t, id, b, 6*mib)
	if got := fmt.Sprint(w.where(t, holdfast.HashOf(b))); got != "[west]" {
		t.Fatal(got)
	}
	w.holds(t, b)
}

// Every step of an upload may fail, before it is done or after; the file is there in the end, once and whole.
func TestEveryStepMayFail(t *testing.T) {
	start := rand.Uint64()
	for n := range uint64(25) {
		t.Run(fmt.Sprintf("seed %d", start+n), func(t *testing.T) { stepsMayFail(t, start+n) })
	}
}

func stepsMayFail(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t, attachment.Config{}, 5*mib, "east", "west")
	budget := 1 + random.IntN(6)
	size, named, piece := []int{100, 6 * mib, 11 * mib}[random.IntN(3)], random.IntN(2) == 0, []int{2 * mib, 5 * mib, 20 * mib}[random.IntN(3)]
	fail := func(what string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if what == "ping" || budget == 0 || random.IntN(3) > 0 {
			return nil
		}
		budget--
		return objectstore.ErrUnavailable
	}
	for _, s := range w.at {
		s.trouble.Store(&fail)
	}
	w.db.fail.Store(func(string) error {
		if fail("db") != nil {
			return store.ErrUnavailable
		}
		return nil
	})
	b := octets(byte(seed), size)
	id := w.begin(t, b, named)
	w.finish(t, id, b, piece)
	w.mu.Lock()
	budget = 0
	w.mu.Unlock()
	for w.sites.Order()[0] != "east" || !w.sites.Up("west") {
		time.Sleep(5 * time.Millisecond)
	}
	w.holds(t, b)
	w.clean(t)
}

// A node died between the object and its record: who comes again finds it.
func TestTheRecordIsLost(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 5*mib, "east", "west")
	small, large := octets(1, 1000), octets(2, 7*mib)
	w.db.fail.Store(func(string) error { return store.ErrUnavailable })
	if _, err := w.Put(t.Context(), holdfast.HashOf(small), 1000, "", bytes.NewReader(small)); holdfast.CodeOf(err) != holdfast.CodeBackendUnavailable {
		t.Fatal(err)
	}
	w.db.fail.Store(func(string) error { return nil })
	w.holds(t, small) // the sites are asked
	if report, err := w.Check(t.Context(), attachment.CheckOptions{Grace: -10000 * time.Hour}); err != nil || report.Orphaned != 1 || report.Clean() {
		t.Fatalf("%+v %v", report, err)
	}
	if !w.put(t, small) {
		t.Fatal("it was recorded already")
	}
	for _, named := range []bool{true, false} {
		id := w.begin(t, large, named)
		if err := w.piece(t, id, large, 6*mib); err != nil {
			t.Fatal(err)
		}
		w.db.fail.Store(func(what string) error {
			if what == "finish" {
				return store.ErrOutcomeUnknown
			}
			return nil
		})
		if err := w.piece(t, id, large, 6*mib); err == nil {
			t.Fatal("finished without a record")
		}
		w.db.fail.Store(func(string) error { return nil })
		w.finish(t, id, large, 6*mib)
		w.holds(t, large)
	}
	if w.counted("restarted") > 0 {
		t.Error("octets that had been put were sent again")
	}
	w.clean(t)
}

func TestACopyThatIsDamagedIsNotGiven(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 1, "east", "west")
	b := octets(1, 300_000)
	w.put(t, b)
	sum := holdfast.HashOf(b)
	wrong := bytes.Clone(b)
	wrong[299_999] ^= 1
	overwrite(t, w.at["east"].path(sum), wrong)
	c, err := w.Open(t.Context(), sum, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if !errors.Is(err, objectstore.ErrMismatch) || len(got) >= len(b) || w.counted("damaged") != 1 {
		t.Fatalf("%d octets, %v", len(got), err)
	}
	if report, err := w.Check(t.Context(), attachment.CheckOptions{}); err != nil || !report.Clean() {
		t.Fatalf("names and sizes are right: %+v %v", report, err)
	}
	report, err := w.Check(t.Context(), attachment.CheckOptions{Deep: true, Repair: true})
	if err != nil || report.Damaged != 1 || report.Clean() {
		t.Fatalf("%+v %v", report, err)
	}
	if w.put(t, b); fmt.Sprint(w.where(t, sum)) != "[west]" { // the name is taken in the east
		t.Fatal(w.where(t, sum))
	}
	w.holds(t, b)
	overwrite(t, w.at["west"].path(sum), b[:10])
	if report, err := w.Check(t.Context(), attachment.CheckOptions{}); err != nil || report.Damaged != 1 {
		t.Fatalf("%+v %v", report, err)
	}
}

func (w *world) where(t *testing.T, digest holdfast.Hash) []string {
	t.Helper()
	a, err := w.Attachment(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	return a.Sites
}

func TestStretches(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 1, "east")
	b := octets(1, 9*mib)
	w.put(t, b)
	c, err := w.Open(t.Context(), holdfast.HashOf(b), false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, at := range []int64{0, 8*mib + 5, 3, 4*mib - 1, 9*mib - 1} {
		if _, err := c.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, min(5*mib, int64(len(b))-at))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, b[at:at+int64(len(got))]) {
			t.Fatal(at, err)
		}
	}
	if n, err := c.Seek(0, io.SeekEnd); n != 9*mib || err != nil {
		t.Fatal(n, err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if _, err := c.Seek(-1, io.SeekStart); err == nil {
		t.Fatal("a place before the beginning")
	}
}

// What nobody goes on with is taken away, when its site can be asked; what belongs to nobody, later.
func TestSweeping(t *testing.T) {
	w := newWorld(t, attachment.Config{Limits: attachment.Limits{Expiry: time.Hour}}, 5*mib, "east", "west")
	b := octets(1, 12*mib)
	id := w.begin(t, b, true)
	if err := w.piece(t, id, b, 7*mib); err != nil { // a part and a piece
		t.Fatal(err)
	}
	done := w.begin(t, octets(2, 10), true)
	w.finish(t, done, octets(2, 10), 10)
	if n := len(w.at["east"].left(t)); n != 2 {
		t.Fatal(n, "are in the east")
	}
	w.later(50 * time.Minute)
	if err := w.piece(t, id, b, mib); err != nil { // puts its end off
		t.Fatal(err)
	}
	w.later(50 * time.Minute)
	w.Sweep(t.Context())
	if _, err := w.Upload(t.Context(), id); err != nil {
		t.Fatal("swept too early", err)
	}
	if _, err := w.db.Upload(t.Context(), done); !errors.Is(err, store.ErrNotFound) {
		t.Fatal("a finished upload stays", err)
	}
	w.later(20 * time.Minute)
	if _, err := w.Upload(t.Context(), id); holdfast.CodeOf(err) != holdfast.CodeNotFound {
		t.Fatal("it goes on behind its end", err)
	}
	w.at["east"].down.Store(true)
	for range 5 {
		w.Sweep(t.Context())
	}
	w.at["east"].down.Store(false)
	for !w.sites.Up("east") {
		time.Sleep(5 * time.Millisecond)
	}
	w.Sweep(t.Context())
	if left := w.at["east"].left(t); len(left) > 0 || w.counted("expired") == 0 {
		t.Fatalf("%v is left over; %v", left, w.seen)
	}
	if _, err := w.at["west"].Begin(t.Context(), attachment.ObjectName(holdfast.HashOf(b))); err != nil { // of a row that a failover lost
		t.Fatal(err)
	}
	report, err := w.Check(t.Context(), attachment.CheckOptions{Repair: true})
	if err != nil || report.Leftovers != 0 {
		t.Fatalf("%+v %v", report, err)
	}
	w.later(2000 * 24 * time.Hour) // files carry the real time, and ours is behind it
	if report, err = w.Check(t.Context(), attachment.CheckOptions{Repair: true}); err != nil || report.Leftovers != 1 || !report.Clean() || len(w.at["west"].left(t)) > 0 {
		t.Fatalf("%+v %v", report, err)
	}
}

// An upload that is gone on with for ever ends after seven times its expiry.
func TestAnUploadDoesNotLiveForEver(t *testing.T) {
	w := newWorld(t, attachment.Config{Limits: attachment.Limits{Expiry: time.Hour}}, 1, "east")
	b := octets(1, 1000)
	id := w.begin(t, b, true)
	for n := range 20 {
		if err := w.piece(t, id, b, 10); err != nil {
			if n < 8 || holdfast.CodeOf(err) != holdfast.CodeNotFound {
				t.Fatal(n, err)
			}
			return
		}
		w.later(50 * time.Minute)
	}
	t.Fatal("it lives for ever")
}

// Further copies are made at once, and later for what had to wait.
func TestFurtherCopies(t *testing.T) {
	w := newWorld(t, attachment.Config{Copies: 2, Round: 20 * time.Millisecond}, 1, "east", "west", "north")
	w.Start()
	defer w.Stop(t.Context())
	eventually := func(digest holdfast.Hash, want int) {
		t.Helper()
		for range 1000 {
			if len(w.where(t, digest)) == want {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatal(w.where(t, digest))
	}
	b := octets(1, 1000)
	w.put(t, b)
	eventually(holdfast.HashOf(b), 2)
	for _, name := range []string{"west", "north"} {
		w.at[name].down.Store(true)
	}
	c := octets(2, 1000)
	w.put(t, c)
	w.later(24 * time.Hour) // the database's clock is the real one
	w.at["north"].down.Store(false)
	eventually(holdfast.HashOf(c), 2)
	if got := fmt.Sprint(w.where(t, holdfast.HashOf(c))); got != "[east north]" {
		t.Fatal(got)
	}
	report, err := w.Check(t.Context(), attachment.CheckOptions{Deep: true})
	if err != nil || fmt.Sprint(report.Unreachable) != "[west]" || report.Clean() || report.Missing+report.Damaged > 0 {
		t.Fatalf("with a site that is down: %+v %v", report, err)
	}
	w.at["west"].down.Store(false)
	for !w.sites.Up("west") {
		time.Sleep(5 * time.Millisecond)
	}
	w.clean(t)
}

// The spool is bounded: a request that finds no room is refused, and the room comes back.
func TestTheSpoolIsBounded(t *testing.T) {
	w := newWorld(t, attachment.Config{}, 1, "east")
	b := octets(1, 40*mib)
	reader, writer := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = w.Put(t.Context(), holdfast.HashOf(b), 40*mib, "", reader)
	})
	_, _ = writer.Write(b[:mib])
	if _, err := w.Put(t.Context(), holdfast.HashOf(octets(2, 40*mib)), 40*mib, "", bytes.NewReader(octets(2, 40*mib))); holdfast.CodeOf(err) != holdfast.CodeOverloaded {
		t.Fatal(err)
	}
	_ = writer.CloseWithError(errors.New("the client went away"))
	wg.Wait()
	w.put(t, b)
	if _, err := attachment.OpenSpool(w.at["east"].path(holdfast.HashOf(b)), 1); err == nil {
		t.Fatal("a spool in a file")
	}
}
