package auth

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// errNoKeys says that the provider's keys are not known, or not known well
// enough to tell a bad token from one under a new key.
var errNoKeys = errors.New("the identity provider's keys are not known")

// errUnknownKey says that the provider has no such key.
var errUnknownKey = errors.New("signed by a key that the identity provider does not have")

// keyringConfig says when keys are fetched.
type keyringConfig struct {
	fetch        func(ctx context.Context) ([]jose.JSONWebKey, error)
	refreshEvery time.Duration // while all is well
	atMostEvery  time.Duration // because of an unknown key
	wait         time.Duration // of a request for that
	backoff      time.Duration // the first, growing to refreshEvery at most
	timeout      time.Duration // of one fetch
	report       func(err error)
}

// keyring holds the provider's keys as they were last fetched. One goroutine
// fetches: at the start, again and again, and when somebody shows an unknown
// key, but for that not more often than atMostEvery. What a failed fetch
// brings is nothing: the last good keys stay.
type keyring struct {
	cfg    keyringConfig
	cancel context.CancelFunc
	done   chan struct{}
	demand chan struct{} // holds one

	mu       sync.Mutex
	keys     []jose.JSONWebKey // nil until the first fetch that worked
	version  int               // grows with each fetch that worked
	failed   bool              // the last fetch
	fetching bool
	began    time.Time     // of the last fetch
	round    chan struct{} // closed when the next fetch ends
}

func newKeyring(cfg keyringConfig) *keyring {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keyring{
		cfg: cfg, cancel: cancel, done: make(chan struct{}), demand: make(chan struct{}, 1),
		round: make(chan struct{}), fetching: true, began: time.Now(),
	}
	go k.run(ctx)
	return k
}

func (k *keyring) close() {
	k.cancel()
	<-k.done
}

func (k *keyring) run(ctx context.Context) {
	defer close(k.done)
	wait := k.cfg.backoff
	for {
		if k.fetch(ctx) {
			wait = k.cfg.backoff
			k.pause(ctx, k.cfg.refreshEvery)
		} else {
			k.pause(ctx, wait/2+rand.N(wait/2+1)) //nolint:gosec // spread over nodes that failed together; no secret
			wait = min(2*wait, k.cfg.refreshEvery)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (k *keyring) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.demand:
	case <-ctx.Done():
	}
}

func (k *keyring) fetch(ctx context.Context) bool {
	k.mu.Lock()
	k.fetching, k.began = true, time.Now()
	k.mu.Unlock()
	timed, cancel := context.WithTimeout(ctx, k.cfg.timeout)
	keys, err := k.cfg.fetch(timed)
	cancel()
	if ctx.Err() == nil {
		k.cfg.report(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fetching, k.failed = false, err != nil
	if err == nil {
		k.keys = keys
		k.version++
	}
	close(k.round)
	k.round = make(chan struct{})
	return err == nil
}

// current is the keys that may have signed under kid, all for an empty kid, and
// the version of the ring.
func (k *keyring) current(kid string) ([]jose.JSONWebKey, int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kid == "" {
		return k.keys, k.version
	}
	var found []jose.JSONWebKey
	for i := range k.keys {
		if k.keys[i].KeyID == kid {
			found = append(found, k.keys[i])
		}
	}
	return found, k.version
}

// find is current, after a look at the provider when there is no such key.
// [errNoKeys] when the provider can't be asked, [errUnknownKey] when it has none.
func (k *keyring) find(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	keys, _ := k.current(kid)
	if len(keys) > 0 {
		return keys, nil
	}
	k.refresh(ctx)
	keys, version := k.current(kid)
	k.mu.Lock()
	certain := version > 0 && !k.failed && !k.fetching
	k.mu.Unlock()
	switch {
	case len(keys) > 0:
		return keys, nil
	case certain:
		return nil, errUnknownKey
	}
	return nil, errNoKeys
}

// refresh waits for a fetch that runs, or asks for one unless the last was just now.
func (k *keyring) refresh(ctx context.Context) {
	k.mu.Lock()
	if !k.fetching && time.Since(k.began) < k.cfg.atMostEvery {
		k.mu.Unlock()
		return
	}
	round, fetching := k.round, k.fetching
	k.mu.Unlock()
	if !fetching {
		select {
		case k.demand <- struct{}{}:
		default:
		}
	}
	timer := time.NewTimer(k.cfg.wait)
	defer timer.Stop()
	select {
	case <-round:
	case <-timer.C:
	case <-ctx.Done():
	}
}
