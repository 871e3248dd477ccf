package client

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// maxRetryAfter is the longest wait that is believed.
const maxRetryAfter = 24 * time.Hour

// answer is a gateway's whole answer.
type answer struct {
	status     int
	epoch      int64 // 0: not named
	retryAfter time.Duration
	replayed   bool
	body       []byte
	problem    problem
	receipt    receipt
	state      State
}

// problem is what this client reads of a problem document.
type problem struct {
	Code            holdfast.Code `json:"code"`
	Detail          string        `json:"detail"`
	Epoch           int64         `json:"epoch"`
	ExpectedSeq     int64         `json:"expectedSeq"`
	Seq             int64         `json:"seq"`
	AcceptedThrough int64         `json:"acceptedThrough"`
	MaxBytes        int64         `json:"maxBytes"`
	MaxTransactions int64         `json:"maxTransactions"`
	Errors          []struct {
		Pointer   string `json:"pointer"`
		Header    string `json:"header"`
		Parameter string `json:"parameter"`
		Detail    string `json:"detail"`
	} `json:"errors"`
}

func (p *problem) fields() []holdfast.FieldError {
	var all []holdfast.FieldError
	for _, e := range p.Errors {
		all = append(all, holdfast.FieldError{
			Pointer: e.Pointer, HasPointer: e.Header == "" && e.Parameter == "",
			Header: e.Header, Parameter: e.Parameter, Detail: e.Detail,
		})
	}
	return all
}

// watermarks are the members that a receipt and a stream's state share.
type watermarks struct {
	Epoch           int64     `json:"epoch"`
	AcceptedThrough int64     `json:"acceptedThrough"`
	DurableThrough  int64     `json:"durableThrough"`
	Digest          hexDigest `json:"digest"`
}

func (w *watermarks) check() error {
	if w.Epoch < 1 || w.AcceptedThrough < 0 || w.DurableThrough < 0 || !w.Digest.given {
		return errors.New("a watermark is missing")
	}
	return nil
}

type hexDigest struct {
	holdfast.Digest
	given bool
}

func (d *hexDigest) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(d.Digest)) {
		return errors.New("the digest has not 64 digits")
	}
	if _, err := hex.Decode(d.Digest[:], b); err != nil {
		return errors.New("the digest is not hexadecimal")
	}
	d.given = true
	return nil
}

type receipt struct {
	watermarks
	Results []result `json:"results"`
}

type result struct {
	Seq     int64           `json:"seq"`
	ID      holdfast.ID     `json:"id"`
	Status  holdfast.Status `json:"status"`
	Problem *problem        `json:"problem"`
}

func (r *result) quarantined() Quarantined {
	q := Quarantined{Seq: r.Seq, ID: r.ID, Code: r.Problem.Code, Detail: r.Problem.Detail}
	for _, f := range r.Problem.fields() {
		q.Errors = append(q.Errors, f.Pointer+f.Header+f.Parameter+": "+f.Detail)
	}
	return q
}

// readAnswer tells a gateway's answer from everything else: it has the mark,
// and what a success must say can be read.
func readAnswer(res *http.Response, body []byte, rq *request) (*answer, error) {
	if res.Header.Get("Holdfast-Protocol") == "" {
		return nil, &noAnswerError{reason: fmt.Sprintf("status %d without Holdfast-Protocol: not a gateway's answer", res.StatusCode)}
	}
	a := &answer{
		status: res.StatusCode, body: body,
		retryAfter: retryAfter(res.Header),
		replayed:   strings.EqualFold(res.Header.Get("Idempotency-Replayed"), "true"),
	}
	if epoch, err := strconv.ParseInt(res.Header.Get("Holdfast-Epoch"), 10, 64); err == nil && epoch > 0 {
		a.epoch = epoch
	}
	if err := a.read(rq); err != nil {
		return nil, &noAnswerError{reason: fmt.Sprintf("status %d with an answer that can't be read", a.status), err: err}
	}
	return a, nil
}

func (a *answer) read(rq *request) error {
	switch {
	case a.status >= 200 && a.status < 300:
		return rq.decode(a)
	case a.status < 400:
		return errors.New("a gateway does not redirect")
	}
	err := json.Unmarshal(a.body, &a.problem)
	if a.epoch == 0 {
		a.epoch = a.problem.Epoch
	}
	// Statuses that say "later" say so without a body too.
	if err != nil && a.status != http.StatusTooManyRequests && a.status < 500 {
		return err
	}
	return nil
}

// retryAfter reads seconds, or a date as the difference to the answer's own Date.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
