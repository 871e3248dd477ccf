package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config is what a [Client] is made from. Endpoints is required; everything
// else has a default.
type Config struct {
	// Endpoints are base URLs (http or https) of gateways of one installation,
	// the preferred one first. After repeated failures the next one is tried.
	Endpoints []string
	// Token is sent as a bearer token; empty sends none.
	Token string
	// Refresh is asked once for another token when one is refused with 401; the
	// answer serves all streams. Nil: a refused token is a [CredentialsError].
	Refresh func(ctx context.Context, refused string) (string, error)
	// UserAgent defaults to "holdfast-go".
	UserAgent string
	// HTTPClient defaults to one with the transport of net/http. Redirects are
	// never followed: a gateway makes none, a captive portal does.
	HTTPClient *http.Client
	// Clock defaults to the machine's; it serves the waits between attempts.
	Clock Clock
	// Random gives numbers in [0,1); it defaults to math/rand/v2. It is called
	// from several goroutines.
	Random func() float64
	Retry  RetryPolicy
	// Timeout bounds one attempt, from connecting to the last byte of the answer; default 30 s.
	Timeout time.Duration
	// MaxTransactions in one batch, default 100.
	MaxTransactions int
	// MaxBytes of one batch before compression, default 1 MiB. A single larger
	// transaction is sent alone.
	MaxBytes int64
	// MaxAnswerBytes bounds what is read of an answer, default 16 MiB.
	MaxAnswerBytes int64
	// Gzip compresses the batches.
	Gzip bool
	// Observe hears what happens, one call at a time per stream. It must not block.
	Observe func(Event)
}

// RetryPolicy says how long to wait after a failure: full jitter of
// Base·2ⁿ, at most Cap, where the gateway did not say how long.
type RetryPolicy struct {
	Base time.Duration // default 1 s
	Cap  time.Duration // default 60 s
	// Spread is added to a Retry-After: a random part of up to this fraction of
	// it. Default and minimum 0.2.
	Spread float64
	// RotateAfter failures in a row the next endpoint is tried; default 3.
	RotateAfter int
}

// Clock is where time comes from.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or with the context's error when that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Validate says what is wrong with the configuration, nil when nothing is.
func (c *Config) Validate() error {
	if len(c.Endpoints) == 0 {
		return errors.New("client: no endpoint given")
	}
	for _, e := range c.Endpoints {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("client: endpoint %q is not an http or https URL", e)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("client: endpoint %q has credentials, a query or a fragment", u.Redacted())
		}
	}
	for _, b := range []byte(c.Token) {
		if b <= ' ' || b > '~' {
			return errors.New("client: the token has a character that no token has")
		}
	}
	if c.Timeout < 0 || c.MaxTransactions < 0 || c.MaxBytes < 0 || c.MaxAnswerBytes < 0 ||
		c.Retry.Base < 0 || c.Retry.Cap < 0 || c.Retry.Spread < 0 || c.Retry.RotateAfter < 0 {
		return errors.New("client: a limit or duration is negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	endpoints := make([]string, len(c.Endpoints))
	for i, e := range c.Endpoints {
		endpoints[i] = strings.TrimRight(e, "/")
	}
	c.Endpoints = endpoints
	fill(&c.UserAgent, "holdfast-go")
	fill(&c.Timeout, 30*time.Second)
	fill(&c.MaxTransactions, 100)
	fill(&c.MaxBytes, 1<<20)
	fill(&c.MaxAnswerBytes, 16<<20)
	fill(&c.Retry.Base, time.Second)
	fill(&c.Retry.Cap, time.Minute)
	fill(&c.Retry.RotateAfter, 3)
	c.Retry.Spread = max(c.Retry.Spread, 0.2)
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{}
	}
	own := *c.HTTPClient
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTPClient = &own
	if c.Clock == nil {
		c.Clock = machineClock{}
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Observe == nil {
		c.Observe = func(Event) {}
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

type machineClock struct{}

func (machineClock) Now() time.Time { return time.Now() }

func (machineClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
