package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/auth"
	"github.com/holdfast-sync/holdfast/store"
)

// TokenCmd looks after the tokens of auth token.
type TokenCmd struct {
	Create TokenCreateCmd `cmd:"" help:"Make a token and print its secret, once."`
	List   TokenListCmd   `cmd:"" help:"List the tokens; secrets are not kept."`
	Revoke TokenRevokeCmd `cmd:"" help:"Make a token worthless."`
}

// Help is shown below the flags.
func (TokenCmd) Help() string {
	return `The commands talk to the database, so they work beside a running gateway. It notices within two seconds.

Examples:
  holdfast token create --name dock-7 --device dock-7 --store 0042
  holdfast token list`
}

// tokenFlags are those of every token command.
type tokenFlags struct {
	settingFlags
	outputFlag
}

// with opens the store for fn and says whether tokens count at all.
func (f *tokenFlags) with(ctx context.Context, con *console, fn func(store.Tokens) error) error {
	s, err := f.load(con)
	if err != nil {
		return err
	}
	if s.Auth.Mode != "token" {
		fmt.Fprintf(con.err, "note: auth is %s; tokens count once HOLDFAST_AUTH is token\n", s.Auth.Mode)
	}
	logger := con.discard()
	b := backendOf(s, logger)
	opened, err := b.ready(ctx, b.beside, logger)
	if err != nil {
		return unreachable(err)
	}
	return errors.Join(unreachable(fn(opened)), opened.Close())
}

// TokenCreateCmd makes one.
type TokenCreateCmd struct {
	tokenFlags
	Name    string `required:"" help:"What a person calls it."`
	Scope   string `enum:"device,operator,auditor,admin" default:"device" help:"What its bearer may do: device, operator, auditor or admin."`
	Device  string `help:"The device that it is bound to."`
	Store   string `help:"The store that it is bound to."`
	User    string `help:"The user that it is bound to."`
	Expires string `placeholder:"WHEN" help:"When it ends: 90d, 12h, 2027-01-31 or 2027-01-31T08:00:00Z. Default: never."`
}

// Help is shown below the flags.
func (TokenCreateCmd) Help() string {
	return `Only the secret goes to the standard output, so that it can be piped into a secret store. It is kept nowhere.

Examples:
  holdfast token create --name dock-7 --device dock-7 --store 0042 --expires 90d
  holdfast token create --name support --scope operator --output json`
}

// Run makes it.
func (c *TokenCreateCmd) Run(ctx context.Context, con *console) error {
	expires, err := parseExpiry(c.Expires, con.now())
	if err != nil {
		return usage("--expires: %w", err)
	}
	for _, f := range [][2]string{{"--name", c.Name}, {"--device", c.Device}, {"--store", c.Store}, {"--user", c.User}} {
		if !printable(f[1]) {
			return usage("%s: must be at most 128 printable ASCII characters", f[0])
		}
	}
	secret, t, err := auth.NewToken(rand.Reader)
	if err != nil {
		return failed("no random bytes: %w", err)
	}
	t.Name, t.Scope, t.Device, t.Shop, t.User = c.Name, holdfast.Scope(c.Scope), c.Device, c.Store, c.User
	t.CreatedAt, t.ExpiresAt = con.now().UTC(), expires
	return c.with(ctx, con, func(tokens store.Tokens) error {
		if err := tokens.CreateToken(ctx, t, operatorEvent(holdfast.ActionTokenMade, t.ID, con.now())); err != nil {
			return err
		}
		shown := tokenOf(t, con.now())
		shown.Secret = secret
		return c.write(con, shown, func(w io.Writer) {
			fmt.Fprintf(con.err, "token %s (%s, scope %s), shown this once:\n", t.ID, t.Name, t.Scope)
			fmt.Fprintln(w, secret)
		})
	})
}

// printable is the rule of the context headers.
func printable(text string) bool {
	return len(text) <= 128 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// parseExpiry reads a date, a moment or a time from now; empty is never.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		var d time.Duration
		if d, err = parseDays(text); err == nil {
			at = now.Add(d)
		}
	}
	switch {
	case err != nil:
		return time.Time{}, errors.New("must be like 90d, 12h, 2027-01-31 or 2027-01-31T08:00:00Z")
	case !at.After(now):
		return time.Time{}, errors.New("must be in the future")
	}
	return at.UTC(), nil
}

func parseDays(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// shownToken is the JSON form.
type shownToken struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Scope     holdfast.Scope `json:"scope"`
	Device    string         `json:"deviceId,omitempty"`
	Shop      string         `json:"storeId,omitempty"`
	User      string         `json:"userId,omitempty"`
	State     string         `json:"state"` // active, expired or revoked
	CreatedAt time.Time      `json:"createdAt"`
	ExpiresAt time.Time      `json:"expiresAt,omitzero"`
	RevokedAt time.Time      `json:"revokedAt,omitzero"`
	Secret    string         `json:"secret,omitempty"`
}

func tokenOf(t holdfast.Token, now time.Time) shownToken {
	state := "active"
	switch {
	case !t.RevokedAt.IsZero():
		state = "revoked"
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now):
		state = "expired"
	}
	return shownToken{
		ID: t.ID, Name: t.Name, Scope: t.Scope, Device: t.Device, Shop: t.Shop, User: t.User, State: state,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, RevokedAt: t.RevokedAt,
	}
}

// TokenListCmd lists them.
type TokenListCmd struct{ tokenFlags }

// Help is shown below the flags.
func (TokenListCmd) Help() string {
	return `Examples:
  holdfast token list
  holdfast token list --output json`
}

// Run lists them.
func (c *TokenListCmd) Run(ctx context.Context, con *console) error {
	return c.with(ctx, con, func(tokens store.Tokens) error {
		all, err := tokens.Tokens(ctx)
		if err != nil {
			return err
		}
		shown := make([]shownToken, len(all))
		rows := make([][]any, len(all))
		for i, t := range all {
			shown[i] = tokenOf(t, con.now())
			rows[i] = []any{t.ID, shown[i].State, t.Scope, show(t.Device), show(t.Shop), show(t.User), day(t.CreatedAt), day(t.ExpiresAt), t.Name}
		}
		return c.write(con, map[string]any{"tokens": shown}, func(w io.Writer) {
			table(w, []any{"ID", "STATE", "SCOPE", "DEVICE", "STORE", "USER", "CREATED", "EXPIRES", "NAME"}, rows)
		})
	})
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

// TokenRevokeCmd revokes one.
type TokenRevokeCmd struct {
	tokenFlags
	ID string `arg:"" help:"The token's id, as token list shows it."`
}

// Help is shown below the flags.
func (TokenRevokeCmd) Help() string {
	return `Revoking again changes nothing: the first time stays.

Examples:
  holdfast token revoke 4f7c2a91
  holdfast token revoke 4f7c2a91 --output json`
}

// Run revokes it.
func (c *TokenRevokeCmd) Run(ctx context.Context, con *console) error {
	return c.with(ctx, con, func(tokens store.Tokens) error {
		err := tokens.RevokeToken(ctx, c.ID, con.now().UTC(), operatorEvent(holdfast.ActionTokenEnded, c.ID, con.now()))
		if errors.Is(err, store.ErrNotFound) {
			return failed("there is no token with this id; holdfast token list shows them")
		}
		if err != nil {
			return err
		}
		return c.write(con, map[string]string{"revoked": c.ID}, func(w io.Writer) { fmt.Fprintln(w, "revoked", c.ID) })
	})
}
