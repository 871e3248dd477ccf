package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/fastpath"
	"github.com/holdfast-sync/holdfast/fastpath/fastpathtest"
)

var _ fastpath.Hints = (*Hints)(nil)

var background = context.Background()

// slack is what a busy machine may add to a timeout.
const slack = 500 * time.Millisecond

func newHints(t testing.TB, url string, change func(*Config)) (*Hints, *logtest.Hook) {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	client, err := NewClient(url, log)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Client: client, Log: log, Pause: 50 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.Close()
		_ = client.Close()
	})
	return h, hook
}

// withoutFront asks Redis at every question.
func withoutFront(c *Config) { c.FrontFor = -1 }

// known waits until h knows the head.
func known(t *testing.T, h *Hints, epoch, stream holdfast.ID, want holdfast.Head) {
	t.Helper()
	eventually(t, "the head is known", func() bool {
		head, ok := h.Head(background, epoch, stream)
		return ok && head == want
	})
}

func TestSuite(t *testing.T) {
	s := newServer(t)
	for name, change := range map[string]func(*Config){"with Redis": nil, "asking Redis each time": withoutFrontPatient} {
		t.Run(name, func(t *testing.T) {
			fastpathtest.Run(t, fastpathtest.Harness{
				New: func(t *testing.T) fastpath.Hints {
					h, _ := newHints(t, s.url(), change)
					return settled{h}
				},
				Longest: 20*time.Millisecond + slack,
			})
		})
	}
	t.Run("without Redis", func(t *testing.T) {
		fastpathtest.Run(t, fastpathtest.Harness{
			New: func(t *testing.T) fastpath.Hints {
				h, _ := newHints(t, "redis://127.0.0.1:1/0", nil)
				return h
			},
			Longest: 20*time.Millisecond + slack,
		})
	})
}

// withoutFrontPatient is for a test of values, not of times.
func withoutFrontPatient(c *Config) { c.FrontFor, c.Timeout = -1, slack }

// settled waits behind Remember until everything has been sent: the suite wants
// the last word, which Redis hears later.
type settled struct{ *Hints }

func (s settled) Remember(epoch, stream holdfast.ID, head holdfast.Head) {
	s.Hints.Remember(epoch, stream, head)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		value, err := s.cfg.Client.(*goredis.Client).Get(background, redisKey(epoch, stream)).Result()
		if got, ok := decode(epoch, stream, value); err == nil && ok && got == head {
			return
		}
	}
}

func TestNodesShareWhatTheyKnow(t *testing.T) {
	s := newServer(t)
	one, _ := newHints(t, s.url(), nil)
	two, _ := newHints(t, s.url(), withoutFront)
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	one.Remember(epoch, stream, fastpathtest.Head(5))
	known(t, two, epoch, stream, fastpathtest.Head(5))
	two.Remember(epoch, stream, fastpathtest.Head(6))
	three, _ := newHints(t, s.url(), withoutFront)
	known(t, three, epoch, stream, fastpathtest.Head(6))
	if _, ok := three.Head(background, fastpathtest.ID(), stream); ok {
		t.Fatal("another epoch knows it too")
	}
	ttl := s.client().TTL(background, redisKey(epoch, stream)).Val()
	if ttl <= 0 || ttl > time.Hour {
		t.Fatalf("kept for %v, want an hour", ttl)
	}
}

func TestFrontAnswersAloneOnlyWhileYoung(t *testing.T) {
	s := newServer(t)
	patient, _ := newHints(t, s.url(), func(c *Config) { c.FrontFor = time.Hour })
	hasty, _ := newHints(t, s.url(), withoutFront)
	other, _ := newHints(t, s.url(), withoutFront)
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	for _, h := range []*Hints{patient, hasty} {
		h.Remember(epoch, stream, fastpathtest.Head(1))
	}
	eventually(t, "both have written", func() bool { return len(patient.writes)+len(hasty.writes) == 0 })
	known(t, other, epoch, stream, fastpathtest.Head(1))
	eventually(t, "the other node's word is the last", func() bool {
		other.Remember(epoch, stream, fastpathtest.Head(2))
		head, ok := hasty.Head(background, epoch, stream)
		return ok && head == fastpathtest.Head(2)
	})
	if head, ok := patient.Head(background, epoch, stream); !ok || head != fastpathtest.Head(1) {
		t.Fatalf("the young memory was not asked: %+v, %t", head, ok)
	}
}

func TestFlushedRedisIsAMiss(t *testing.T) {
	s := newServer(t)
	writer, _ := newHints(t, s.url(), nil)
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	writer.Remember(epoch, stream, fastpathtest.Head(5))
	reader, _ := newHints(t, s.url(), withoutFront)
	known(t, reader, epoch, stream, fastpathtest.Head(5))
	if err := s.client().FlushAll(background).Err(); err != nil {
		t.Fatal(err)
	}
	fresh, _ := newHints(t, s.url(), withoutFront)
	if head, ok := fresh.Head(background, epoch, stream); ok {
		t.Fatalf("known after a flush: %+v", head)
	}
	writer.Remember(epoch, stream, fastpathtest.Head(6))
	known(t, fresh, epoch, stream, fastpathtest.Head(6))
}

