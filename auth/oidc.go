package auth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
)

// signatures are those with a public key. A shared secret (HS256) and none are
// no signatures of a provider.
var signatures = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// OIDCConfig names an identity provider. Zero values of times mean the defaults.
type OIDCConfig struct {
	// Issuer is the provider's URL, https except on this machine; below it is
	// /.well-known/openid-configuration.
	Issuer string
	// Audience must be among those of a token.
	Audience string
	Claims   Claims
	Log      logrus.FieldLogger
	// HTTPClient reaches the provider. Default: one that follows the environment's proxy.
	HTTPClient *http.Client
	// Now is time.Now unless told; for the life of tokens.
	Now func() time.Time
	// Leeway for clocks that differ. Default 30 s.
	Leeway time.Duration
	// RefreshEvery is how often keys are fetched while all is well. Default 15 min.
	RefreshEvery time.Duration
	// AtMostEvery bounds fetches because of tokens under unknown keys. Default 5 s.
	AtMostEvery time.Duration
	// FetchTimeout of discovery and keys together. Default 5 s.
	FetchTimeout time.Duration
	// WaitForKeys is how long a request waits for a fetch. Default 1 s.
	WaitForKeys time.Duration
	// Backoff is the first pause after a failed fetch; it doubles, up to a minute. Default 500 ms.
	Backoff time.Duration
	// RememberFor is how long a verified token is not verified again, unless the
	// keys change. Default 1 min.
	RememberFor time.Duration
}

func (c OIDCConfig) withDefaults() OIDCConfig {
	fill := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	fill(&c.Leeway, 30*time.Second)
	fill(&c.RefreshEvery, 15*time.Minute)
	fill(&c.AtMostEvery, 5*time.Second)
	fill(&c.FetchTimeout, 5*time.Second)
	fill(&c.WaitForKeys, time.Second)
	fill(&c.Backoff, 500*time.Millisecond)
	fill(&c.RememberFor, time.Minute)
	c.Claims = c.Claims.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{}
	}
	return c
}

