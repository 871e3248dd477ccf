package rest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/delivery/rest"
)

// Secrets are read for every call: who changes the file changes the next call.
func TestSecretsAreRotated(t *testing.T) {
	c := newConsumer(t, answering(200, ""))
	held := file(t, secret+"-1\n")
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+password))
	}
	for _, one := range []struct {
		config rest.Config
		want   func(string) string
	}{
		{rest.Config{BearerFile: held}, func(s string) string { return "Bearer " + s }},
		{rest.Config{BasicUser: "u", BasicFile: held}, basic},
		{rest.Config{HeaderFiles: map[string]string{"authorization": held}}, func(s string) string { return s }},
	} {
		one.config.URL = c.URL
		write(t, held, secret+"-1\n")
		s := newSender(t, one.config)
		for _, value := range []string{secret + "-1", secret + "-2"} {
			write(t, held, value+"\n")
			if r := send(t, s, callOf(t, `{}`)); is(r) != "confirmed " || c.last(t).Header.Get("Authorization") != one.want(value) {
				t.Errorf("%s: %q", is(r), c.last(t).Header.Get("Authorization"))
			}
		}
		before := len(c.requests())
		for _, bad := range []string{"", secret + "\n" + secret, secret + "\x00"} {
			write(t, held, bad)
			if r := send(t, s, callOf(t, `{}`)); is(r) != "passing! credentials" || len(c.requests()) != before {
				t.Errorf("%q: %s", bad, is(r))
			}
		}
	}
}

// identity gives tokens.
type identity struct {
	*consumer
	given   atomic.Int64
	seconds int // that a token lives
}

