package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// oauthTokens gets tokens and keeps each as long as it lives.
type oauthTokens struct {
	cfg    OAuth2
	client *http.Client
	turn   chan struct{} // one asks, the others wait for its answer, but no longer than they may
	kept   *oauth2.Token
}

func newTokens(cfg OAuth2, client *http.Client) *oauthTokens {
	return &oauthTokens{cfg: cfg, client: client, turn: make(chan struct{}, 1)}
}

// early is how long before its end a token is not used any more.
const early = 30 * time.Second

func (o *oauthTokens) token(ctx context.Context) (string, error) {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return "", errNoToken
	}
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
		return "", errNoToken // its answer may hold anything
	}
	o.kept = t
	return t.AccessToken, nil
}

var errNoToken = errors.New("the token endpoint gave none")

// drop forgets a token that was refused, if it is still the one that is kept.
func (o *oauthTokens) drop(ctx context.Context, token string) {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return
	}
	if o.kept != nil && o.kept.AccessToken == token {
		o.kept = nil
	}
}
