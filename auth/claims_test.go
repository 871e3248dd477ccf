package auth

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

func TestScopeClaim(t *testing.T) {
	for _, c := range []struct {
		claim, prefix string
		want          holdfast.Scope
	}{
		{`"holdfast:device"`, "", holdfast.ScopeDevice},
		{`"openid  profile holdfast:operator"`, "", holdfast.ScopeOperator},
		{`["openid","holdfast:auditor"]`, "", holdfast.ScopeAuditor},
		{`["holdfast:device","holdfast:admin","holdfast:operator"]`, "", holdfast.ScopeAdmin},
		{`"admin device"`, "", ""}, // another service's words
		{`"device"`, "-", holdfast.ScopeDevice},
		{`"urn:hf:operator"`, "urn:hf:", holdfast.ScopeOperator},
		{`"holdfast:root"`, "", ""},
		{`"holdfast:"`, "", ""},
		{`"HOLDFAST:admin holdfast:Admin"`, "", ""},
		{`""`, "", ""},
		{`null`, "", ""},
		{`17`, "", ""},
		{`{}`, "", ""},
		{`["holdfast:device",1]`, "", ""},
	} {
		claims := Claims{ScopePrefix: c.prefix}.withDefaults()
		if got := claims.scope(json.RawMessage(c.claim)); got != c.want {
			t.Errorf("%s with prefix %q: got %q, want %q", c.claim, c.prefix, got, c.want)
		}
	}
	if got := (Claims{}).withDefaults().scope(nil); got != "" {
		t.Errorf("no claim: got %q", got)
	}
}

func TestClaimsThatAreNoNamesMakeATokenUnusable(t *testing.T) {
	claims := Claims{}.withDefaults()
	base := map[string]json.RawMessage{"sub": json.RawMessage(`"s"`), "scope": json.RawMessage(`"holdfast:device"`)}
	if p, err := claims.principal(base); err != nil || p.Subject != "s" || p.User != "" {
		t.Fatalf("got %+v, %v", p, err)
	}
	for _, bad := range []string{`""`, `1`, `["a"]`, `"é"`, `"a\u0000"`, `"` + strings.Repeat("x", 129) + `"`} {
		for _, claim := range []string{"sub", "device_id", "store_id", "user_id"} {
			with := map[string]json.RawMessage{claim: json.RawMessage(bad)}
			for k, v := range base {
				if k != claim {
					with[k] = v
				}
			}
			if p, err := claims.principal(with); err == nil {
				t.Errorf("%s %s is taken: %+v", claim, bad, p)
			}
		}
	}
	if _, err := claims.principal(map[string]json.RawMessage{}); err == nil {
		t.Error("a token without a subject is taken")
	}
}

func TestNumericDate(t *testing.T) {
	if at, ok := numericDate(json.RawMessage(`1700000000.5`)); !ok || !at.Equal(time.UnixMilli(1700000000500)) {
		t.Errorf("got %v, %t", at, ok)
	}
	for _, bad := range []string{``, `"1700000000"`, `-1`, `1e30`, `1e400`, `null x`, `[]`} {
		if at, ok := numericDate(json.RawMessage(bad)); ok {
			t.Errorf("%s is read as %v", bad, at)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"sub":"s","scope":"holdfast:device","exp":1,"device_id":"d"}`)
	f.Add(`{"sub":null,"scope":["holdfast:admin"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var claims map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &claims) != nil {
			return
		}
		numericDate(claims["exp"])
		p, err := Claims{}.withDefaults().principal(claims)
		if err != nil {
			return
		}
		if !isName(p.Subject) || p.Anonymous || (p.Scope != "" && !p.Scope.Valid()) {
			t.Fatalf("%s gives %+v", text, p)
		}
		for _, name := range []string{p.Device, p.Shop, p.User} {
			if name != "" && !isName(name) {
				t.Fatalf("%s gives %+v", text, p)
			}
		}
	})
}
