// Package auth finds out who is calling, in one of three ways: [Open] asks nobody,
// [Tokens] knows static tokens by their hashes, [OIDC] trusts an identity provider.
//
// All answer a *[holdfast.Error]: unauthenticated (401) when the credentials are no
// good, backend-unavailable (503) when that can't be told now. The two must not
// be mixed up: a client that gets 401 throws its credentials away.
package auth

import (
	"context"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// Open lets everybody do everything: for one machine that only talks to itself.
type Open struct{}

// Authenticate never fails and reads nothing.
func (Open) Authenticate(context.Context, string) (holdfast.Principal, error) {
	return holdfast.Principal{Anonymous: true}, nil
}

// unauthenticated never says what is wrong with a token: expired and revoked ones
// are for the log of who made them, not for who holds them.
func unauthenticated(err error) error {
	return &holdfast.Error{
		Code: holdfast.CodeUnauthenticated, Err: err,
		Detail: "The token is unknown, expired, revoked or not meant for this gateway.",
	}
}

func missing() error {
	return &holdfast.Error{
		Code:   holdfast.CodeUnauthenticated,
		Detail: "This needs one header of the form Authorization: Bearer TOKEN.",
	}
}

func unavailable(detail string, after time.Duration, err error) error {
	return &holdfast.Error{Code: holdfast.CodeBackendUnavailable, Detail: detail, RetryAfter: after, Err: err}
}