func TestEvictingRedisIsAMiss(t *testing.T) {
	s := newServer(t)
	c := s.client()
	for name, value := range map[string]string{"maxmemory-policy": "allkeys-lru", "maxmemory": "3mb"} {
		if err := c.ConfigSet(background, name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	h, _ := newHints(t, s.url(), func(c *Config) { c.FrontFor, c.Streams, c.Queue = -1, 64, 1<<20 })
	epoch := fastpathtest.ID()
	streams := make([]holdfast.ID, 20_000)
	for i := range streams {
		streams[i] = fastpathtest.ID()
		h.Remember(epoch, streams[i], fastpathtest.Head(int64(i)))
	}
	eventually(t, "all is written", func() bool { return len(h.writes) == 0 })
	missed := 0
	for i, stream := range streams {
		head, ok := h.Head(background, epoch, stream)
		if !ok {
			missed++
		} else if head != fastpathtest.Head(int64(i)) {
			t.Fatalf("stream %d: got %+v", i, head)
		}
	}
	if missed == 0 {
		t.Fatal("nothing was evicted: the test shows nothing")
	}
}

func TestFullRedisIsAMiss(t *testing.T) {
	s := newServer(t)
	for name, value := range map[string]string{"maxmemory-policy": "noeviction", "maxmemory": "1"} {
		if err := s.client().ConfigSet(background, name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	h, _ := newHints(t, s.url(), nil)
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	h.Remember(epoch, stream, fastpathtest.Head(5))
	eventually(t, "the write is given up", func() bool { return h.Dropped() == 1 })
	if h.breaker.IsOpen() {
		t.Fatal("a Redis that answers is left alone")
	}
}

func TestGarbageInRedisIsAMiss(t *testing.T) {
	s := newServer(t)
	c := s.client()
	epoch, other := fastpathtest.ID(), fastpathtest.ID()
	good := string(encode(epoch, other, fastpathtest.Head(5)))
	for name, put := range map[string]func(key string) error{
		"nothing":          func(k string) error { return c.Set(background, k, "", 0).Err() },
		"text":             func(k string) error { return c.Set(background, k, "garbage", 0).Err() },
		"another stream's": func(k string) error { return c.Set(background, k, good, 0).Err() },
		"much":             func(k string) error { return c.Set(background, k, strings.Repeat("\x01", 1<<20), 0).Err() },
		"a list":           func(k string) error { return c.RPush(background, k, "x").Err() },
		"a hash":           func(k string) error { return c.HSet(background, k, "a", "b").Err() },
	} {
		h, _ := newHints(t, s.url(), withoutFrontPatient)
		stream := fastpathtest.ID()
		if err := put(redisKey(epoch, stream)); err != nil {
			t.Fatal(err)
		}
		if head, ok := h.Head(background, epoch, stream); ok {
			t.Errorf("%s: is read as %+v", name, head)
		}
		h.Remember(epoch, stream, fastpathtest.Head(6)) // what is right takes its place
		known(t, h, epoch, stream, fastpathtest.Head(6))
	}
}

func TestKilledRedisCostsNothingAndComesBack(t *testing.T) {
	s := newServer(t)
	h, log := newHints(t, s.url(), nil)
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	h.Remember(epoch, stream, fastpathtest.Head(1))
	reader, _ := newHints(t, s.url(), withoutFront)
	known(t, reader, epoch, stream, fastpathtest.Head(1))

	s.kill()
	var took time.Duration
	for range 1000 {
		began := time.Now()
		h.Head(background, epoch, fastpathtest.ID())
		h.Remember(epoch, stream, fastpathtest.Head(2))
		took += time.Since(began)
	}
	if took > 2*time.Second { // 1,000 timeouts would be 20 s
		t.Fatalf("1,000 questions to a dead Redis took %v", took)
	}
	if head, ok := h.Head(background, epoch, stream); !ok || head != fastpathtest.Head(2) {
		t.Fatalf("the memory in front lost it: %+v, %t", head, ok)
	}

	s.start()
	eventually(t, "a new head gets through", func() bool {
		h.Remember(epoch, stream, fastpathtest.Head(3))
		head, ok := reader.Head(background, epoch, stream)
		return ok && head == fastpathtest.Head(3)
	})
	warnings := func() (n int) {
		for _, e := range log.AllEntries() {
			if e.Level == logrus.WarnLevel {
				n++
			}
		}
		return n
	}
	eventually(t, "there is a warning each way", func() bool { return warnings() >= 2 })
	if n := warnings(); n != 2 {
		t.Errorf("%d warnings, want one each way", n)
	}
}

func TestHangingRedisCostsATimeoutAtMost(t *testing.T) {
	s := newServer(t)
	h, _ := newHints(t, s.url(), withoutFront)
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	h.Remember(epoch, stream, fastpathtest.Head(1))
	known(t, h, epoch, stream, fastpathtest.Head(1))
	s.hang()
	var slow atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				began := time.Now()
				h.Head(background, epoch, fastpathtest.ID())
				h.Remember(epoch, fastpathtest.ID(), fastpathtest.Head(1))
				took := time.Since(began)
				if took > 20*time.Millisecond+slack {
					t.Errorf("a question took %v", took)
				}
				if took > 15*time.Millisecond {
					slow.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := slow.Load(); n > 800 {
		t.Errorf("%d of 1,600 questions waited: Redis is not left alone", n)
	}
	if head, ok := h.Head(background, epoch, stream); !ok || head != fastpathtest.Head(1) {
		t.Fatalf("the memory in front was not asked: %+v, %t", head, ok)
	}
	s.goOn()
	eventually(t, "Redis is asked again", func() bool {
		h.Remember(epoch, stream, fastpathtest.Head(2))
		other, ok := h.ask(background, epoch, stream)
		return ok && other == fastpathtest.Head(2)
	})
}

func TestWritesBeyondTheQueueAreDropped(t *testing.T) {
	s := newServer(t)
	h, _ := newHints(t, s.url(), func(c *Config) { c.Queue = 4 })
	s.hang()
	defer s.goOn()
	epoch := fastpathtest.ID()
	began := time.Now()
	for range 10_000 {
		h.Remember(epoch, fastpathtest.ID(), fastpathtest.Head(1))
	}
	if took := time.Since(began); took > time.Second {
		t.Fatalf("10,000 writes to a hanging Redis took %v", took)
	}
	if h.Dropped() == 0 {
		t.Fatal("nothing was dropped")
	}
}

func TestCloseSendsWhatIsQueued(t *testing.T) {
	s := newServer(t)
	log, _ := logtest.NewNullLogger()
	client, err := NewClient(s.url(), log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	h, err := New(Config{Client: client, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	epoch := fastpathtest.ID()
	for i := range 1000 {
		h.Remember(epoch, fastpathtest.ID(), fastpathtest.Head(int64(i)))
	}
	_ = h.Close()
	if n := client.DBSize(background).Val(); n != 1000 {
		t.Fatalf("%d of 1,000 heads were sent", n)
	}
	began := time.Now()
	if _, ok := h.Head(background, epoch, fastpathtest.ID()); ok || time.Since(began) > time.Second {
		t.Fatal("a closed one answers, or hangs")
	}
	h.Remember(epoch, fastpathtest.ID(), fastpathtest.Head(1)) // does no harm
}

func TestReadsShareRoundTrips(t *testing.T) {
	c := &countingCommands{gate: make(chan struct{})}
	log, _ := logtest.NewNullLogger()
	h, err := New(Config{Client: c, Log: log, FrontFor: -1, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	epoch := fastpathtest.ID()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { h.Head(background, epoch, fastpathtest.ID()) })
	}
	eventually(t, "all wait", func() bool { return int(c.keys.Load())+len(h.reads) >= 100 })
	close(c.gate)
	wg.Wait()
	if trips, keys := c.trips.Load(), c.keys.Load(); keys != 100 || trips > 60 {
		t.Fatalf("%d questions took %d round trips", keys, trips)
	}
}

// countingCommands answers misses when the gate is open.
type countingCommands struct {
	gate        chan struct{}
	trips, keys atomic.Int64
}

func (c *countingCommands) MGet(ctx context.Context, keys ...string) *goredis.SliceCmd {
	c.trips.Add(1)
	c.keys.Add(int64(len(keys)))
	<-c.gate
	cmd := goredis.NewSliceCmd(ctx)
	cmd.SetVal(make([]any, len(keys)))
	return cmd
}

func (c *countingCommands) Pipeline() goredis.Pipeliner { panic("nothing is written") }

func TestNewClientKeepsThePasswordOutOfErrors(t *testing.T) {
	log, _ := logtest.NewNullLogger()
	for _, bad := range []string{"", "redis://:hunter2@host:notaport", "http://user:hunter2@host", "redis://user:hunter2@host/x", "redis://:hunter2@ho st:1/0\x7f"} {
		c, err := NewClient(bad, log)
		if !errors.Is(err, ErrURL) || c != nil {
			t.Errorf("%q: %v", bad, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}

func TestLibraryLogsAtDebug(t *testing.T) {
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	debugLogger{log}.Printf(background, "connection %d", 7)
	if e := hook.LastEntry(); e == nil || e.Level != logrus.DebugLevel || e.Message != "connection 7" {
		t.Fatalf("got %v", e)
	}
}

func TestConfigThatCannotBe(t *testing.T) {
	log, _ := logtest.NewNullLogger()
	c := &countingCommands{}
	for name, cfg := range map[string]Config{
		"no client": {Log: log}, "no log": {Client: c}, "negative timeout": {Client: c, Log: log, Timeout: -1},
		"negative life": {Client: c, Log: log, TTL: -1}, "negative pause": {Client: c, Log: log, Pause: -1},
		"negative queue": {Client: c, Log: log, Queue: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// The memory in front, with Redis gone.
func BenchmarkHead(b *testing.B) {
	h, _ := newHints(b, "redis://127.0.0.1:1/0", nil)
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	h.Remember(epoch, stream, fastpathtest.Head(1))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.Head(background, epoch, stream)
		}
	})
}
