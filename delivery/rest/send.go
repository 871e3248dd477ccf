package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ohler55/ojg/oj"

	"github.com/holdfast-sync/holdfast/delivery"
)

// Send makes the request. ctx bounds all of it, the answer's body included.
func (s *Sender) Send(ctx context.Context, c *delivery.Call) delivery.Result {
	req, err := s.request(ctx, c)
	if err != nil {
		if errors.Is(err, delivery.ErrValue) {
			return delivery.Result{Verdict: delivery.Permanent, Code: "template", Detail: err.Error()}
		}
		if ctx.Err() != nil {
			return failure(ctx, ctx.Err())
		}
		return delivery.Result{Verdict: delivery.Passing, Code: "credentials", Detail: err.Error(), Down: true}
	}
	res, err := s.client.Do(req)
	if err != nil {
		return failure(ctx, err)
	}
	defer res.Body.Close()
	return s.read(ctx, res)
}

// request is built anew for every attempt: the same content under the same key.
func (s *Sender) request(ctx context.Context, c *delivery.Call) (*http.Request, error) {
	address, err := s.url.Expand(c.Data())
	if err != nil {
		return nil, err
	}
	if dots(address) {
		return nil, fmt.Errorf("%w: . or .. as a segment of the URL", delivery.ErrValue)
	}
	body := c.Envelope
	if s.body != nil {
		text, err := s.body.Expand(c.Data())
		if err != nil {
			return nil, err
		}
		body = []byte(text)
		if strings.Contains(s.cfg.ContentType, "json") && !json.Valid(body) {
			return nil, fmt.Errorf("%w: the body is no JSON", delivery.ErrValue)
		}
	}
	req, err := http.NewRequestWithContext(ctx, s.cfg.Method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: the URL can't be one", delivery.ErrValue)
	}
	context := c.Context
	for name, value := range map[string]string{
		"Content-Type": s.cfg.ContentType, "Accept": "application/json", "User-Agent": "holdfast", "Idempotency-Key": strconv.Quote(c.Key),
		"Correlation-Id": context.Correlation, "X-Store-Id": context.Shop, "X-User-Id": context.User, "X-Device-Id": context.Device,
		"X-Session-Id": context.Session, "X-App-Version": context.AppVersion, "Traceparent": context.Traceparent,
	} {
		if strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("%w: a control character in the context", delivery.ErrValue)
		}
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	for name, t := range s.headers {
		value, err := t.Expand(c.Data())
		if err != nil {
			return nil, err
		}
		req.Header.Set(name, value)
	}
	for name, path := range s.cfg.HeaderFiles {
		value, err := secret(path)
		if err != nil {
			return nil, err
		}
		req.Header.Set(name, value)
	}
	return req, s.authorize(ctx, req)
}

// dots says whether a segment of the path is . or .., which who reads the URL would take away (RFC 3986, 5.2.4): several values side
// by side may make one, although none is.
func dots(address string) bool {
	u, err := url.Parse(address)
	return err == nil && slices.ContainsFunc(strings.Split(u.EscapedPath(), "/"), func(segment string) bool { return segment == "." || segment == ".." })
}

func (s *Sender) authorize(ctx context.Context, req *http.Request) error {
	switch {
	case s.cfg.BearerFile != "":
		token, err := secret(s.cfg.BearerFile)
		req.Header.Set("Authorization", "Bearer "+token)
		return err
	case s.cfg.BasicFile != "":
		password, err := secret(s.cfg.BasicFile)
		req.SetBasicAuth(s.cfg.BasicUser, password)
		return err
	case s.tokens != nil:
		token, err := s.tokens.token(ctx)
		req.Header.Set("Authorization", "Bearer "+token)
		return err
	}
	return nil
}