// Validate says what can't be.
func (c OIDCConfig) Validate() error {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil {
		return errors.New("the issuer must be a URL without query and user")
	}
	if issuer.Scheme != "https" && (issuer.Scheme != "http" || !loopback(issuer.Hostname())) {
		return errors.New("the issuer must be an https URL, http only on this machine")
	}
	switch {
	case c.Audience == "":
		return errors.New("an audience is needed: else a token for any other service would do")
	case c.Log == nil:
		return errors.New("a log is needed")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// maxTokenBytes is longer than any token that fits into the headers we take.
const maxTokenBytes = 16 << 10

// maxVerified bounds how many verified tokens are remembered.
const maxVerified = 20_000

// OIDC authenticates tokens (JWT) of an identity provider.
//
// The provider is only needed to begin and when its keys change: discovery and keys
// are fetched in the background from the start on, and the last good ones stay
// whatever it answers later. Until there are keys, and while a token's key can't be
// looked up, the answer is 503 and not 401.
type OIDC struct {
	cfg      OIDCConfig
	keys     *keyring
	verified *recent[[sha256.Size]byte, verifiedToken]
}

// verifiedToken is a token whose signature and claims were found good.
type verifiedToken struct {
	principal            holdfast.Principal
	notBefore, notBehind time.Time
	checked              time.Time
	version              int // of the keys
}

// NewOIDC begins to fetch keys in the background; [OIDC.Close] ends that. It does
// not wait for the provider.
func NewOIDC(cfg OIDCConfig) (*OIDC, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	cfg = cfg.withDefaults()
	p := &provider{issuer: cfg.Issuer, client: bounded(cfg.HTTPClient)}
	return &OIDC{
		cfg:      cfg,
		verified: newRecent[[sha256.Size]byte, verifiedToken](maxVerified),
		keys: newKeyring(keyringConfig{
			fetch: p.fetch, refreshEvery: cfg.RefreshEvery, atMostEvery: cfg.AtMostEvery, wait: cfg.WaitForKeys,
			backoff: cfg.Backoff, timeout: cfg.FetchTimeout, report: reporter(cfg.Log),
		}),
	}, nil
}

// Close ends the fetching.
func (o *OIDC) Close() error {
	o.keys.close()
	return nil
}

// Ready says whether keys are known, for health and doctor.
func (o *OIDC) Ready() bool {
	_, version := o.keys.current("-")
	return version > 0
}

// Authenticate verifies a token, or remembers that it did.
func (o *OIDC) Authenticate(ctx context.Context, bearer string) (holdfast.Principal, error) {
	if bearer == "" {
		return holdfast.Principal{}, missing()
	}
	if len(bearer) > maxTokenBytes {
		return holdfast.Principal{}, unauthenticated(errors.New("token is too long"))
	}
	hash := sha256.Sum256([]byte(bearer))
	_, version := o.keys.current("-")
	v, ok := o.verified.get(hash)
	if !ok || v.version != version || o.cfg.Now().Sub(v.checked) >= o.cfg.RememberFor {
		var err error
		if v, err = o.verify(ctx, bearer); err != nil {
			if errors.Is(err, errNoKeys) {
				return holdfast.Principal{}, unavailable("The identity provider can't be asked about this token now.", 2*time.Second, err)
			}
			return holdfast.Principal{}, unauthenticated(err)
		}
		o.verified.put(hash, v)
	}
	if now := o.cfg.Now(); now.Before(v.notBefore) || now.After(v.notBehind) {
		return holdfast.Principal{}, unauthenticated(errors.New("token has expired or is not valid yet"))
	}
	return v.principal, nil
}

func (o *OIDC) verify(ctx context.Context, bearer string) (verifiedToken, error) {
	kid, err := keyID(bearer)
	if err != nil {
		return verifiedToken{}, err
	}
	version := o.version()
	keys, err := o.keys.find(ctx, kid)
	if err != nil {
		return verifiedToken{}, err
	}
	token, err := oidc.NewVerifier(o.cfg.Issuer, keySet(keys), &oidc.Config{
		ClientID: o.cfg.Audience, SupportedSigningAlgs: signatures,
		SkipExpiryCheck: true, // ours has the same leeway on both sides
	}).Verify(ctx, bearer)
	if err != nil {
		return verifiedToken{}, err
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return verifiedToken{}, err
	}
	v := verifiedToken{checked: o.cfg.Now(), version: version}
	if v.notBefore, v.notBehind, err = o.life(claims); err != nil {
		return verifiedToken{}, err
	}
	v.principal, err = o.cfg.Claims.principal(claims)
	return v, err
}

// version is taken before the keys are, so that keys which change in between are looked at again.
func (o *OIDC) version() int {
	_, version := o.keys.current("-")
	return version
}

// life is when a token may be used. It must say when it ends.
func (o *OIDC) life(claims map[string]json.RawMessage) (from, until time.Time, err error) {
	end, ok := numericDate(claims["exp"])
	if !ok {
		return from, until, errors.New("token has no usable exp")
	}
	if raw, given := claims["nbf"]; given {
		begin, ok := numericDate(raw)
		if !ok {
			return from, until, errors.New("token has no usable nbf")
		}
		from = begin.Add(-o.cfg.Leeway)
	}
	return from, end.Add(o.cfg.Leeway), nil
}

// keyID is the key that a token names, empty for none. The token must be of the
// compact form, with one signature of a kind that we take.
func keyID(bearer string) (string, error) {
	algs := make([]jose.SignatureAlgorithm, len(signatures))
	for i, s := range signatures {
		algs[i] = jose.SignatureAlgorithm(s)
	}
	jws, err := jose.ParseSignedCompact(bearer, algs)
	if err != nil {
		return "", err
	}
	return jws.Signatures[0].Header.KeyID, nil
}

// keySet is the keys that may have signed a token.
type keySet []jose.JSONWebKey

// VerifySignature is what [oidc.KeySet] asks for; which algorithms are taken was
// checked before.
func (s keySet) VerifySignature(_ context.Context, jwt string) ([]byte, error) {
	algs := make([]jose.SignatureAlgorithm, len(signatures))
	for i, a := range signatures {
		algs[i] = jose.SignatureAlgorithm(a)
	}
	jws, err := jose.ParseSignedCompact(jwt, algs)
	if err != nil {
		return nil, err
	}
	alg := jws.Signatures[0].Header.Algorithm
	for i := range s {
		if s[i].Algorithm != "" && s[i].Algorithm != alg {
			continue
		}
		if payload, err := jws.Verify(&s[i]); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the identity provider made this signature")
}
