// Package rest delivers over HTTP: a request for each transaction, and a reference number read from the answer.
//
// Nothing of an answer is trusted: its size is bounded, its redirects do not lead to other hosts, and what it says
// reaches no log. Whatever is not clearly a success or a refusal is tried again under the same idempotency key.
package rest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ohler55/ojg/jp"

	"github.com/holdfast-sync/holdfast/delivery"
)

// Config describes a consumer. Secrets stand in files, which are read for every call, so that they can be changed.
type Config struct {
	URL         string            // a template; scheme and host are literal
	Method      string            // default POST
	Headers     map[string]string // templates
	HeaderFiles map[string]string // a secret each, in a file
	Body        string            // a template; empty: the envelope
	ContentType string            // default application/json
	// Reference is the JSON path (RFC 9535) of the reference number in the answer; empty: none is read.
	Reference     string
	ReferenceType string // string, number or any; default any
	// Permanent and Passing are statuses beside the defaults that never, or may yet, become a success; AlreadyDone are
	// those by which the consumer says that it has the transaction, its answer read like that of a success.
	Permanent, Passing, AlreadyDone []int
	MaxAnswer                       int64 // bytes; default 1 MiB
	Timeout                         time.Duration
	Connections                     int // at once

	BearerFile               string
	BasicUser, BasicFile     string
	CertificateFile, KeyFile string // of the client, mTLS
	OAuth2                   *OAuth2
	CAFile                   string // beside the system's
	Proxy                    string // empty: none; "environment": HTTPS_PROXY and so on
}

// OAuth2 are client credentials (RFC 6749, 4.4).
type OAuth2 struct {
	TokenURL   string
	ClientID   string
	SecretFile string
	Scopes     []string
}

// defaultMaxAnswer bounds an answer, in bytes.
const (
	defaultMaxAnswer = 1 << 20
	maxMaxAnswer     = 1 << 30
)

// Sender calls one consumer.
type Sender struct {
	cfg       Config
	url, body *delivery.Template
	headers   map[string]*delivery.Template
	reference jp.Expr
	client    *http.Client
	transport *http.Transport
	tokens    *oauthTokens
}

// New checks a configuration. Its errors name what is wrong and never a secret.
func New(c Config) (*Sender, error) {
	s := &Sender{cfg: c, headers: map[string]*delivery.Template{}}
	if s.cfg.Method == "" {
		s.cfg.Method = http.MethodPost
	}
	if s.cfg.ContentType == "" {
		s.cfg.ContentType = "application/json"
	}
	if s.cfg.MaxAnswer == 0 {
		s.cfg.MaxAnswer = defaultMaxAnswer
	}
	for _, check := range []func() error{s.parseURL, s.parseTemplates, s.parseReference, s.checkStatuses, s.checkAuth, s.makeClient} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parseURL wants scheme and host as they are: no value may choose where a call goes.
func (s *Sender) parseURL() error {
	scheme, rest, found := strings.Cut(s.cfg.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	if !found || scheme != "http" && scheme != "https" || host == "" || strings.Contains(host, "{{") || strings.Contains(host, "@") {
		return errors.New("url: must begin with http:// or https:// and a host, without values or credentials in them")
	}
	if _, err := url.Parse(scheme + "://" + host); err != nil {
		return errors.New("url: the host can't be one")
	}
	var err error
	if s.url, err = delivery.ParseTemplate("url", s.cfg.URL, delivery.InURL); err != nil {
		return err
	}
	if !slices.Contains([]string{"POST", "PUT", "PATCH"}, s.cfg.Method) {
		return errors.New("method: must be POST, PUT or PATCH")
	}
	return nil
}

// reserved are headers that the sender sets itself.
var reserved = []string{"Idempotency-Key", "Content-Length", "Transfer-Encoding", "Host", "Connection"}

func headerName(where, name string) error {
	if slices.ContainsFunc(reserved, func(other string) bool { return strings.EqualFold(name, other) }) {
		return fmt.Errorf("%s: %s is set by the gateway", where, name)
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r) }) {
		return fmt.Errorf("%s: %q can't be a name", where, name)
	}
	return nil
}

func (s *Sender) parseTemplates() error {
	if strings.ContainsFunc(s.cfg.ContentType, unicode.IsControl) {
		return errors.New("contentType: can't be one")
	}
	for name, text := range s.cfg.Headers {
		if err := headerName("headers", name); err != nil {
			return err
		}
		if strings.EqualFold(name, "Authorization") {
			return errors.New("headers: Authorization is a secret: it comes from auth or from headerFiles")
		}
		if strings.ContainsFunc(text, unicode.IsControl) {
			return fmt.Errorf("headers: %s must be one line", name)
		}
		t, err := delivery.ParseTemplate("headers."+name, text, delivery.InHeader)
		if err != nil {
			return err
		}
		s.headers[name] = t
	}
	for name, path := range s.cfg.HeaderFiles {
		if err := headerName("headerFiles", name); err != nil {
			return err
		}
		if _, err := secret(path); err != nil {
			return fmt.Errorf("headerFiles: %s: %w", name, err)
		}
	}
	if s.cfg.Body == "" {
		return nil
	}
	place := delivery.InText
	if strings.Contains(s.cfg.ContentType, "json") {
		place = delivery.InJSON
	}
	var err error
	if s.body, err = delivery.ParseTemplate("body", s.cfg.Body, place); err != nil {
		return err
	}
	if text, err := s.body.Example(); place == delivery.InJSON && err == nil && !json.Valid([]byte(text)) {
		return errors.New("body: makes no JSON; values bring their own quotes: {\"id\": {{.id}}}")
	}
	return nil
}

