package auth

import (
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fakeProvider is an identity provider on this machine.
type fakeProvider struct {
	t         *testing.T
	server    *httptest.Server
	discovery atomic.Int64
	fetches   atomic.Int64

	mu   sync.Mutex
	keys []jose.JSONWebKey
	// answer takes the place of the good answers; nil for those.
	answer http.HandlerFunc
}

func newFakeProvider(t *testing.T, keys ...*signer) *fakeProvider {
	p := &fakeProvider{t: t}
	p.publish(keys...)
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	return p
}

func (p *fakeProvider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	keys, answer := p.keys, p.answer
	p.mu.Unlock()
	if r.URL.Path == "/keys" {
		p.fetches.Add(1)
	} else {
		p.discovery.Add(1)
	}
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: keys})
	case r.URL.Path == "/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["RS256","HS256","none"]}`, p.server.URL, p.server.URL+"/keys")
	default:
		http.NotFound(w, r)
	}
}

func (p *fakeProvider) publish(keys ...*signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = nil
	for _, k := range keys {
		p.keys = append(p.keys, k.public)
	}
}

func (p *fakeProvider) behave(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// misbehaviours are the ways in which a provider answers without being of use.
func misbehaviours(p *fakeProvider) map[string]http.HandlerFunc {
	write := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	return map[string]http.HandlerFunc{
		"HTML":         write("<!doctype html><title>Maintenance</title>"),
		"empty object": write("{}"),
		"no keys":      write(`{"issuer":"` + p.server.URL + `","jwks_uri":"` + p.server.URL + `/keys","keys":[]}`),
		"wrong issuer": write(`{"issuer":"https://evil.example","jwks_uri":"` + p.server.URL + `/keys"}`),
		"error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "\x00\xff<b>broken", http.StatusBadGateway)
		},
		"breaks off":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirects for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"slow":               func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		},
		"bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, strings.Repeat("[", 8<<20))
			_ = z.Close()
		},
	}
}

// signer signs tokens as a provider would.
type signer struct {
	t      *testing.T
	key    crypto.Signer
	public jose.JSONWebKey
	alg    jose.SignatureAlgorithm
}

var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey { // slow to make
	keys := make([]*rsa.PrivateKey, 2)
	for i := range keys {
		keys[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return keys
})

func newRSA(t *testing.T, kid string, n int) *signer {
	key := rsaKeys()[n]
	return &signer{t, key, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"}, jose.RS256}
}

func newEC(t *testing.T, kid string) *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t, key, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"}, jose.ES256}
}

func (s *signer) sign(claims map[string]any) string {
	s.t.Helper()
	return signWith(s.t, jose.SigningKey{Algorithm: s.alg, Key: s.key}, s.public.KeyID, claims)
}

func signWith(t *testing.T, key jose.SigningKey, kid string, claims map[string]any) string {
	t.Helper()
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(key, opts)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}
