package prefetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// fetchLimit bounds a fetch whose upstream makes progress, but hardly any.
const fetchLimit = 10 * time.Minute

// upstream refreshes a resource from its URL.
func (l *Library) upstream(r Resource) func(context.Context) error {
	sum := sha256.Sum256([]byte(r.URL))
	u := &upstream{Library: l, r: r, origin: hex.EncodeToString(sum[:]), client: &http.Client{Transport: l.cfg.Transport, CheckRedirect: stay}}
	return func(ctx context.Context) error {
		outcome, err := u.fetch(ctx)
		if ctx.Err() == nil { // else nobody failed: we are stopped
			l.note(r.Name, outcome, err)
		}
		return err
	}
}

type upstream struct {
	*Library
	r      Resource
	origin string
	client *http.Client
}

// stay refuses redirects to other hosts, to which nobody meant to give the trust that the settings give to one, and
// from https to http.
func stay(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if len(before) >= 5 || next.URL.Host != first.Host || first.Scheme == "https" && next.URL.Scheme != "https" {
		return errElsewhere
	}
	return nil
}

// fetch asks once. Whatever goes wrong, what is held stays.
func (u *upstream) fetch(ctx context.Context) (Outcome, error) {
	whole, end := context.WithTimeoutCause(ctx, fetchLimit, errSlow)
	defer end()
	whole, stalled := context.WithCancelCause(whole)
	patience := time.AfterFunc(u.cfg.Patience, func() { stalled(errStalled) })
	defer stalled(nil)
	defer patience.Stop()
	held, known := u.current(u.r.Name)
	req, err := u.request(whole, known)
	if err != nil {
		return Failed, errUnclear
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return Failed, plain(whole, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return u.same(req, held, known)
	}
	return u.take(whole, resp, moving{resp.Body, func() { patience.Reset(u.cfg.Patience) }}, held)
}

// request asks for octets other than those held, which came from the same URL.
func (u *upstream) request(ctx context.Context, known title) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.r.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "holdfast")
	req.Header.Set("Accept-Encoding", "identity")
	if known.from.Origin == u.origin {
		setUnlessEmpty(req.Header, "If-None-Match", known.from.ETag)
		setUnlessEmpty(req.Header, "If-Modified-Since", known.from.LastModified)
	}
	return req, nil
}

func setUnlessEmpty(h http.Header, key, value string) {
	if value != "" {
		h.Set(key, value)
	}
}

// same is a 304; labels may have changed in the settings.
func (u *upstream) same(req *http.Request, held Entry, known title) (Outcome, error) {
	if req.Header.Get("If-None-Match") == "" && req.Header.Get("If-Modified-Since") == "" {
		return Failed, errUnasked
	}
	_, err := u.confirm(taken{Entry: u.r.labelled(held, held.ContentType), from: known.from})
	if err != nil {
		return Failed, shownDisk(err)
	}
	return Same, nil
}

// take keeps the octets of an answer.
func (u *upstream) take(ctx context.Context, resp *http.Response, body io.Reader, held Entry) (Outcome, error) {
	if err := u.acceptable(resp); err != nil {
		return Failed, err
	}
	d, err := u.shelf.write(ctx, plainReader{ctx, body}, u.cfg.MaxBytes)
	if err != nil {
		return Failed, shownDisk(err)
	}
	if resp.ContentLength >= 0 && d.size != resp.ContentLength {
		u.shelf.discard(d)
		return Failed, errCut
	}
	e := u.r.labelled(Entry{Name: u.r.Name, Size: d.size, SHA256: d.digest}, upstreamType(resp.Header))
	if err := u.publish(d, taken{Entry: e, from: u.validators(resp.Header)}); err != nil {
		return Failed, shownDisk(err)
	}
	if held.Name != "" && held.SHA256 == d.digest {
		return Same, nil
	}
	return Fresh, nil
}

// acceptable says whether an answer is one of the whole, of which one can tell whether all of it came.
func (u *upstream) acceptable(resp *http.Response) error {
	encoding := resp.Header.Get("Content-Encoding")
	switch {
	case resp.StatusCode != http.StatusOK:
		return fault(fmt.Sprintf("the upstream answers %d", resp.StatusCode))
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return errEncoded
	case resp.ContentLength > u.cfg.MaxBytes:
		return errTooLarge
	case resp.ContentLength < 0 && resp.ProtoMajor < 2 && len(resp.TransferEncoding) == 0:
		return errOpenEnd
	}
	return nil
}
