package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// Claims names the claims of a provider's tokens. Zero values mean the defaults.
type Claims struct {
	Device string // default device_id
	Shop   string // default store_id
	User   string // default user_id; sub would forbid a device's token to send for its users
	// Scope is a string with blanks between the values, or an array of strings. Default scope.
	Scope string
	// ScopePrefix stands before the names of our scopes. Default "holdfast:"; "-"
	// for none. A provider's plain "admin" may mean something else entirely.
	ScopePrefix string
}

func (c Claims) withDefaults() Claims {
	fill := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	fill(&c.Device, "device_id")
	fill(&c.Shop, "store_id")
	fill(&c.User, "user_id")
	fill(&c.Scope, "scope")
	fill(&c.ScopePrefix, "holdfast:")
	if c.ScopePrefix == "-" {
		c.ScopePrefix = ""
	}
	return c
}

// maxName is the length of a name, as in the context headers.
const maxName = 128

// principal reads who a verified token speaks for. A name that is no string of at
// most 128 printable ASCII characters makes the token unusable: leaving it out
// would widen what the token may do.
func (c Claims) principal(claims map[string]json.RawMessage) (holdfast.Principal, error) {
	p := holdfast.Principal{Scope: c.scope(claims[c.Scope])}
	for _, f := range [...]struct {
		claim string
		into  *string
	}{{"sub", &p.Subject}, {c.Device, &p.Device}, {c.Shop, &p.Shop}, {c.User, &p.User}} {
		raw, given := claims[f.claim]
		if !given || string(raw) == "null" {
			continue
		}
		if err := json.Unmarshal(raw, f.into); err != nil || !isName(*f.into) {
			return holdfast.Principal{}, fmt.Errorf("claim %q is no name", f.claim)
		}
	}
	if p.Subject == "" {
		return holdfast.Principal{}, errors.New("no subject")
	}
	return p, nil
}

func isName(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// scope is the widest of our scopes in the claim, empty when there is none: the
// caller is known then, and may do nothing.
func (c Claims) scope(raw json.RawMessage) holdfast.Scope {
	var values []string
	var text string
	if json.Unmarshal(raw, &text) == nil {
		values = strings.Fields(text)
	} else if json.Unmarshal(raw, &values) != nil {
		return ""
	}
	var widest holdfast.Scope
	for _, v := range values {
		name, ours := strings.CutPrefix(v, c.ScopePrefix)
		if s := holdfast.Scope(name); ours && s.Valid() && width(s) > width(widest) {
			widest = s
		}
	}
	return widest
}

// width orders the scopes for a token that has several, of which only one can be used.
func width(s holdfast.Scope) int {
	switch s {
	case holdfast.ScopeDevice:
		return 1
	case holdfast.ScopeAuditor:
		return 2
	case holdfast.ScopeOperator:
		return 3
	case holdfast.ScopeAdmin:
		return 4
	}
	return 0
}

// numericDate reads exp and nbf: seconds since 1970, a fraction allowed (RFC 7519).
func numericDate(raw json.RawMessage) (time.Time, bool) {
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}
