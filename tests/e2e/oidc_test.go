package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

// provider is an identity provider of the test's own.
type provider struct {
	*httptest.Server
	key  atomic.Pointer[jose.JSONWebKey]
	mode atomic.Value // "", "garbage"
}

func newProvider(t *testing.T) *provider {
	p := &provider{}
	p.mode.Store("")
	p.rotate(t, "k1")
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.mode.Load() == "garbage" {
			fmt.Fprint(w, "<html>the captive portal of an airport</html>")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Load().Public()}})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/a", "token_endpoint": p.URL + "/t",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) rotate(t *testing.T, id string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.key.Store(&jose.JSONWebKey{Key: key, KeyID: id, Algorithm: "RS256", Use: "sig"})
}

func (p *provider) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": p.URL, "aud": "holdfast", "sub": "u1", "exp": time.Now().Add(time.Hour).Unix(), "scope": "openid holdfast:device"}
	for name, value := range claims {
		all[name] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: *p.key.Load()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(all)
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + compact
}

func TestOIDC(t *testing.T) {
	p := newProvider(t)
	n := harness.Start(t, harness.Options{
		Env:    map[string]string{"HOLDFAST_AUTH": "oidc"},
		Config: "auth:\n  oidc:\n    issuer: " + p.URL + "\n    audience: holdfast\n",
	})
	s := harness.NewStream(1)
	at := int64(0)
	send := func(token string) harness.Answer {
		t.Helper()
		return s.Send(n, harness.ID(1, int(at+1)), at+1, at+1, "Authorization", token)
	}
	good := func(token string) {
		t.Helper()
		harness.Eventually(t, 15*time.Second, func() error {
			if a := send(token); a.Status != 201 {
				return fmt.Errorf("%d %s", a.Status, a.Body)
			}
			return nil
		})
		at++
	}
	good(p.token(t, nil))
	for name, claims := range map[string]map[string]any{
		"audience": {"aud": "other"}, "expired": {"exp": time.Now().Add(-time.Hour).Unix()}, "issuer": {"iss": "http://else"}, "not yet": {"nbf": time.Now().Add(time.Hour).Unix()},
	} {
		if a := send(p.token(t, claims)); a.Status != 401 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := send(p.token(t, map[string]any{"scope": "openid"})); a.Status != 403 {
		t.Errorf("no scope: %d", a.Status)
	}
	if a := send(p.token(t, map[string]any{"scope": "holdfast:operator"})); a.Status != 403 {
		t.Errorf("another scope: %d", a.Status)
	}
	p.rotate(t, "k2")
	good(p.token(t, nil))
	p.mode.Store("garbage")
	good(p.token(t, map[string]any{"jti": "while it answers garbage"}))
	p.Close()
	good(p.token(t, map[string]any{"jti": "while it is down"}))
	if a := n.Must("GET", s.Path(""), nil, "Authorization", p.token(t, nil)); a.Status != 200 || a.Number("Holdfast-Accepted-Through") != at {
		t.Errorf("%d %s", a.Status, a.Body)
	}

	// A gateway that never reached its provider can't tell: 503, not 401.
	cut := harness.Start(t, harness.Options{
		Env:    map[string]string{"HOLDFAST_AUTH": "oidc"},
		Config: "auth:\n  oidc:\n    issuer: " + p.URL + "\n    audience: holdfast\n",
	})
	check(t, s.Send(cut, harness.ID(1, 1), 1, 1, "Authorization", p.token(t, nil)), want{503, "backend-unavailable", true, nil, false})
	check(t, s.Send(cut, harness.ID(1, 1), 1, 1), want{401, "unauthenticated", false, nil, false})
}
