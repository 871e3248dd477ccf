package memory

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/fastpath"
	"github.com/holdfast-sync/holdfast/fastpath/fastpathtest"
)

var _ fastpath.Hints = (*Memory)(nil)

func TestSuite(t *testing.T) {
	fastpathtest.Run(t, fastpathtest.Harness{
		New:     func(*testing.T) fastpath.Hints { return New(0) },
		Longest: time.Second, // takes no time; a busy machine does
	})
}

func TestMemoryIsBounded(t *testing.T) {
	const most = 6400
	m, epoch := New(most), fastpathtest.ID()
	for i := range 20 * most {
		m.Remember(epoch, fastpathtest.ID(), fastpathtest.Head(int64(i)))
		if i%1000 == 0 {
			if n := m.Len(); n > most {
				t.Fatalf("%d heads are held, want at most %d", n, most)
			}
		}
	}
	if n := m.Len(); n < most/2-most/10 {
		t.Fatalf("only %d heads are held of %d", n, most)
	}
}

func TestMemoryIsBoundedOverEpochs(t *testing.T) {
	m, stream := New(128), fastpathtest.ID()
	for range 10_000 {
		m.Remember(fastpathtest.ID(), stream, fastpathtest.Head(1))
	}
	if n := m.Len(); n > 128 {
		t.Fatalf("%d heads are held", n)
	}
}

func TestWhatIsUsedStays(t *testing.T) {
	m, epoch, used := New(1280), fastpathtest.ID(), fastpathtest.ID()
	m.Remember(epoch, used, fastpathtest.Head(1))
	for range 10_000 {
		m.Remember(epoch, fastpathtest.ID(), fastpathtest.Head(2))
		if _, ok := m.Head(context.Background(), epoch, used); !ok {
			t.Fatal("a stream that is used all the time was forgotten")
		}
	}
}

func TestFreshAsksForTheAge(t *testing.T) {
	now := time.Unix(1000, 0)
	m := WithClock(0, func() time.Time { return now })
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	if _, ok := m.Fresh(epoch, stream, time.Hour); ok {
		t.Fatal("an unknown stream is fresh")
	}
	m.Remember(epoch, stream, fastpathtest.Head(3))
	now = now.Add(time.Second)
	if head, ok := m.Fresh(epoch, stream, time.Second); !ok || head != fastpathtest.Head(3) {
		t.Fatalf("got %+v, %t", head, ok)
	}
	now = now.Add(1)
	if head, ok := m.Fresh(epoch, stream, time.Second); ok || head != (holdfast.Head{}) {
		t.Fatalf("too old, and still %+v", head)
	}
	if _, ok := m.Head(context.Background(), epoch, stream); !ok {
		t.Fatal("forgotten by age")
	}
}

func TestIDsMadeBadlySpreadOverTheShards(t *testing.T) {
	m := New(0)
	for name, make := range map[string]func(i byte, id *holdfast.ID){
		"only the last byte":  func(i byte, id *holdfast.ID) { id[15] = i },
		"only the first byte": func(i byte, id *holdfast.ID) { id[0] = i },
	} {
		used := map[*shard]bool{}
		for i := range 256 {
			var id holdfast.ID
			make(byte(i), &id)
			used[m.shard(id)] = true
		}
		if len(used) < shards/4 {
			t.Errorf("%s: 256 ids use %d of %d shards", name, len(used), shards)
		}
	}
}

func BenchmarkHead(b *testing.B) {
	m, epoch := New(0), fastpathtest.ID()
	streams := make([]holdfast.ID, 1024)
	for i := range streams {
		streams[i] = fastpathtest.ID()
		m.Remember(epoch, streams[i], fastpathtest.Head(1))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			m.Head(context.Background(), epoch, streams[i%len(streams)])
		}
	})
}