func (s *Sender) parseReference() error {
	switch s.cfg.ReferenceType {
	case "", "any", "string", "number":
	default:
		return errors.New("referenceType: must be string, number or any")
	}
	if s.cfg.Reference == "" {
		return nil
	}
	var err error
	if s.reference, err = jp.ParseString(s.cfg.Reference); err != nil || !strings.HasPrefix(s.cfg.Reference, "$") {
		return errors.New("reference: must be a JSON path such as $.referenceNumber")
	}
	return nil
}

// checkStatuses wants each status to mean one thing.
func (s *Sender) checkStatuses() error {
	seen := map[int]string{}
	for _, list := range []struct {
		name     string
		statuses []int
	}{{"permanent", s.cfg.Permanent}, {"passing", s.cfg.Passing}, {"alreadyDone", s.cfg.AlreadyDone}} {
		for _, status := range list.statuses {
			if status < 200 || status > 599 {
				return fmt.Errorf("%s: %d is no status of an answer", list.name, status)
			}
			if other := seen[status]; other != "" && other != list.name {
				return fmt.Errorf("%s: %d is in %s already", list.name, status, other)
			}
			seen[status] = list.name
		}
	}
	if s.cfg.MaxAnswer < 0 || s.cfg.MaxAnswer > maxMaxAnswer {
		return errors.New("maxAnswer: must be from 1 byte to 1 GiB")
	}
	return nil
}

func (s *Sender) checkAuth() error {
	c, ways := s.cfg, 0
	for _, given := range []bool{c.BearerFile != "", c.BasicUser != "" || c.BasicFile != "", c.OAuth2 != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("auth: give one of bearer, basic and oauth2")
	case (c.CertificateFile == "") != (c.KeyFile == ""):
		return errors.New("auth: certificateFile and keyFile belong together")
	case ways > 0 && slices.ContainsFunc(slices.Collect(maps.Keys(c.HeaderFiles)), func(name string) bool { return strings.EqualFold(name, "Authorization") }):
		return errors.New("auth: Authorization is in headerFiles already")
	case (c.BasicUser == "") != (c.BasicFile == ""):
		return errors.New("auth: basic needs user and passwordFile")
	}
	for _, path := range []string{c.BearerFile, c.BasicFile} {
		if path != "" {
			if _, err := secret(path); err != nil {
				return err
			}
		}
	}
	if c.OAuth2 != nil {
		if c.OAuth2.TokenURL == "" || c.OAuth2.ClientID == "" || c.OAuth2.SecretFile == "" {
			return errors.New("auth: oauth2 needs tokenUrl, clientId and clientSecretFile")
		}
		if u, err := url.Parse(c.OAuth2.TokenURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return errors.New("auth: tokenUrl must begin with http:// or https:// and a host, without credentials in it")
		}
		if _, err := secret(c.OAuth2.SecretFile); err != nil {
			return err
		}
	}
	return nil
}

// secret reads a file of one line.
func secret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("auth: %w", err)
	}
	one := strings.TrimSpace(string(text))
	if one == "" || strings.ContainsFunc(one, unicode.IsControl) {
		return "", fmt.Errorf("auth: %s must hold one line", path)
	}
	return one, nil
}

// makeClient bounds everything that a consumer could take.
func (s *Sender) makeClient() error {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.cfg.CAFile != "" {
		pem, err := os.ReadFile(s.cfg.CAFile)
		if err != nil {
			return fmt.Errorf("caFile: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return fmt.Errorf("caFile: %s holds no certificate in PEM", s.cfg.CAFile)
		}
		tlsConfig.RootCAs = roots
	}
	if s.cfg.CertificateFile != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.cfg.CertificateFile, s.cfg.KeyFile)
			if err != nil {
				return nil, errors.New("auth: certificateFile and keyFile can't be read, or do not belong together")
			}
			return &pair, nil
		}
		if _, err := load(); err != nil {
			return err
		}
		tlsConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	s.transport = &http.Transport{
		TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: max(s.cfg.Connections, 1), MaxConnsPerHost: 2 * max(s.cfg.Connections, 1),
		IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	if err := s.setProxy(); err != nil {
		return err
	}
	s.client = &http.Client{Transport: s.transport, CheckRedirect: sameHost}
	if o := s.cfg.OAuth2; o != nil {
		s.tokens = newTokens(*o, s.client)
	}
	return nil
}

func (s *Sender) setProxy() error {
	switch s.cfg.Proxy {
	case "":
		return nil
	case "environment":
		s.transport.Proxy = http.ProxyFromEnvironment
		return nil
	}
	proxy, err := url.Parse(s.cfg.Proxy)
	if err != nil || proxy.Host == "" || proxy.User != nil || proxy.Scheme != "http" && proxy.Scheme != "https" && proxy.Scheme != "socks5" {
		return errors.New("proxy: must be an http, https or socks5 URL without credentials, or environment")
	}
	s.transport.Proxy = http.ProxyURL(proxy)
	return nil
}

// errRedirect ends a chain of redirects.
var errRedirect = errors.New("a redirect to another host, or too many")

// sameHost follows only what repeats the request at the same place.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 3 || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method {
		return errRedirect
	}
	return nil
}

// Close lets go of idle connections.
func (s *Sender) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}
