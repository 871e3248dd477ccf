package auth

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/holdfast-sync/holdfast"
)

type oidcTest struct {
	*testing.T
	provider *fakeProvider
	clock    *clock
	oidc     *OIDC
	log      *logtest.Hook
}

// newOIDCTest talks to p, with times short enough for a test.
func newOIDCTest(t *testing.T, p *fakeProvider, change func(*OIDCConfig)) *oidcTest {
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	c := newClock()
	cfg := OIDCConfig{
		Issuer: p.server.URL, Audience: "holdfast", Log: log, Now: c.now,
		RefreshEvery: time.Hour, AtMostEvery: time.Nanosecond, FetchTimeout: 200 * time.Millisecond,
		WaitForKeys: 2 * time.Second, Backoff: 5 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	o, err := NewOIDC(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return &oidcTest{t, p, c, o, hook}
}

// claims are good ones, with changes; a nil value takes a claim away.
func (t *oidcTest) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": t.provider.server.URL, "aud": "holdfast", "sub": "till-7", "scope": "openid holdfast:device",
		"exp": t.clock.now().Add(time.Hour).Unix(), "device_id": "d1", "store_id": "s1",
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (t *oidcTest) want(token string, code holdfast.Code) holdfast.Principal {
	t.Helper()
	p, err := t.oidc.Authenticate(context.Background(), token)
	wantCode(t.T, err, code)
	return p
}

func TestOIDCTokenSpeaksForItsClaims(t *testing.T) {
	for name, s := range map[string]*signer{"RS256": newRSA(t, "k", 0), "ES256": newEC(t, "k"), "no kid": newEC(t, "")} {
		tt := newOIDCTest(t, newFakeProvider(t, s), nil)
		got := tt.want(s.sign(tt.claims(map[string]any{"user_id": "u1", "aud": []string{"other", "holdfast"}})), "")
		want := holdfast.Principal{Subject: "till-7", Scope: holdfast.ScopeDevice, Device: "d1", Shop: "s1", User: "u1"}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestOIDCClaimNamesCanBeChosen(t *testing.T) {
	s := newEC(t, "k")
	tt := newOIDCTest(t, newFakeProvider(t, s), func(c *OIDCConfig) {
		c.Claims = Claims{Device: "azp", Shop: "shop", User: "sub", Scope: "roles", ScopePrefix: "-"}
	})
	got := tt.want(s.sign(tt.claims(map[string]any{"azp": "dev", "shop": "sh", "roles": []string{"operator"}})), "")
	want := holdfast.Principal{Subject: "till-7", Scope: holdfast.ScopeOperator, Device: "dev", Shop: "sh", User: "till-7"}
	if got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestOIDCTokenThatIsNoGoodIsUnauthenticated(t *testing.T) {
	s, stranger := newRSA(t, "k", 0), newRSA(t, "k", 1)
	tt := newOIDCTest(t, newFakeProvider(t, s), nil)
	good := s.sign(tt.claims(nil))
	tt.want(good, "")
	now := tt.clock.now()
	for name, token := range map[string]string{
		"none":                "",
		"garbage":             "garbage",
		"three dots":          "a.b.c",
		"another's signature": stranger.sign(tt.claims(nil)),
		"cut":                 good[:len(good)-4],
		"too long":            strings.Repeat("x", maxTokenBytes+1),
		"another payload": strings.Join([]string{
			strings.Split(good, ".")[0],
			base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"admin"}`)), strings.Split(good, ".")[2],
		}, "."),
		"alg none":            base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good, ".")[1] + ".",
		"HS256 with a secret": signWith(t, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))}, "k", tt.claims(nil)),
		"HS256 with the public key": signWith(t, jose.SigningKey{
			Algorithm: jose.HS256, Key: mustJSON(t, s.public),
		}, "k", tt.claims(nil)),
		"wrong audience":    s.sign(tt.claims(map[string]any{"aud": "other"})),
		"no audience":       s.sign(tt.claims(map[string]any{"aud": nil})),
		"wrong issuer":      s.sign(tt.claims(map[string]any{"iss": "https://evil.example"})),
		"no issuer":         s.sign(tt.claims(map[string]any{"iss": nil})),
		"expired":           s.sign(tt.claims(map[string]any{"exp": now.Add(-31 * time.Second).Unix()})),
		"no expiry":         s.sign(tt.claims(map[string]any{"exp": nil})),
		"expiry is no time": s.sign(tt.claims(map[string]any{"exp": -5})),
		"not yet":           s.sign(tt.claims(map[string]any{"nbf": now.Add(31 * time.Second).Unix()})),
		"nbf is no time":    s.sign(tt.claims(map[string]any{"nbf": -5})),
		"no subject":        s.sign(tt.claims(map[string]any{"sub": nil})),
		"device is no name": s.sign(tt.claims(map[string]any{"device_id": "d\x00"})),
	} {
		if p, err := tt.oidc.Authenticate(context.Background(), token); holdfast.CodeOf(err) != holdfast.CodeUnauthenticated {
			t.Errorf("%s: got %+v, %v, want unauthenticated", name, p, err)
		}
	}
}

func mustJSON(t *testing.T, key jose.JSONWebKey) []byte {
	b, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOIDCLeewayIsSmall(t *testing.T) {
	s := newEC(t, "k")
	tt := newOIDCTest(t, newFakeProvider(t, s), nil)
	now := tt.clock.now()
	tt.want(s.sign(tt.claims(map[string]any{"exp": now.Add(-29 * time.Second).Unix(), "nbf": now.Add(29 * time.Second).Unix()})), "")
	token := s.sign(tt.claims(map[string]any{"exp": now.Add(10 * time.Second).Unix()}))
	tt.want(token, "")
	tt.clock.advance(41 * time.Second)
	tt.want(token, holdfast.CodeUnauthenticated) // although it is remembered
}

func TestOIDCTokenWithoutOurScopeMayDoNothing(t *testing.T) {
	s := newEC(t, "k")
	tt := newOIDCTest(t, newFakeProvider(t, s), nil)
	p := tt.want(s.sign(tt.claims(map[string]any{"scope": "openid admin"})), "")
	if p.May(holdfast.ScopeDevice, holdfast.ScopeOperator, holdfast.ScopeAuditor, holdfast.ScopeAdmin) {
		t.Fatalf("%+v may do something", p)
	}
}

func TestOIDCRotatedKeysArePickedUp(t *testing.T) {
	first, second := newRSA(t, "k1", 0), newRSA(t, "k2", 1)
	p := newFakeProvider(t, first)
	tt := newOIDCTest(t, p, nil)
	old := first.sign(tt.claims(nil))
	tt.want(old, "")
	p.publish(second)
	tt.want(second.sign(tt.claims(nil)), "")
	tt.want(old, holdfast.CodeUnauthenticated) // although it is remembered: its key is gone
}

func TestOIDCProviderThatIsDownAtTheStartIsWaitedFor(t *testing.T) {
	s := newEC(t, "k")
	p := newFakeProvider(t, s)
	p.behave(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	tt := newOIDCTest(t, p, nil)
	token := s.sign(tt.claims(nil))
	tt.want(token, holdfast.CodeBackendUnavailable)
	tt.want("", holdfast.CodeUnauthenticated)        // no need for keys
	tt.want("garbage", holdfast.CodeUnauthenticated) // nor here
	if tt.oidc.Ready() {
		t.Fatal("it is ready without keys")
	}
	p.behave(nil)
	eventually(t, "keys are known", tt.oidc.Ready)
	tt.want(token, "")
	if n := warnings(tt.log); n != 2 {
		t.Errorf("%d warnings, want one when it stops and one when it begins: %v", n, lines(tt.log))
	}
}

func TestOIDCGarbageFromTheProviderLeavesTheLastGoodKeys(t *testing.T) {
	s, next := newEC(t, "k"), newEC(t, "next")
	p := newFakeProvider(t, s)
	for name, answer := range misbehaviours(p) {
		t.Run(name, func(t *testing.T) {
			p.behave(nil)
			p.publish(s)
			tt := newOIDCTest(t, p, nil)
			tt.want(s.sign(tt.claims(nil)), "")
			p.behave(answer)
			unknown := next.sign(tt.claims(nil))
			tt.want(unknown, holdfast.CodeBackendUnavailable) // can't be told now
			tt.want(s.sign(tt.claims(map[string]any{"jti": "2"})), "")
			p.behave(nil)
			p.publish(s, next)
			eventually(t, "the new key is known", func() bool {
				_, err := tt.oidc.Authenticate(context.Background(), unknown)
				return err == nil
			})
			for _, line := range lines(tt.log) {
				if len(line) > 500 || strings.Contains(line, "\x00") || strings.Contains(line, "\xff") {
					t.Errorf("the log got %q", line)
				}
			}
		})
	}
}

func TestOIDCGarbageTokensDoNotReachTheProvider(t *testing.T) {
	s, stranger := newEC(t, "k"), newEC(t, "unknown")
	p := newFakeProvider(t, s)
	tt := newOIDCTest(t, p, func(c *OIDCConfig) { c.AtMostEvery = time.Hour })
	tt.want(s.sign(tt.claims(nil)), "")
	before := p.fetches.Load()
	var wg sync.WaitGroup
	for range 50 {
		token := stranger.sign(tt.claims(nil))
		wg.Go(func() {
			if _, err := tt.oidc.Authenticate(context.Background(), token); holdfast.CodeOf(err) != holdfast.CodeUnauthenticated {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n := p.fetches.Load() - before; n != 0 {
		t.Fatalf("%d fetches, want none so soon after the last", n)
	}
}

func TestOIDCManyUnknownKeysAtOnceCostOneFetch(t *testing.T) {
	s, stranger := newEC(t, "k"), newEC(t, "unknown")
	p := newFakeProvider(t, s)
	tt := newOIDCTest(t, p, func(c *OIDCConfig) { c.AtMostEvery = 500 * time.Millisecond })
	tt.want(s.sign(tt.claims(nil)), "")
	eventually(t, "a fetch is allowed again", func() bool {
		tt.oidc.keys.mu.Lock()
		defer tt.oidc.keys.mu.Unlock()
		return time.Since(tt.oidc.keys.began) >= 500*time.Millisecond
	})
	before := p.fetches.Load()
	var wg sync.WaitGroup
	for range 50 {
		token := stranger.sign(tt.claims(nil))
		wg.Go(func() { _, _ = tt.oidc.Authenticate(context.Background(), token) })
	}
	wg.Wait()
	if n := p.fetches.Load() - before; n < 1 || n > 2 {
		t.Fatalf("%d fetches for 50 garbage tokens, want 1", n)
	}
}

func TestOIDCRemembersVerifiedTokens(t *testing.T) {
	s := newRSA(t, "k", 0)
	tt := newOIDCTest(t, newFakeProvider(t, s), nil)
	token := s.sign(tt.claims(nil))
	first := tt.want(token, "")
	if second := tt.want(token, ""); second != first {
		t.Fatalf("got %+v, then %+v", first, second)
	}
	if tt.oidc.verified.len() != 1 {
		t.Fatal("the token is not remembered")
	}
	tt.clock.advance(2 * time.Minute)
	tt.want(token, "")
}

func TestOIDCWaitsNoLongerThanTheRequest(t *testing.T) {
	s := newEC(t, "k")
	p := newFakeProvider(t, s)
	p.behave(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	tt := newOIDCTest(t, p, func(c *OIDCConfig) { c.FetchTimeout, c.WaitForKeys = time.Hour, time.Hour })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := tt.oidc.Authenticate(ctx, s.sign(tt.claims(nil)))
	wantCode(t, err, holdfast.CodeBackendUnavailable)
}

func TestOIDCConfigThatCannotBe(t *testing.T) {
	log, _ := logtest.NewNullLogger()
	for name, cfg := range map[string]OIDCConfig{
		"no issuer":    {Audience: "a", Log: log},
		"plain http":   {Issuer: "http://id.example", Audience: "a", Log: log},
		"other scheme": {Issuer: "ftp://127.0.0.1", Audience: "a", Log: log},
		"query":        {Issuer: "https://id.example/?x=1", Audience: "a", Log: log},
		"user":         {Issuer: "https://u:p@id.example/", Audience: "a", Log: log},
		"no audience":  {Issuer: "https://id.example", Log: log},
		"no log":       {Issuer: "https://id.example", Audience: "a"},
	} {
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, issuer := range []string{"https://id.example/realms/x", "http://localhost:8080", "http://[::1]:80"} {
		if err := (OIDCConfig{Issuer: issuer, Audience: "a", Log: log}).Validate(); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

func TestParseKeysTakesWhatItUnderstands(t *testing.T) {
	good, err := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{newEC(t, "k").public}}, error(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := string(mustJSON(t, good.Keys[0]))
	keys, err := parseKeys([]byte(`{"keys":[{"kty":"OKP","crv":"Ed448","x":"AA"},{"kty":"oct","k":"c2VjcmV0"},17,` +
		strings.Replace(key, `"use":"sig"`, `"use":"enc"`, 1) + `,` + key + `]}`))
	if err != nil || len(keys) != 1 || keys[0].KeyID != "k" {
		t.Fatalf("got %v, %v", keys, err)
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"keys":null}`, `{"keys":{}}`, `{"keys":[` + strings.Repeat(key+",", maxKeys) + key + `]}`} {
		if keys, err := parseKeys([]byte(bad)); err == nil {
			t.Errorf("%.40s gives %d keys", bad, len(keys))
		}
	}
}

func FuzzOIDCToken(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if kid, err := keyID(token); err == nil && len(kid) > len(token) {
			t.Fatalf("%q names the key %q", token, kid)
		}
	})
}

func warnings(h *logtest.Hook) (n int) {
	for _, e := range h.AllEntries() {
		if e.Level == logrus.WarnLevel {
			n++
		}
	}
	return n
}

func lines(h *logtest.Hook) []string {
	var all []string
	for _, e := range h.AllEntries() {
		line, _ := e.String()
		all = append(all, line)
	}
	return all
}
