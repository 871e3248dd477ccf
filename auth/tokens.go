package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// TokenStore is what [Tokens] needs of a store.
type TokenStore interface {
	// Token finds one by its id; [store.ErrNotFound] when there is none.
	Token(ctx context.Context, id string) (holdfast.Token, error)
}

// MaxTokenCache is the longest time that a token may be remembered, and with it
// the longest that a revoked one still works: 2 s.
const MaxTokenCache = 2 * time.Second

// TokensConfig says how tokens are looked up. Zero values mean the defaults.
type TokensConfig struct {
	Store TokenStore
	// Now is time.Now unless told.
	Now func() time.Time
	// CacheFor is how long an answer of the store is used, a missing token's too.
	// Default and most: [MaxTokenCache]. The store has as long to answer.
	CacheFor time.Duration
	// MaxCached bounds the memory of answers. Default 20,000.
	MaxCached int
}

// Validate says what can't be.
func (c TokensConfig) Validate() error {
	switch {
	case c.Store == nil:
		return errors.New("tokens need a store")
	case c.CacheFor < 0 || c.CacheFor > MaxTokenCache:
		return errors.New("tokens can be cached for at most 2 s: revoking one must take effect")
	case c.MaxCached < 0:
		return errors.New("the number of cached tokens must be positive")
	}
	return nil
}

// Tokens authenticates static tokens. A token that is revoked or made takes
// effect within CacheFor. While the store is down, what is cached still counts
// until then; behind that it is 503.
type Tokens struct {
	cfg     TokensConfig
	lookups singleflight.Group
	known   *recent[string, knownToken]
}

// knownToken is the store's answer as of a time; a zero ID is a missing token.
type knownToken struct {
	token holdfast.Token
	asked time.Time // when the question went out: what was true then may be over now
}

// NewTokens looks tokens up in cfg.Store.
func NewTokens(cfg TokensConfig) (*Tokens, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheFor == 0 {
		cfg.CacheFor = MaxTokenCache
	}
	if cfg.MaxCached == 0 {
		cfg.MaxCached = 20_000
	}
	return &Tokens{cfg: cfg, known: newRecent[string, knownToken](cfg.MaxCached)}, nil
}

// Authenticate answers for a bearer of the form hf_<id>_<secret>.
func (t *Tokens) Authenticate(ctx context.Context, bearer string) (holdfast.Principal, error) {
	if bearer == "" {
		return holdfast.Principal{}, missing()
	}
	id, ok := tokenID(bearer)
	if !ok {
		return holdfast.Principal{}, unauthenticated(errors.New("not of the form of a token"))
	}
	token, err := t.token(ctx, id)
	if err != nil {
		return holdfast.Principal{}, err
	}
	hash := sha256.Sum256([]byte(bearer))
	if subtle.ConstantTimeCompare(hash[:], token.Hash[:]) != 1 {
		return holdfast.Principal{}, unauthenticated(errors.New("unknown token"))
	}
	if err := t.usable(token); err != nil {
		return holdfast.Principal{}, unauthenticated(err)
	}
	return holdfast.Principal{
		Subject: token.ID, Scope: token.Scope, Device: token.Device, Shop: token.Shop, User: token.User,
	}, nil
}

func (t *Tokens) usable(token holdfast.Token) error {
	switch {
	case !token.RevokedAt.IsZero():
		return errors.New("token is revoked")
	case !token.ExpiresAt.IsZero() && !t.cfg.Now().Before(token.ExpiresAt):
		return errors.New("token has expired")
	}
	return nil
}

// token is the store's answer, remembered or asked for. Those who ask for the
// same token at once share one question.
func (t *Tokens) token(ctx context.Context, id string) (holdfast.Token, error) {
	if token, ok := t.cached(id); ok {
		return token, nil
	}
	shared := t.lookups.DoChan(id, func() (any, error) { return t.ask(context.WithoutCancel(ctx), id) })
	select {
	case answer := <-shared:
		if answer.Err != nil {
			return holdfast.Token{}, answer.Err
		}
		return answer.Val.(holdfast.Token), nil
	case <-ctx.Done():
		return holdfast.Token{}, unavailable("The tokens can't be read now.", time.Second, ctx.Err())
	}
}

// ask has CacheFor to find out: an answer that took longer says nothing of now.
func (t *Tokens) ask(ctx context.Context, id string) (holdfast.Token, error) {
	if token, ok := t.cached(id); ok { // somebody asked in between
		return token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.CacheFor)
	defer cancel()
	asked := t.cfg.Now()
	token, err := t.cfg.Store.Token(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		token, err = holdfast.Token{}, nil
	}
	if err != nil {
		return holdfast.Token{}, unavailable("The tokens can't be read now.", time.Second, err)
	}
	// The key must not keep the bearer's text alive.
	t.known.put(strings.Clone(id), knownToken{token: token, asked: asked})
	return token, nil
}

func (t *Tokens) cached(id string) (holdfast.Token, bool) {
	known, ok := t.known.get(id)
	if !ok || t.cfg.Now().Sub(known.asked) >= t.cfg.CacheFor {
		return holdfast.Token{}, false
	}
	return known.token, true
}
