package middleware

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// Usage is what was counted for a key: requests in the window that runs and in
// the one before it.
type Usage struct {
	Current, Previous int
}

// rate is the sliding estimate, at a point of the running window from 0 to 1.
func (u Usage) rate(elapsed float64) float64 {
	return float64(u.Previous)*(1-elapsed) + float64(u.Current)
}

// Window is the one that runs, among windows of fixed length aligned to the clock.
type Window struct {
	Start  time.Time
	Length time.Duration
	// Elapsed is how far it is, from 0 to 1.
	Elapsed float64
}

// Counter counts requests of a key in windows.
type Counter interface {
	// Take counts one request in the window w, unless the sliding estimate is
	// beyond limit with it. It tells whether it was counted, and what is counted now.
	Take(ctx context.Context, key string, w Window, limit int) (Usage, bool, error)
}

// RateConfig says how many requests one key may make.
type RateConfig struct {
	// Limit per Window; at least 1.
	Limit int
	// Window is one minute unless told.
	Window time.Duration
	// MaxKeys bounds the memory of the local counter: keys beyond that many within
	// a window are not limited. Default 200,000, some 20 MB.
	MaxKeys int
	// Shared counts for all nodes together; nil when there is only the local counter.
	// When it fails, the local one counts for this node alone.
	Shared Counter
	// Now is time.Now unless told.
	Now func() time.Time
}

func (c RateConfig) withDefaults() RateConfig {
	if c.Window == 0 {
		c.Window = time.Minute
	}
	if c.MaxKeys == 0 {
		c.MaxKeys = 200_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate says what can't be.
func (c RateConfig) Validate() error {
	if c.Limit < 1 {
		return errors.New("a rate limit must allow at least one request")
	}
	if c.Window < 0 || c.MaxKeys < 0 {
		return errors.New("window and number of keys of a rate limit must be positive")
	}
	return nil
}

// RateLimiter allows each key a number of requests in a sliding window, estimated
// as httprate does: the running window, and of the one before it the part that
// the sliding window still covers. Requests that are refused don't count.
type RateLimiter struct {
	cfg   RateConfig
	local Counter
}

// NewRateLimiter counts in memory, and in cfg.Shared where there is one.
func NewRateLimiter(cfg RateConfig) (*RateLimiter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &RateLimiter{cfg: cfg, local: newLocalCounter(cfg.Window, cfg.MaxKeys)}, nil
}

func (l *RateLimiter) admit(ctx context.Context, key string) error {
	if key == "" {
		return nil
	}
	now := l.cfg.Now().UTC()
	w := Window{Start: now.Truncate(l.cfg.Window), Length: l.cfg.Window}
	w.Elapsed = float64(now.Sub(w.Start)) / float64(w.Length)
	usage, ok, err := l.take(ctx, key, w)
	if ok || err != nil {
		return err
	}
	return &holdfast.Error{
		Code: holdfast.CodeRateLimited, RetryAfter: l.retryAfter(usage, w.Elapsed),
		Detail: fmt.Sprintf("This device may make %d requests in %s.", l.cfg.Limit, l.cfg.Window),
	}
}

func (l *RateLimiter) take(ctx context.Context, key string, w Window) (Usage, bool, error) {
	if l.cfg.Shared != nil {
		usage, ok, err := l.cfg.Shared.Take(ctx, key, w, l.cfg.Limit)
		if err == nil {
			return usage, ok, nil
		}
	}
	return l.local.Take(ctx, key, w, l.cfg.Limit)
}

// retryAfter is when the estimate leaves room for one more, if nothing comes
// until then, in whole seconds.
func (l *RateLimiter) retryAfter(u Usage, elapsed float64) time.Duration {
	room := float64(l.cfg.Limit - 1)
	at := elapsed // in windows since the running one began
	if float64(u.Current) <= room {
		if u.Previous > 0 {
			at = 1 - (room-float64(u.Current))/float64(u.Previous)
		}
	} else {
		at = 2 - room/float64(u.Current)
	}
	seconds := math.Ceil((at - elapsed) * l.cfg.Window.Seconds())
	return time.Duration(max(seconds, 1)) * time.Second
}
