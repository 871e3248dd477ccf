package settings

import (
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// minTokenLength of metrics.token, in characters: nobody may guess it.
const minTokenLength = 16

func (s *Settings) checkMetrics() error {
	m := s.Metrics
	if m.Listen == "" {
		if m.Token != "" {
			return s.wrong("metrics.token", "is given, but metrics.listen is not; set HOLDFAST_METRICS_LISTEN or remove it")
		}
		return nil
	}
	host, ok := hostPort(m.Listen, 0)
	switch {
	case !ok:
		return s.wrong("metrics.listen", "must be one host:port, for example 127.0.0.1:9090, not %q", m.Listen)
	case m.Token == "" && !loopback(host):
		return s.wrong("metrics.listen", "%q can be reached from outside; set HOLDFAST_METRICS_TOKEN, or listen on 127.0.0.1", m.Listen)
	case m.Token != "" && (len(m.Token) < minTokenLength || !tokenText.MatchString(m.Token)):
		return s.wrong("metrics.token", "must be at least %d letters, digits or -._~+/=", minTokenLength)
	}
	return nil
}

// tokenText is what a bearer token may be made of (RFC 6750, 2.1).
var tokenText = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// hostPort reads host:port with a port from lowest on.
func hostPort(text string, lowest int) (host string, ok bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, ", /@") {
		return "", false
	}
	n, err := strconv.Atoi(port)
	return host, err == nil && n >= lowest && n <= 65535
}

// graphitePrefix is parts with dots between them.
var graphitePrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func (s *Settings) checkGraphite() error {
	g := s.Metrics.Graphite
	if g.Address == "" {
		for _, key := range []string{"interval", "prefix"} {
			if s.origins["metrics.graphite."+key] != fromDefault {
				return s.wrong("metrics.graphite."+key, "is given, but metrics.graphite.address is not; set HOLDFAST_METRICS_GRAPHITE_ADDRESS or remove it")
			}
		}
		return nil
	}
	if host, ok := hostPort(g.Address, 1); !ok || host == "" {
		return s.wrong("metrics.graphite.address", "must be one host:port, for example graphite:2003, not %q", g.Address)
	}
	if g.Prefix != "" && (len(g.Prefix) > 128 || !graphitePrefix.MatchString(g.Prefix)) {
		return s.wrong("metrics.graphite.prefix", "must be at most 128 letters, digits, hyphens and underscores, with single dots between parts")
	}
	return nil
}

func (s *Settings) checkTracing() error {
	ratio, err := strconv.ParseFloat(s.Tracing.SampleRatio, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return s.wrong("tracing.sampleRatio", "must be a number from 0 to 1, for example 0.1")
	}
	if s.Tracing.Endpoint == "" {
		if s.origins["tracing.sampleRatio"] != fromDefault {
			return s.wrong("tracing.sampleRatio", "is given, but tracing.endpoint is not; set HOLDFAST_TRACING_ENDPOINT or remove it")
		}
		return nil
	}
	u, err := url.Parse(s.Tracing.Endpoint)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return s.wrong("tracing.endpoint", "must be an http:// or https:// URL without user, query and fragment, for example http://127.0.0.1:4318")
	}
	return nil
}
