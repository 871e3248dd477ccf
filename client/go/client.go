package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/holdfast-sync/holdfast"
)

// Client talks to one installation of Holdfast. It may be used by many goroutines.
type Client struct {
	cfg Config
	// epoch is the highest one seen in any answer.
	epoch atomic.Int64

	mu    sync.Mutex // held while a token is refreshed, so that it happens once
	token string
}

// New makes a client; it sends nothing yet.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Client{cfg: cfg, token: cfg.Token}, nil
}

// Epoch is the highest epoch that any answer named, 0 before the first.
func (c *Client) Epoch() int64 { return c.epoch.Load() }

func (c *Client) sawEpoch(epoch int64) {
	for {
		seen := c.epoch.Load()
		if epoch <= seen || c.epoch.CompareAndSwap(seen, epoch) {
			return
		}
	}
}

// request is one request, the same for every attempt.
type request struct {
	method, path string
	header       http.Header
	body         []byte
	// decode reads a 2xx body; its error makes the answer none.
	decode func(*answer) error
	// splittable asks to be given back after repeated timeouts or 5xx, so that
	// less can be sent at a time.
	splittable bool
}

// noAnswerError is everything that is not a gateway's whole answer.
type noAnswerError struct {
	reason  string
	timeout bool
	err     error
}

func (e *noAnswerError) Error() string {
	if e.err == nil {
		return e.reason
	}
	return fmt.Sprintf("%s: %v", e.reason, e.err)
}

func (e *noAnswerError) Unwrap() error { return e.err }

// attempt sends a request once. The error is the context's, or a [noAnswerError].
func (c *Client) attempt(ctx context.Context, endpoint, token string, rq *request) (*answer, error) {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	hr, err := c.httpRequest(bounded, endpoint, token, rq)
	if err != nil {
		return nil, err
	}
	res, err := c.cfg.HTTPClient.Do(hr)
	if err != nil {
		return nil, c.noAnswer(ctx, "no answer", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.cfg.MaxAnswerBytes+1))
	if err != nil {
		return nil, c.noAnswer(ctx, "the answer broke off", err)
	}
	if int64(len(body)) > c.cfg.MaxAnswerBytes {
		return nil, &noAnswerError{reason: fmt.Sprintf("the answer is longer than %d bytes", c.cfg.MaxAnswerBytes)}
	}
	return readAnswer(res, body, rq)
}

func (c *Client) httpRequest(ctx context.Context, endpoint, token string, rq *request) (*http.Request, error) {
	hr, err := http.NewRequestWithContext(ctx, rq.method, endpoint+rq.path, bytes.NewReader(rq.body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	for name, values := range rq.header {
		hr.Header[name] = values
	}
	hr.Header.Set("User-Agent", c.cfg.UserAgent)
	hr.Header.Set("Accept", "application/json, application/problem+json")
	if token != "" {
		hr.Header.Set("Authorization", "Bearer "+token)
	}
	if epoch := c.Epoch(); epoch > 0 {
		hr.Header.Set("Holdfast-Epoch", strconv.FormatInt(epoch, 10))
	}
	if tp := holdfast.RequestContextFrom(ctx).Traceparent; tp != "" {
		hr.Header.Set("Traceparent", tp)
	}
	return hr, nil
}

func (c *Client) noAnswer(ctx context.Context, reason string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var timeout net.Error
	return &noAnswerError{reason: reason, err: err, timeout: errors.As(err, &timeout) && timeout.Timeout()}
}

func (c *Client) currentToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// refresh replaces a refused token, unless another caller already has.
func (c *Client) refresh(ctx context.Context, refused string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != refused {
		return nil
	}
	token, err := c.cfg.Refresh(ctx, refused)
	if err != nil {
		return fmt.Errorf("client: refreshing the token: %w", err)
	}
	c.token = token
	return nil
}