func newIdentity(t *testing.T, seconds int) *identity {
	i := &identity{seconds: seconds}
	i.consumer = newConsumer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"%s-token-%d","token_type":"Bearer","expires_in":%d}`, secret, i.given.Add(1), i.seconds)
	})
	return i
}

func (i *identity) config(t *testing.T, to string) rest.Config {
	return rest.Config{URL: to, OAuth2: &rest.OAuth2{TokenURL: i.URL + "/token", ClientID: "holdfast", SecretFile: file(t, secret), Scopes: []string{"a", "b"}}}
}

// A token serves all calls while it lives, and is asked for with the client's secret alone.
func TestTokensAreKept(t *testing.T) {
	c, i := newConsumer(t, answering(200, "")), newIdentity(t, 3600)
	s := newSender(t, i.config(t, c.URL))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if r := send(t, s, callOf(t, `{}`)); is(r) != "confirmed " {
				t.Error(is(r))
			}
		})
	}
	all.Wait()
	if len(i.requests()) != 1 || len(c.requests()) != 20 {
		t.Fatalf("%d tokens for %d calls", len(i.requests()), len(c.requests()))
	}
	got := i.last(t)
	user, password, _ := got.BasicAuth()
	form, err := url.ParseQuery(got.body)
	if user != "holdfast" || password != secret || err != nil || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "a b" || got.Header.Get("Idempotency-Key") != "" {
		t.Error(user, got.body)
	}
	for _, got := range c.requests() {
		if got.Header.Get("Authorization") != "Bearer "+secret+"-token-1" {
			t.Error(got.Header)
		}
	}
}

// A token is not used when its end is near, nor after it was refused.
func TestTokensEnd(t *testing.T) {
	c, i := newConsumer(t, answering(200, "")), newIdentity(t, 29)
	s := newSender(t, i.config(t, c.URL))
	for n := 1; n <= 3; n++ {
		if send(t, s, callOf(t, `{}`)); c.last(t).Header.Get("Authorization") != fmt.Sprintf("Bearer %s-token-%d", secret, n) {
			t.Error(c.last(t).Header)
		}
	}
	refusing, i := newConsumer(t, answering(401, leak)), newIdentity(t, 3600)
	s = newSender(t, i.config(t, refusing.URL))
	for n := 1; n <= 3; n++ {
		if r := send(t, s, callOf(t, `{}`)); is(r) != "passing! status-401" || refusing.last(t).Header.Get("Authorization") != fmt.Sprintf("Bearer %s-token-%d", secret, n) {
			t.Error(is(r), refusing.last(t).Header)
		}
	}
}

// A refusal of an old token does not take the new one away.
func TestOnlyTheRefusedTokenIsDropped(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	c := newConsumer(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 1: // the slow one, refused last
			close(asked)
			<-goOn
			w.WriteHeader(401)
		case 2:
			w.WriteHeader(401)
		}
	})
	i := newIdentity(t, 3600)
	s := newSender(t, i.config(t, c.URL))
	done := make(chan string, 1)
	go func() { done <- is(send(t, s, callOf(t, `{}`))) }()
	<-asked
	if one, other := is(send(t, s, callOf(t, `{}`))), is(send(t, s, callOf(t, `{}`))); one != "passing! status-401" || other != "confirmed " {
		t.Error(one, other)
	}
	close(goOn)
	if r := <-done; r != "passing! status-401" {
		t.Error(r)
	}
	if r := send(t, s, callOf(t, `{}`)); is(r) != "confirmed " || i.given.Load() != 2 {
		t.Error(is(r), i.given.Load(), "tokens")
	}
}

// Without a token nothing is sent, and what the token endpoint says is not told.
func TestTheTokenEndpointFails(t *testing.T) {
	c, elsewhere := newConsumer(t, answering(200, "")), newConsumer(t, answering(200, `{"access_token":"x"}`))
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"error":    answering(500, leak),
		"refusal":  answering(401, `{"error":"`+leak+`","error_description":"`+secret+`"}`),
		"garbage":  answering(200, "<html>"+leak),
		"nothing":  answering(200, ""),
		"no token": answering(200, `{"token_type":"Bearer","x":"`+secret+`"}`),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
	} {
		i := &identity{consumer: newConsumer(t, answer)}
		if r := send(t, newSender(t, i.config(t, c.URL)), callOf(t, `{}`)); is(r) != "passing! credentials" {
			t.Errorf("%s: %s", name, is(r))
		}
	}
	if len(c.requests()) != 0 || len(elsewhere.requests()) != 0 {
		t.Error("sent all the same, or elsewhere")
	}
}

// Who waits for a token that somebody else asks for waits no longer than for his own.
func TestTheTokenEndpointHangs(t *testing.T) {
	over := make(chan struct{})
	i := &identity{consumer: newConsumer(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})}
	defer close(over)
	s := newSender(t, i.config(t, "http://127.0.0.1:9/x"))
	long, end := context.WithCancel(t.Context())
	done := make(chan string, 1)
	go func() { done <- is(sendIn(long, t, s, callOf(t, `{}`))) }()
	for deadline := time.Now().Add(5 * time.Second); len(i.requests()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody asked")
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if r := sendIn(short, t, s, callOf(t, `{}`)); is(r) != "passing! timeout" || time.Since(began) > 2*time.Second {
		t.Error(is(r), time.Since(began))
	}
	end()
	if r := <-done; r != "passing interrupted" {
		t.Error(r)
	}
}

// Only a host whose certificate is known is spoken to, and only who shows a certificate is heard.
func TestTLS(t *testing.T) {
	known, certFile, keyFile := pair(t, "gateway")
	_, strangerCert, strangerKey := pair(t, "stranger")
	plain, mutual := prepared(referring), prepared(referring)
	plain.StartTLS()
	clients := x509.NewCertPool()
	clients.AddCert(known)
	mutual.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	mutual.StartTLS()
	old := prepared(referring)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	for _, c := range []*consumer{plain, mutual, old} {
		t.Cleanup(c.Close)
	}
	ca := file(t, pemOf("CERTIFICATE", plain.Certificate().Raw))
	_, wrongCA, _ := pair(t, "another authority")
	for name, one := range map[string]struct {
		to     *consumer
		config rest.Config
		want   string
	}{
		"known":            {plain, rest.Config{CAFile: ca}, "confirmed R-1"},
		"unknown":          {plain, rest.Config{}, "passing! certificate"},
		"another CA":       {plain, rest.Config{CAFile: wrongCA}, "passing! certificate"},
		"mutual":           {mutual, rest.Config{CAFile: ca, CertificateFile: certFile, KeyFile: keyFile}, "confirmed R-1"},
		"no certificate":   {mutual, rest.Config{CAFile: ca}, "passing! certificate"},
		"a stranger's":     {mutual, rest.Config{CAFile: ca, CertificateFile: strangerCert, KeyFile: strangerKey}, "passing! certificate"},
		"an old protocol":  {old, rest.Config{CAFile: ca}, "passing! certificate"},
		"not of this name": {plain, rest.Config{CAFile: ca, URL: strings.Replace(plain.URL, "127.0.0.1", "localhost", 1)}, "passing! certificate"},
	} {
		if one.config.URL == "" {
			one.config.URL = one.to.URL
		}
		one.config.Reference, one.config.BearerFile = "$.referenceNumber", file(t, secret)
		before := len(one.to.requests())
		if r := send(t, newSender(t, one.config), callOf(t, `{}`)); is(r) != one.want || strings.HasPrefix(one.want, "passing") && len(one.to.requests()) != before {
			t.Errorf("%s: %s", name, is(r))
		}
	}
	// The certificate is read for every connection.
	rotated := newSender(t, rest.Config{URL: mutual.URL, Reference: "$.referenceNumber", CAFile: ca, CertificateFile: strangerCert, KeyFile: strangerKey})
	for from, to := range map[string]string{certFile: strangerCert, keyFile: strangerKey} {
		write(t, to, read(t, from))
	}
	if r := send(t, rotated, callOf(t, `{}`)); is(r) != "confirmed R-1" {
		t.Error("rotated:", is(r))
	}
}

// With a proxy nothing goes past it; and what it refuses is not the transaction's fault.
func TestProxy(t *testing.T) {
	status := 200
	proxy := newConsumer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	c := newConsumer(t, answering(200, ""))
	s := newSender(t, rest.Config{URL: c.URL + "/x", Proxy: proxy.URL})
	if r := send(t, s, callOf(t, `{}`)); is(r) != "confirmed " || proxy.last(t).RequestURI != c.URL+"/x" || len(c.requests()) != 0 {
		t.Error(is(r))
	}
	status = 407
	if r := send(t, s, callOf(t, `{}`)); is(r) != "passing! status-407" {
		t.Error(is(r))
	}
	secure := newSender(t, rest.Config{URL: "https://wms.invalid/x", Proxy: proxy.URL, BearerFile: file(t, secret)})
	if r := send(t, secure, callOf(t, `{}`)); is(r) != "passing! no-answer" || proxy.last(t).Method != "CONNECT" || proxy.last(t).RequestURI != "wms.invalid:443" || proxy.last(t).Header.Get("Authorization") != "" {
		t.Error(is(r), proxy.last(t).Method)
	}
	proxy.Close()
	if r := send(t, s, callOf(t, `{}`)); r.Verdict.String() != "passing" || !r.Down {
		t.Error(is(r))
	}
}

// Connections are used again, whatever the answers were, and are let go at the end.
func TestConnectionsAreReused(t *testing.T) {
	var n atomic.Int64
	c := prepared(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader([]int{200, 422, 500}[n.Add(1)%3])
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
	})
	var opened, open atomic.Int64
	c.Config.ConnState = connCounter(&opened, &open)
	c.Start()
	t.Cleanup(c.Close)
	s := newSender(t, rest.Config{URL: c.URL, Connections: 4})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 75 {
				send(t, s, callOf(t, `{}`))
			}
		})
	}
	all.Wait()
	if opened.Load() > 8 {
		t.Errorf("%d connections for 300 calls", opened.Load())
	}
	_ = s.Close()
	for deadline := time.Now().Add(5 * time.Second); open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open", open.Load())
		}
	}
}
