package middleware

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/redis/go-redis/v9"
	"github.com/sirupsen/logrus"
)

// RedisCounterConfig says how requests are counted in Redis.
type RedisCounterConfig struct {
	Client redis.Scripter
	Log    logrus.FieldLogger
	// Timeout of one count. Default 50 ms.
	Timeout time.Duration
	// Pause is how long a Redis that failed is left alone. Default 2 s.
	Pause time.Duration
}

// RedisCounter counts for all nodes together, one script and one round trip a
// request. A Redis that fails three times in a row is not asked for a while, so
// that its being dead costs hardly any request a timeout.
type RedisCounter struct {
	client  redis.Scripter
	timeout time.Duration
	breaker circuitbreaker.CircuitBreaker[any]
}

// NewRedisCounter asks cfg.Client.
func NewRedisCounter(cfg RedisCounterConfig) *RedisCounter {
	if cfg.Timeout == 0 {
		cfg.Timeout = 50 * time.Millisecond
	}
	if cfg.Pause == 0 {
		cfg.Pause = 2 * time.Second
	}
	var down atomic.Bool // one line in the log each way, however often the breaker tries
	breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithSuccessThreshold(1).WithDelay(cfg.Pause).
		OnOpen(func(circuitbreaker.StateChangedEvent) {
			if !down.Swap(true) {
				cfg.Log.Warn("Redis does not count requests: each node limits rates for itself")
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			if down.Swap(false) {
				cfg.Log.Warn("Redis counts requests again: rates are limited over all nodes")
			}
		}).Build()
	return &RedisCounter{client: cfg.Client, timeout: cfg.Timeout, breaker: breaker}
}

var errRedisPaused = errors.New("rate limit: Redis is left alone for a while")

// takeScript counts in KEYS[1] unless that would go beyond the limit ARGV[1],
// KEYS[2] being the window before and ARGV[2] the part of it that still covers.
// ARGV[3] is the life of a count in milliseconds.
var takeScript = redis.NewScript(`
local current = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
local previous = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if current + previous * tonumber(ARGV[2]) + 1 > tonumber(ARGV[1]) then
  return {0, current, previous}
end
current = redis.call('INCR', KEYS[1])
if current == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {1, current, previous}
`)

// Take is one round trip. It fails at once while Redis is left alone. The
// caller's going away does not break it off: Redis would look dead by it.
func (c *RedisCounter) Take(ctx context.Context, key string, w Window, limit int) (Usage, bool, error) {
	if !c.breaker.TryAcquirePermit() {
		return Usage{}, false, errRedisPaused
	}
	timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	keys := countKeys(key, w)
	answer, err := takeScript.Run(timed, c.client, keys[:], limit,
		strconv.FormatFloat(1-w.Elapsed, 'f', 6, 64), 2*w.Length.Milliseconds()).Int64Slice()
	if err == nil && len(answer) != 3 {
		err = fmt.Errorf("rate limit: Redis answered %d values", len(answer))
	}
	var refusal redis.Error // it answers: only a silent Redis is left alone
	if err != nil && !errors.As(err, &refusal) {
		c.breaker.RecordFailure()
		return Usage{}, false, err
	}
	c.breaker.RecordSuccess()
	if err != nil {
		return Usage{}, false, err
	}
	return Usage{Current: int(answer[1]), Previous: int(answer[2])}, answer[0] == 1, nil
}

// countKeys name the running window and the one before. The key is hashed: it
// may hold any characters, and one hash in braces keeps both on one node of a
// cluster.
func countKeys(key string, w Window) [2]string {
	sum := sha256.Sum256([]byte(key))
	prefix := "holdfast:rate:{" + hex.EncodeToString(sum[:12]) + "}:"
	return [2]string{
		prefix + strconv.FormatInt(w.Start.UnixMilli(), 36),
		prefix + strconv.FormatInt(w.Start.Add(-w.Length).UnixMilli(), 36),
	}
}
