package holdfast

import (
	"cmp"
	"context"
	"time"
)

// Scope is what a caller may do.
type Scope string

// The scopes. An admin may do everything; the others exclude each other.
const (
	ScopeDevice   Scope = "device"   // send and read its own streams
	ScopeOperator Scope = "operator" // read every stream, act on what is stuck
	ScopeAuditor  Scope = "auditor"  // read states and reports, no payloads
	ScopeAdmin    Scope = "admin"
)

// Valid says whether s is one of the scopes.
func (s Scope) Valid() bool {
	switch s {
	case ScopeDevice, ScopeOperator, ScopeAuditor, ScopeAdmin:
		return true
	}
	return false
}

// Principal is the authenticated caller. Names that the credentials do not
// carry are empty; names that they carry win over the context headers.
type Principal struct {
	// Anonymous is true in mode open, where nobody is asked who they are and
	// every scope is held.
	Anonymous bool
	Subject   string // token id or OIDC subject, for the log
	Scope     Scope
	Device    string
	Shop      string
	User      string
}

// May says whether the caller holds one of the scopes.
func (p Principal) May(scopes ...Scope) bool {
	if p.Anonymous || p.Scope == ScopeAdmin {
		return true
	}
	for _, s := range scopes {
		if p.Scope == s {
			return true
		}
	}
	return false
}

type principalKey struct{}

// WithPrincipal returns a context that carries p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns what [WithPrincipal] put there; the zero Principal may do nothing.
func PrincipalFrom(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// Token is a static credential as it is kept: never the secret, only its hash.
type Token struct {
	ID        string // short, public, part of the secret's text form
	Hash      Hash   // SHA-256 of the whole secret
	Name      string // what a person calls it
	Scope     Scope
	Device    string
	Shop      string
	User      string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
}

// ActorFrom is the caller as audit events name it.
func ActorFrom(ctx context.Context) AuditActor {
	p, rc := PrincipalFrom(ctx), RequestContextFrom(ctx)
	switch {
	case p.Anonymous:
		return AuditActor{Kind: "anonymous", ID: cmp.Or(rc.Device, rc.User)}
	case p.Scope == ScopeDevice:
		return AuditActor{Kind: "device", ID: cmp.Or(p.Device, p.Subject), Scope: p.Scope}
	case p.Subject != "":
		return AuditActor{Kind: "user", ID: p.Subject, Scope: p.Scope}
	}
	return AuditActor{Kind: "anonymous"}
}

type addressKey struct{}

// WithAddress returns a context that carries the client's address.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// AddressFrom returns what [WithAddress] put there.
func AddressFrom(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}
