package redis

import (
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// server is a Redis of the test's own, which can be killed, stopped and started again.
type server struct {
	t    *testing.T
	addr string
	*testserver.RedisServer
}

func newServer(t *testing.T) *server {
	t.Helper()
	r := testserver.Redis(t)
	return &server{t, r.Addr(), r}
}

func (s *server) url() string { return s.URL() }

func (s *server) start() {
	s.t.Helper()
	if err := s.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) kill() { s.Kill() }

// hang makes it keep its connections and answer nothing.
func (s *server) hang() { s.Pause() }

func (s *server) goOn() { s.Resume() }

// client is one that has nothing to do with what is tested.
func (s *server) client() *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: s.addr, MaxRetries: -1})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}
