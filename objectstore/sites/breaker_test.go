package sites_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/objectstore/objectstoretest"
	"github.com/holdfast-sync/holdfast/objectstore/sites"
)

// A site that opens every object and breaks off goes down.
func TestBodiesThatBreakOffOpenTheBreaker(t *testing.T) {
	for name, fault := range map[string]int32{"cutting": cutting, "short": short} {
		t.Run(name, func(t *testing.T) {
			a, b := newFaulty(t), newFaulty(t)
			s := open(t, sites.Config{}, a, b)
			for _, site := range []objectstore.Store{a.Store, b.Store} {
				if err := objectstoretest.Put(t.Context(), site, "x", []byte("octets")); err != nil {
					t.Fatal(err)
				}
			}
			a.fault.Store(fault)
			for range 3 {
				if got, err := read(t.Context(), s, "x"); got != "octets" || err != nil {
					t.Fatal(got, err)
				}
			}
			if s.Up("a") {
				t.Error("a broke off three times and is up")
			}
		})
	}
}

// Pings that fail now and then are accidents; three in a row, or one that hangs, are not.
func TestPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFaulty(t)
		s := open(t, sites.Config{Rest: time.Second, Patience: 10 * time.Second}, a)
		fault := func(f int32) { a.fault.Store(f); time.Sleep(time.Second); synctest.Wait() }
		s.Start()
		s.Start() // does nothing: Stop would not end it, and the bubble would not
		synctest.Wait()
		time.Sleep(500 * time.Millisecond)
		for range 5 {
			fault(refusing)
			fault(refusing)
			fault(well)
		}
		if !s.Up("a") {
			t.Error("scattered bad pings took it down")
		}
		fault(refusing)
		fault(refusing)
		fault(refusing)
		if s.Up("a") {
			t.Error("three bad pings in a row did not")
		}
		fault(well)
		fault(well)
		if !s.Up("a") {
			t.Error("two good pings did not bring it up")
		}
		fault(hanging)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s.Up("a") {
			t.Error("one that hung did not take it down")
		}
		a.fault.Store(well)
		s.Stop(t.Context())
	})
}

// When a site seems to be back, one request at a time tries it; the others go elsewhere and do not wait.
func TestOneTriesBeforeAllDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFaulty(t), newFaulty(t)
		s := open(t, sites.Config{Rest: time.Second, Patience: 500 * time.Millisecond}, &pingable{faulty: a}, b)
		a.fault.Store(refusing)
		for range 3 {
			if _, err := put(t.Context(), s, nameOf(rand()), []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if s.Up("a") {
			t.Fatal("a is up")
		}
		a.fault.Store(hanging) // but for pings
		s.Start()
		synctest.Wait()
		asked := a.asked.Load()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if site, err := put(t.Context(), s, nameOf(rand()), []byte("x")); site != "b" || err != nil {
					t.Error(site, err)
				}
			})
		}
		all.Wait()
		if n := a.asked.Load() - asked; n != 1 {
			t.Errorf("%d requests tried it", n)
		}
		a.fault.Store(well)
		time.Sleep(time.Second)
		synctest.Wait()
		if site, err := put(t.Context(), s, nameOf(rand()), []byte("x")); site != "a" || err != nil || !s.Up("a") {
			t.Error("back again:", site, err, s.Up("a"))
		}
		s.Stop(t.Context())
	})
}

// pingable answers pings whatever its fault.
type pingable struct{ *faulty }

func (*pingable) Ping(context.Context) error { return nil }

var counter struct {
	sync.Mutex
	n int
}

// rand is a text that nobody had before.
func rand() string {
	counter.Lock()
	defer counter.Unlock()
	counter.n++
	return strings.Repeat("x", counter.n)
}

