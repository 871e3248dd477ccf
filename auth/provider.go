package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/sirupsen/logrus"
)

const (
	maxAnswerBytes = 1 << 20 // of the provider, after content decoding
	maxKeys        = 100
)

// provider asks an identity provider for its keys. Not safe for concurrent use.
type provider struct {
	issuer  string
	client  *http.Client
	jwksURL string // empty: discovery comes first
}

// fetch is the provider's usable keys, at least one.
func (p *provider) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	if p.jwksURL == "" {
		found, err := p.discover(ctx)
		if err != nil {
			return nil, err
		}
		p.jwksURL = found
	}
	keys, err := p.fetchKeys(ctx)
	if err != nil {
		p.jwksURL = "" // perhaps it moved
	}
	return keys, err
}

// discover is the address of the keys. The provider must name itself as we do.
func (p *provider) discover(ctx context.Context) (string, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.issuer)
	if err != nil {
		return "", err
	}
	var document struct {
		JWKSURL string `json:"jwks_uri"`
	}
	if err := found.Claims(&document); err != nil {
		return "", err
	}
	if strings.HasPrefix(p.issuer, "https:") && !strings.HasPrefix(document.JWKSURL, "https:") {
		return "", errors.New("the provider's jwks_uri is no https URL")
	}
	if document.JWKSURL == "" {
		return "", errors.New("the provider names no jwks_uri")
	}
	return document.JWKSURL, nil
}

func (p *provider) fetchKeys(ctx context.Context) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.jwksURL, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Cache-Control", "no-cache")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("keys were answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// parseKeys is the public keys for signatures in a JWK set (RFC 7517). Others, and
// kinds that are not understood, are left out.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("keys are no JSON: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys are too many", len(set.Keys))
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no usable key")
	}
	return keys, nil
}

// bounded is the client with the size of answers bounded.
func bounded(client *http.Client) *http.Client {
	c := *client
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	c.Transport = boundedTransport{c.Transport}
	return &c
}

type boundedTransport struct{ http.RoundTripper }

// RoundTrip makes an answer that is too long end in an error.
func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswerBytes)
	}
	return resp, err
}

// reporter logs when the provider stops and begins to be of use. Called from one goroutine.
func reporter(log logrus.FieldLogger) func(error) {
	failing := false
	return func(err error) {
		switch {
		case err != nil && !failing:
			log.WithField("reason", shown(err)).Warn("the identity provider gives no keys; the last good ones stay")
		case err == nil && failing:
			log.Warn("the identity provider gives keys again")
		}
		failing = err != nil
	}
}

// shown is an error for the log: what a provider answers may be long, and not text.
func shown(err error) string {
	text := err.Error()
	return strings.Trim(strconv.QuoteToASCII(text[:min(len(text), 200)]), `"`)
}
