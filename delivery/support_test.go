package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/postgres"
	"github.com/holdfast-sync/holdfast/store/sqlite"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func quiet() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func openSQLite(tb testing.TB) store.Store {
	tb.Helper()
	return openSQLiteIn(tb, tb.TempDir())
}

func openSQLiteIn(tb testing.TB, dir string) store.Store {
	tb.Helper()
	m, err := sqlite.NewMigrator(context.Background(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	err = errors.Join(m.Up(context.Background(), func(store.Migration) {}), m.Close())
	if err != nil {
		tb.Fatal(err)
	}
	s, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir, Logger: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func openPostgres(tb testing.TB) (store.Store, string) {
	tb.Helper()
	url := testserver.Postgres(tb).NewDatabase(tb)
	m, err := postgres.NewMigrator(url)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(m.Up(context.Background(), func(store.Migration) {}), m.Close()); err != nil {
		tb.Fatal(err)
	}
	s, err := postgres.Open(context.Background(), postgres.Config{URL: url, Logger: quiet()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s, url
}

// sender answers as a test wants and remembers who asked.
type sender struct {
	mu     sync.Mutex
	calls  []string
	answer func(ctx context.Context, c *delivery.Call) delivery.Result
}

// Send makes one attempt.
func (s *sender) Send(ctx context.Context, c *delivery.Call) delivery.Result {
	s.mu.Lock()
	s.calls = append(s.calls, c.Key)
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		return delivery.Result{Verdict: delivery.Confirmed, Reference: "R-" + c.Key}
	}
	return answer(ctx, c)
}

func (*sender) Close() error { return nil }

func (s *sender) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

func (s *sender) set(answer func(context.Context, *delivery.Call) delivery.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// start starts a machine; it stops with the test.
func start(tb testing.TB, s store.Store, change func(*delivery.Config), consumers ...delivery.Consumer) *delivery.Machine {
	tb.Helper()
	cfg := delivery.Config{Store: s, Consumers: consumers, Logger: quiet(), Node: "n1", Poll: 20 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	m, err := delivery.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	m.Start()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		m.Stop(ctx)
	})
	return m
}

// accept appends n transactions to a stream of a number.
func accept(tb testing.TB, s store.Store, stream, n int, change ...func(*store.Append)) holdfast.ID {
	tb.Helper()
	id := storetest.ID(0x55, stream)
	v, err := s.View(context.Background(), store.Key{Stream: id})
	if err != nil {
		tb.Fatal(err)
	}
	a := storetest.Step(id, v.Head, byte(stream), n)
	for _, c := range change {
		c(a)
	}
	if err := s.Append(context.Background(), a); err != nil {
		tb.Fatal(err)
	}
	return id
}

func eventually(tb testing.TB, ok func() error) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// statuses of a stream's deliveries, as "seq consumer status code" each.
func statuses(tb testing.TB, s store.Store, stream holdfast.ID) (all []string) {
	tb.Helper()
	found, err := s.Deliveries(context.Background(), holdfast.DeliveryQuery{Stream: stream, Limit: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range found {
		all = append(all, fmt.Sprintf("%d %s %s %s", d.Seq, d.Consumer, d.Status, d.Code))
	}
	return all
}

// done waits until nothing of a stream is open.
func done(tb testing.TB, s store.Store, stream holdfast.ID) {
	tb.Helper()
	eventually(tb, func() error {
		_, open, err := s.StreamDeliveries(context.Background(), stream, true)
		if err == nil && open > 0 {
			err = fmt.Errorf("%d are open: %v", open, statuses(tb, s, stream))
		}
		return err
	})
}
