package middleware

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// redisServer is a Redis of the test's own, which can be killed, stopped and started again.
type redisServer struct {
	t    *testing.T
	addr string
	*testserver.RedisServer
}

func newRedisServer(t *testing.T) *redisServer {
	t.Helper()
	r := testserver.Redis(t)
	return &redisServer{t, r.Addr(), r}
}

func (s *redisServer) start() {
	s.t.Helper()
	if err := s.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *redisServer) kill() { s.Kill() }

// hang makes it keep its connections and answer nothing.
func (s *redisServer) hang() { s.Pause() }

// client is one that has nothing to do with what is tested.
func (s *redisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})
}
