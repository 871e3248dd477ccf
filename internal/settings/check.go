package settings

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// check looks at settings that need a closer look, or each other. The first
// thing wrong is the error.
func (s *Settings) check() error {
	for _, check := range []func() error{
		s.checkListen, s.checkDataDir, s.checkDatabase, s.checkRedis, s.checkNames,
		s.checkUnsupported, s.checkAudit, s.checkAuth, s.checkLimits, s.checkAttachments, s.checkSchemas, s.checkMetrics, s.checkGraphite, s.checkTracing, s.checkConsumers,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) checkListen() error {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil || strings.ContainsAny(host, ", /") {
		return s.wrong("listen", "must be one host:port, for example 127.0.0.1:8080, not %q", s.Listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return s.wrong("listen", "must have a port from 0 to 65535, not %q", port)
	}
	if s.Auth.Mode == "open" && !loopback(host) {
		return s.wrong("listen", "%q can be reached from outside, where auth open lets anybody in; set HOLDFAST_AUTH to token or oidc, or listen on 127.0.0.1:%s", s.Listen, port)
	}
	return nil
}

// loopback says whether only this machine can reach the host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (s *Settings) checkDataDir() error {
	if s.DataDir == "" {
		return s.wrong("dataDir", "must name a folder, for example ./holdfast-data")
	}
	return nil
}

func (s *Settings) checkDatabase() error {
	if s.DatabaseURL == "" {
		return nil
	}
	scheme, rest, _ := strings.Cut(s.DatabaseURL, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return s.wrong("databaseUrl", "must begin with postgres://; leave it empty for the embedded database")
	}
	authority, tail := cutAny(rest, "/?")
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	if strings.Contains(tail, "@") {
		return s.wrong("databaseUrl", "has an @ behind its host; write special characters of the password as %%2F, %%40 and so on")
	}
	// Several hosts are more than a URL may have; each is one by itself.
	for _, host := range strings.Split(hosts, ",") {
		if _, err := url.Parse(scheme + "://" + authority[:len(authority)-len(hosts)] + host + rest[len(authority):]); err != nil {
			return s.wrong("databaseUrl", "can't be read; write postgres://user:password@host:port/database with special characters as %%2F, %%40 and so on")
		}
	}
	return nil
}

// cutAny cuts at the first of the characters and leaves it with what is behind.
func cutAny(text, chars string) (before, after string) {
	i := strings.IndexAny(text, chars)
	if i < 0 {
		return text, ""
	}
	return text[:i], text[i:]
}

func (s *Settings) checkRedis() error {
	if s.RedisURL == "" {
		return nil
	}
	scheme, rest, _ := strings.Cut(s.RedisURL, "://")
	if scheme != "redis" && scheme != "rediss" {
		return s.wrong("redisUrl", "must begin with redis:// or rediss://; leave it empty to work without Redis")
	}
	authority, _ := cutAny(rest, "/?")
	if strings.Contains(authority[strings.LastIndexByte(authority, '@')+1:], ",") {
		return s.wrong("redisUrl", "names several hosts; name one")
	}
	u, err := url.Parse(s.RedisURL)
	if err != nil || u.Hostname() == "" {
		return s.wrong("redisUrl", "can't be read; write redis://user:password@host:port/0 with special characters as %%2F, %%40 and so on")
	}
	if number := strings.Trim(u.Path, "/"); number != "" {
		if _, err := strconv.ParseUint(number, 10, 16); err != nil {
			return s.wrong("redisUrl", "must have the number of a database as its path, for example /0")
		}
	}
	return nil
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (s *Settings) checkNames() error {
	if !name.MatchString(s.Ring) {
		return s.wrong("ring", "must be a name of up to 64 letters, digits, dots, hyphens and underscores")
	}
	for _, proxy := range s.Proxies() {
		if _, err := netip.ParsePrefix(proxy); err != nil {
			return s.wrong("trustedProxies", "must be networks such as 10.0.0.0/8 or 192.168.1.7/32, with commas between them, not %q", proxy)
		}
	}
	return nil
}

// checkUnsupported refuses what would be ignored: whoever sets it counts on it.
func (s *Settings) checkUnsupported() error {
	for _, unsupported := range [][2]string{{"durableStandbys", s.DurableStandbys}} {
		if unsupported[1] != "" {
			return s.wrong(unsupported[0], "is not supported by this version; remove it")
		}
	}
	return nil
}

// leastRetention is what the audit log keeps whatever is asked: what is not sealed
// yet must not be let go.
const leastRetention = 48 * time.Hour

func (s *Settings) checkAudit() error {
	if s.Audit.Retention != 0 && s.Audit.Retention < leastRetention {
		return s.wrong("audit.retention", "must be 0s or at least 48h")
	}
	return nil
}

func (s *Settings) checkAuth() error {
	if s.Auth.Mode == "oidc" {
		return s.checkOIDC()
	}
	for _, key := range []string{"issuer", "audience", "scopePrefix", "claims.scope", "claims.device", "claims.store", "claims.user"} {
		if from := s.origins["auth.oidc."+key]; from != fromDefault {
			return s.wrong("auth.oidc."+key, "is given, but auth is %s; set HOLDFAST_AUTH to oidc or remove it", s.Auth.Mode)
		}
	}
	return nil
}

func (s *Settings) checkOIDC() error {
	oidc := s.Auth.OIDC
	if oidc.Issuer == "" {
		return s.wrong("auth.mode", "oidc needs an issuer; set HOLDFAST_AUTH_OIDC_ISSUER to the identity provider's URL")
	}
	u, err := url.Parse(oidc.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return s.wrong("auth.oidc.issuer", "must be a URL without user, query and fragment, for example https://id.example.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return s.wrong("auth.oidc.issuer", "must begin with https://")
	}
	if oidc.Audience == "" {
		return s.wrong("auth.mode", "oidc needs an audience, or tokens made for others would be taken; set HOLDFAST_AUTH_OIDC_AUDIENCE")
	}
	if oidc.Claims.Scope == "" {
		return s.wrong("auth.oidc.claims.scope", "must name a claim")
	}
	return nil
}

func (s *Settings) checkLimits() error {
	if s.Limits.InFlightBytes < 4*s.Limits.MaxBytes {
		return s.wrong("limits.inFlightBytes", "%s is less than four times limits.maxBytes, %s", s.Limits.InFlightBytes, s.Limits.MaxBytes)
	}
	return nil
}

func (s *Settings) checkSchemas() error {
	type key struct {
		typ     string
		version int64
	}
	seen := make(map[key]bool, len(s.Schemas.Types))
	for _, t := range s.Schemas.Types {
		if seen[key{t.Type, t.Version}] {
			return s.wrong("schemas.types", "%s version %d is registered twice; remove one", t.Type, t.Version)
		}
		seen[key{t.Type, t.Version}] = true
	}
	return nil
}
