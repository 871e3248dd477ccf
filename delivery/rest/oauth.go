package rest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// oauthTokens gets tokens and keeps each as long as it lives.
type oauthTokens struct {
	cfg    OAuth2
	client *http.Client
	mu     sync.Mutex // one asks, the others wait for its answer
	kept   *oauth2.Token
}

// early is how long before its end a token is not used any more.
const early = 30 * time.Second

func (o *oauthTokens) token(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.kept != nil && (o.kept.Expiry.IsZero() || time.Until(o.kept.Expiry) > early) {
		return o.kept.AccessToken, nil
	}
	text, err := secret(o.cfg.SecretFile)
	if err != nil {
		return "", err
	}
	source := clientcredentials.Config{ClientID: o.cfg.ClientID, ClientSecret: text, TokenURL: o.cfg.TokenURL, Scopes: o.cfg.Scopes}
	t, err := source.Token(context.WithValue(ctx, oauth2.HTTPClient, o.client))
	if err != nil {
		return "", errors.New("the token endpoint gave none") // its answer may hold anything
	}
	o.kept = t
	return t.AccessToken, nil
}

// drop forgets a token that was refused.
func (o *oauthTokens) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = nil
}