// A ping of a site that is known to be down costs nothing; of several sites one that is up is enough.
func TestPingKnowsWhatIsDown(t *testing.T) {
	a, b := newFaulty(t), newFaulty(t)
	s := open(t, sites.Config{}, a, b)
	a.fault.Store(refusing)
	at, _ := s.At("a")
	for range 3 {
		if err := at.Ping(t.Context()); !errors.Is(err, objectstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	asked := a.asked.Load()
	if err := at.Ping(t.Context()); !errors.Is(err, objectstore.ErrUnavailable) || a.asked.Load() != asked {
		t.Error("it was asked again:", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error("b is up:", err)
	}
	b.fault.Store(refusing)
	if err := s.Ping(t.Context()); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Error("none is up:", err)
	}
}

// A list with a site that is down has what the others hold, and then says that it is not all.
func TestListWithASiteDown(t *testing.T) {
	a, b := newFaulty(t), newFaulty(t)
	s := open(t, sites.Config{}, a, b)
	for _, name := range []string{"one", "two"} {
		if err := objectstoretest.Put(t.Context(), b.Store, name, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	a.fault.Store(refusing)
	var names []string
	var failed error
	for info, err := range s.List(t.Context(), "", "") {
		if failed != nil {
			t.Fatal("something follows the error")
		}
		if failed = err; err == nil {
			names = append(names, info.Name)
		}
	}
	if strings.Join(names, " ") != "one two" || !errors.Is(failed, objectstore.ErrUnavailable) {
		t.Error(names, failed)
	}
}

// A length that is more than there is room for is to the end.
func TestALengthBeyondAll(t *testing.T) {
	s := open(t, sites.Config{}, newFaulty(t))
	if err := objectstoretest.Put(t.Context(), s, "x", []byte("octets")); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), "x", 2, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != "tets" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// greedy says no and goes on reading, as an HTTP client may when the answer comes before the body has gone.
type greedy struct {
	objectstore.Store
	goOn  chan struct{}
	ended chan error
}

func (g *greedy) Put(_ context.Context, _ string, _ int64, _ objectstore.Digest, octets io.Reader) error {
	go func() {
		<-g.goOn
		_, err := octets.Read(make([]byte, 4))
		g.ended <- err
	}()
	return objectstore.ErrUnavailable
}

// reader lets the greedy one read before the second site does.
type reader struct {
	*bytes.Reader
	g    *greedy
	once sync.Once
	t    *testing.T
}

func (r *reader) Read(p []byte) (int, error) {
	r.once.Do(func() {
		close(r.g.goOn)
		if err := <-r.g.ended; err == nil {
			r.t.Error("it could read behind its answer")
		}
	})
	return r.Reader.Read(p)
}

// A store that has answered gets no more octets: they are the next one's.
func TestNoOctetsBehindTheAnswer(t *testing.T) {
	g := &greedy{Store: newFaulty(t), goOn: make(chan struct{}), ended: make(chan error, 1)}
	s := open(t, sites.Config{}, g, newFaulty(t))
	octets := []byte("some octets")
	site, err := s.PutAt(t.Context(), "x", int64(len(octets)), sha256.Sum256(octets), &reader{Reader: bytes.NewReader(octets), g: g, t: t})
	if site != "b" || err != nil {
		t.Error(site, err)
	}
}

// Octets are read from where they stand.
func TestPutFromTheMiddle(t *testing.T) {
	a := newFaulty(t)
	a.fault.Store(cutting)
	s := open(t, sites.Config{}, a, newFaulty(t))
	octets := strings.NewReader("head and body")
	_, _ = octets.Seek(9, io.SeekStart)
	if err := s.Put(t.Context(), "x", 4, sha256.Sum256([]byte("body")), octets); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t.Context(), s, "x"); got != "body" || err != nil {
		t.Error(got, err)
	}
}

// Adopting a very large object has time to copy it; the sum of the time does not overflow.
func TestAdoptingMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		huge := &huge{Store: newFaulty(t)}
		s := open(t, sites.Config{Patience: time.Second}, huge)
		if err := s.Adopt(t.Context(), objectstore.Transient+"x", "y"); err != nil {
			t.Error(err)
		}
	})
}

// huge says that its objects have 16 GiB, and takes 25 minutes to adopt one.
type huge struct{ objectstore.Store }

func (h *huge) Stat(_ context.Context, name string) (objectstore.Info, error) {
	if !strings.HasPrefix(name, objectstore.Transient) {
		return objectstore.Info{}, objectstore.ErrNotFound
	}
	return objectstore.Info{Name: name, Size: 16 << 30}, nil
}

func (h *huge) Adopt(ctx context.Context, _, _ string) error {
	select {
	case <-time.After(25 * time.Minute):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes every site and tells what each says.
func TestClose(t *testing.T) {
	s := open(t, sites.Config{}, closer{newFaulty(t)}, closer{newFaulty(t)})
	if err := s.Close(); err == nil || strings.Count(err.Error(), "stuck") != 2 {
		t.Error(err)
	}
}

type closer struct{ objectstore.Store }

func (closer) Close() error { return errors.New("stuck") }
