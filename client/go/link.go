package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// errSmaller asks for less at a time: timeouts or failures, again and again.
var errSmaller = errors.New("client: send less at a time")

// errStale is an answer from a site that lives in the past, or fences itself.
var errStale = errors.New("a stale site answered")

const (
	smallerAfterTimeouts = 2
	smallerAfterFailures = 3 // 500 and 502 with the mark
)

// link is one stream's way to the gateway: which endpoint, how many failures
// in a row, and until when each endpoint rests.
type link struct {
	client *Client
	notify func(Event)

	endpoint int
	rest     []time.Time // by endpoint; no request to it earlier
	pause    time.Duration
	failures int // in a row, at any endpoint
	here     int // in a row, at this endpoint
	timeouts int // in a row
	broken   int // in a row: the gateway itself failed
	renewed  bool
}

func newLink(c *Client, notify func(Event)) *link {
	return &link{client: c, notify: notify, rest: make([]time.Time, len(c.cfg.Endpoints))}
}

// do sends a request until the gateway gives a verdict about it, and returns
// that: a 2xx, or a 4xx that repeating does not change. The error is the
// context's, errSmaller, or a [CredentialsError].
func (l *link) do(ctx context.Context, rq *request) (*answer, error) {
	for {
		if err := l.wait(ctx); err != nil {
			return nil, err
		}
		token := l.client.currentToken()
		a, err := l.client.attempt(ctx, l.url(), token, rq)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			var none *noAnswerError
			if !errors.As(err, &none) {
				return nil, err
			}
			l.lost(none)
		} else if done, err := l.judge(ctx, a, token); done || err != nil {
			return a, err
		}
		if rq.splittable && (l.timeouts >= smallerAfterTimeouts || l.broken >= smallerAfterFailures) {
			l.timeouts, l.broken = 0, 0
			return nil, errSmaller
		}
	}
}

func (l *link) url() string { return l.client.cfg.Endpoints[l.endpoint] }

// wait holds to the pause after the last failure and to the rest of the endpoint.
func (l *link) wait(ctx context.Context) error {
	clock := l.client.cfg.Clock
	d := max(l.pause, l.rest[l.endpoint].Sub(clock.Now()))
	l.pause = 0
	if d <= 0 {
		return ctx.Err()
	}
	return clock.Sleep(ctx, d)
}

// lost notes an attempt without an answer.
func (l *link) lost(none *noAnswerError) {
	l.broken = 0
	if none.timeout {
		l.timeouts++
	} else {
		l.timeouts = 0
	}
	l.failed(0, none)
}

// judge says whether an answer is the verdict on its request.
func (l *link) judge(ctx context.Context, a *answer, token string) (bool, error) {
	if a.epoch != 0 && a.epoch < l.client.Epoch() {
		l.leave(a.retryAfter, fmt.Errorf("%w: epoch %d, and %d is known", errStale, a.epoch, l.client.Epoch()))
		return false, nil
	}
	cause := fmt.Errorf("%d %s", a.status, a.problem.Code)
	switch {
	case a.status == http.StatusUnauthorized && l.client.cfg.Refresh != nil && !l.renewed:
		l.renewed = true
		return false, l.client.refresh(ctx, token)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return true, &CredentialsError{Status: a.status, Code: a.problem.Code, Detail: a.problem.Detail}
	case a.problem.Code == holdfast.CodeFenced && a.status == http.StatusServiceUnavailable:
		l.leave(a.retryAfter, cause)
		return false, nil
	case a.problem.Code == holdfast.CodeRequestInProgress:
		l.pause = l.spread(max(a.retryAfter, l.client.cfg.Retry.Base))
		l.tell(cause)
		return false, nil
	case a.status == http.StatusRequestTimeout, a.status == http.StatusGatewayTimeout:
		l.timeouts, l.broken = l.timeouts+1, 0
		l.failed(a.retryAfter, cause)
		return false, nil
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable:
		l.timeouts, l.broken = 0, 0
		l.failed(a.retryAfter, cause)
		return false, nil
	case a.status >= 500:
		l.timeouts, l.broken = 0, l.broken+1
		l.failed(a.retryAfter, cause)
		return false, nil
	}
	l.client.sawEpoch(a.epoch)
	l.failures, l.here, l.timeouts, l.broken, l.renewed = 0, 0, 0, 0, false
	return true, nil
}

// failed waits before the next attempt, and after several failures in a row
// makes it at the next endpoint. A floor belongs to the endpoint that named it.
func (l *link) failed(floor time.Duration, cause error) {
	if floor > 0 {
		l.restHere(floor)
	} else {
		l.pause = l.jitter()
	}
	l.failures++
	l.here++
	if l.here >= l.client.cfg.Retry.RotateAfter && len(l.rest) > 1 {
		l.next()
		l.pause = max(l.pause, l.jitter())
	}
	l.tell(cause)
}

// leave rests this endpoint and turns to the next one.
func (l *link) leave(floor time.Duration, cause error) {
	l.restHere(max(floor, l.client.cfg.Retry.Base))
	l.pause = l.jitter()
	l.failures++
	l.next()
	l.tell(cause)
}

func (l *link) next() {
	l.endpoint = (l.endpoint + 1) % len(l.rest)
	l.here = 0
}

func (l *link) restHere(floor time.Duration) {
	l.rest[l.endpoint] = l.client.cfg.Clock.Now().Add(l.spread(floor))
}

// spread is the floor and a random part of up to Spread of it.
func (l *link) spread(floor time.Duration) time.Duration {
	cfg := &l.client.cfg
	return floor + time.Duration(cfg.Random()*cfg.Retry.Spread*float64(floor))
}

// jitter is anything from 0 to Base·2ⁿ, at most Cap, n being the failures before.
func (l *link) jitter() time.Duration {
	cfg := &l.client.cfg
	ceiling := cfg.Retry.Cap
	// 2³⁰ bases are more than any cap in use, and no overflow.
	if n := min(l.failures, 30); cfg.Retry.Base <= cfg.Retry.Cap>>n {
		ceiling = cfg.Retry.Base << n
	}
	return time.Duration(cfg.Random() * float64(ceiling))
}

func (l *link) tell(cause error) {
	wait := max(l.pause, l.rest[l.endpoint].Sub(l.client.cfg.Clock.Now()))
	l.notify(Event{Kind: EventRetry, Attempt: l.failures, Wait: wait, Endpoint: l.url(), Cause: cause})
}