// failure says why there is no answer. Nothing of the error's text is told: it may hold a URL.
func failure(ctx context.Context, err error) delivery.Result {
	r := delivery.Result{Verdict: delivery.Passing, Down: true, Code: "no-answer", Detail: "The connection broke before an answer came."}
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, errRedirect):
		r.Code, r.Detail = "redirect", "The consumer redirects to another host, or too often."
	case errors.Is(ctx.Err(), context.Canceled):
		r.Down, r.Code, r.Detail = false, "interrupted", "The gateway broke the attempt off."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		r.Code, r.Detail = "timeout", "No answer came in time."
	case errors.As(err, &dns):
		r.Code, r.Detail = "unreachable", "The host's name is not known."
	case errors.As(err, &op) && op.Op == "dial":
		r.Code, r.Detail = "unreachable", "No connection can be made."
	case strings.Contains(err.Error(), "tls:") || strings.Contains(err.Error(), "x509:"):
		r.Code, r.Detail = "certificate", "The TLS handshake failed."
	}
	return r
}

// passing are refusals that another attempt may overcome: credentials are rotated, routes come with a deployment.
var passing = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired, http.StatusRequestTimeout,
	http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests,
}

// read makes a result of an answer.
func (s *Sender) read(ctx context.Context, res *http.Response) delivery.Result {
	status := res.StatusCode
	r := delivery.Result{Code: fmt.Sprintf("status-%d", status), Detail: fmt.Sprintf("The consumer answered %d.", status), RetryAfter: retryAfter(res.Header)}
	if status == http.StatusUnauthorized && s.tokens != nil {
		s.tokens.drop(ctx, strings.TrimPrefix(res.Request.Header.Get("Authorization"), "Bearer "))
	}
	switch {
	case slices.Contains(s.cfg.Permanent, status):
		r.Verdict = delivery.Permanent
	case slices.Contains(s.cfg.Passing, status):
		r.Down = true
	case status/100 == 2 || slices.Contains(s.cfg.AlreadyDone, status):
		return s.confirmed(ctx, res)
	case slices.Contains(passing, status), status >= 500, status < 400:
		r.Down = true
	default:
		r.Verdict = delivery.Permanent
	}
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	return r
}

// retryAfter is what the consumer asks for: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); (err == nil || errors.Is(err, strconv.ErrRange)) && seconds > 0 { // out of range: the most
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// confirmed reads the reference. A success without the reference that is needed is none: the consumer is asked again under the same key.
func (s *Sender) confirmed(ctx context.Context, res *http.Response) delivery.Result {
	body, err := io.ReadAll(io.LimitReader(res.Body, s.cfg.MaxAnswer+1))
	bad := func(code, detail string) delivery.Result {
		return delivery.Result{Verdict: delivery.Passing, Down: true, Code: code, Detail: detail}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return failure(ctx, ctx.Err())
	case err != nil:
		return bad("broken-answer", "The answer broke off.")
	case int64(len(body)) > s.cfg.MaxAnswer:
		return bad("large-answer", fmt.Sprintf("The answer is larger than %d bytes.", s.cfg.MaxAnswer))
	}
	r := delivery.Result{Verdict: delivery.Confirmed}
	if s.reference == nil {
		return r
	}
	parsed, err := oj.Parse(body)
	if err != nil {
		return bad("bad-answer", "The answer is no JSON.")
	}
	found := s.reference.Get(parsed)
	if len(found) != 1 {
		return bad("no-reference", "The answer holds no reference number.")
	}
	if r.Reference = s.text(found[0]); r.Reference == "" {
		return bad("bad-reference", "The reference number is not of the type that is asked for, empty, longer than 256 characters, or not printable.")
	}
	return r
}

// text of a reference; empty when it can't be one.
func (s *Sender) text(v any) (text string) {
	switch v := v.(type) {
	case string:
		if s.cfg.ReferenceType == "number" {
			return ""
		}
		text = v
	case int64, json.Number:
		if s.cfg.ReferenceType == "string" {
			return ""
		}
		text = fmt.Sprint(v)
	case float64:
		if s.cfg.ReferenceType == "string" || math.IsInf(v, 0) || math.IsNaN(v) {
			return ""
		}
		text = strconv.FormatFloat(v, 'f', -1, 64)
	}
	if len(text) > 256 || strings.TrimSpace(text) == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return ""
	}
	return text
}
