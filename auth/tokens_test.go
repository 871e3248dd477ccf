package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// tokenStore is a store in memory that counts, and fails or hangs when told.
type tokenStore struct {
	mu     sync.Mutex
	tokens map[string]holdfast.Token
	fail   error
	hang   bool
	asked  atomic.Int64
}

func (s *tokenStore) Token(ctx context.Context, id string) (holdfast.Token, error) {
	s.asked.Add(1)
	s.mu.Lock()
	fail, hang := s.fail, s.hang
	token, ok := s.tokens[id]
	s.mu.Unlock()
	switch {
	case hang:
		<-ctx.Done()
		return holdfast.Token{}, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	case fail != nil:
		return holdfast.Token{}, fail
	case !ok:
		return holdfast.Token{}, store.ErrNotFound
	}
	return token, nil
}

func (s *tokenStore) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

type tokenTest struct {
	*testing.T
	store  *tokenStore
	clock  *clock
	tokens *Tokens
}

func newTokenTest(t *testing.T) *tokenTest {
	s, c := &tokenStore{tokens: map[string]holdfast.Token{}}, newClock()
	tokens, err := NewTokens(TokensConfig{Store: s, Now: c.now, MaxCached: 100})
	if err != nil {
		t.Fatal(err)
	}
	return &tokenTest{t, s, c, tokens}
}

func (t *tokenTest) create(token holdfast.Token) string {
	t.Helper()
	secret, made, err := NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token.ID, token.Hash = made.ID, made.Hash
	t.store.set(func() { t.store.tokens[token.ID] = token })
	return secret
}

func (t *tokenTest) want(bearer string, code holdfast.Code) holdfast.Principal {
	t.Helper()
	p, err := t.tokens.Authenticate(context.Background(), bearer)
	wantCode(t.T, err, code)
	return p
}

func wantCode(t *testing.T, err error, code holdfast.Code) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Fatalf("got %v, want no error", err)
		}
		return
	}
	var e *holdfast.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	if code == holdfast.CodeBackendUnavailable && e.RetryAfter < time.Second {
		t.Fatalf("Retry-After of %v", e.RetryAfter)
	}
}

func TestTokenSpeaksForWhatItWasMadeFor(t *testing.T) {
	tt := newTokenTest(t)
	secret := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice, Device: "d1", Shop: "s1", User: "u1", Name: "till"})
	got := tt.want(secret, "")
	want := holdfast.Principal{Subject: secret[3:13], Scope: holdfast.ScopeDevice, Device: "d1", Shop: "s1", User: "u1"}
	if got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestTokenThatIsNoGoodIsUnauthenticated(t *testing.T) {
	tt := newTokenTest(t)
	good := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice})
	other := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice})
	tt.want("", holdfast.CodeUnauthenticated)
	tt.want("garbage", holdfast.CodeUnauthenticated)
	tt.want(good[:14]+other[14:], holdfast.CodeUnauthenticated) // another token's secret
	tt.want("hf_aaaaaaaaaa"+good[13:], holdfast.CodeUnauthenticated)
	tt.want(good, "")
}

func TestTokenExpiresToTheInstant(t *testing.T) {
	tt := newTokenTest(t)
	secret := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice, ExpiresAt: tt.clock.now().Add(time.Second)})
	tt.clock.advance(time.Second - 1)
	tt.want(secret, "")
	tt.clock.advance(1)
	tt.want(secret, holdfast.CodeUnauthenticated) // although it is cached
}

func TestRevokedTokenStopsWithinTwoSeconds(t *testing.T) {
	tt := newTokenTest(t)
	secret := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice})
	tt.want(secret, "")
	tt.store.set(func() {
		token := tt.store.tokens[secret[3:13]]
		token.RevokedAt = tt.clock.now()
		tt.store.tokens[token.ID] = token
	})
	tt.clock.advance(MaxTokenCache - 1)
	tt.want(secret, "")
	tt.clock.advance(1)
	tt.want(secret, holdfast.CodeUnauthenticated)
}

func TestStoreThatIsDownCostsOnlyWhatIsNotCached(t *testing.T) {
	tt := newTokenTest(t)
	cached, fresh := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice}), tt.create(holdfast.Token{Scope: holdfast.ScopeDevice})
	tt.want(cached, "")
	tt.store.set(func() { tt.store.fail = store.ErrUnavailable })
	tt.want(cached, "")
	tt.want(fresh, holdfast.CodeBackendUnavailable)
	tt.clock.advance(MaxTokenCache)
	tt.want(cached, holdfast.CodeBackendUnavailable)
	tt.store.set(func() { tt.store.fail = nil })
	tt.want(cached, "") // a failure is not remembered
	tt.want(fresh, "")
}

func TestStoreThatHangsIsGivenUp(t *testing.T) {
	s := &tokenStore{hang: true}
	tokens, err := NewTokens(TokensConfig{Store: s, CacheFor: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	secret, _, _ := NewToken(rand.Reader)
	began := time.Now()
	_, err = tokens.Authenticate(context.Background(), secret)
	wantCode(t, err, holdfast.CodeBackendUnavailable)
	if waited := time.Since(began); waited > 5*time.Second {
		t.Fatalf("waited %v", waited)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = tokens.Authenticate(ctx, secret)
	wantCode(t, err, holdfast.CodeBackendUnavailable)
}

func TestUnknownTokenIsAskedForOnceInAWhile(t *testing.T) {
	tt := newTokenTest(t)
	secret, _, _ := NewToken(rand.Reader)
	for range 50 {
		tt.want(secret, holdfast.CodeUnauthenticated)
	}
	if n := tt.store.asked.Load(); n != 1 {
		t.Fatalf("the store was asked %d times, want once", n)
	}
}

func TestTokenMadeLaterWorksWithinTwoSeconds(t *testing.T) {
	tt := newTokenTest(t)
	secret := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice})
	token := tt.store.tokens[secret[3:13]]
	delete(tt.store.tokens, token.ID)
	tt.want(secret, holdfast.CodeUnauthenticated)
	tt.store.set(func() { tt.store.tokens[token.ID] = token })
	tt.clock.advance(MaxTokenCache)
	tt.want(secret, "")
}

func TestGarbageDoesNotFillTheMemory(t *testing.T) {
	tt := newTokenTest(t)
	for range 1000 {
		secret, _, _ := NewToken(rand.Reader)
		tt.want(secret, holdfast.CodeUnauthenticated)
	}
	if n := tt.tokens.known.len(); n > 100 {
		t.Fatalf("%d answers are remembered, want at most 100", n)
	}
}

func TestManyAtOnceShareAQuestion(t *testing.T) {
	tt := newTokenTest(t)
	secret := tt.create(holdfast.Token{Scope: holdfast.ScopeDevice})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := tt.tokens.Authenticate(context.Background(), secret); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := tt.store.asked.Load(); n != 1 {
		t.Fatalf("the store was asked %d times, want once", n)
	}
}

func TestTokensConfigThatCannotBe(t *testing.T) {
	for name, cfg := range map[string]TokensConfig{
		"no store": {}, "cached too long": {Store: &tokenStore{}, CacheFor: MaxTokenCache + 1},
		"negative time": {Store: &tokenStore{}, CacheFor: -1}, "negative number": {Store: &tokenStore{}, MaxCached: -1},
	} {
		if _, err := NewTokens(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestOpenAsksNobody(t *testing.T) {
	p, err := Open{}.Authenticate(context.Background(), "anything")
	if err != nil || !p.Anonymous || !p.May(holdfast.ScopeAdmin) {
		t.Fatalf("got %+v, %v", p, err)
	}
}
