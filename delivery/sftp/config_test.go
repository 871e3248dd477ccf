package sftp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast-sync/holdfast/delivery/sftp"
	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// What can't work is found at the start, by its name and without a secret.
func TestConfigurationsThatCanNotBe(t *testing.T) {
	key, locked := newKey(t, ""), newKey(t, secret)
	missing := filepath.Join(t.TempDir(), "missing")
	fingerprint := "SHA256:" + strings.Repeat("A", 43)
	for name, c := range map[string]struct {
		change func(c *sftp.Config)
		want   string
	}{
		"no address":        {func(c *sftp.Config) { c.Address = "" }, "address: must be host:port"},
		"no port":           {func(c *sftp.Config) { c.Address = "drop.example" }, "address: must be host:port"},
		"no host":           {func(c *sftp.Config) { c.Address = ":22" }, "address: must be host:port"},
		"no user":           {func(c *sftp.Config) { c.User = "" }, "user: is missing"},
		"file template":     {func(c *sftp.Config) { c.File = "{{.id" }, "file:1: unclosed action"},
		"unknown member":    {func(c *sftp.Config) { c.File = "{{.id}}{{.nr}}" }, "file: a transaction has no .nr"},
		"no id":             {func(c *sftp.Config) { c.File = "{{.type}}.json" }, "file: must hold {{.id}}"},
		"id of another":     {func(c *sftp.Config) { c.File = "{{.entity.id}}.json" }, "file: must hold {{.id}}"},
		"key of another":    {func(c *sftp.Config) { c.File = "{{ .payload.key }}.id" }, "file: must hold {{.id}}"},
		"folder":            {func(c *sftp.Config) { c.File = "in/{{.id}}.json" }, "file: must be a plain name"},
		"above":             {func(c *sftp.Config) { c.File = "../{{.id}}.json" }, "file: must be a plain name"},
		"hidden":            {func(c *sftp.Config) { c.File = ".{{.id}}.json" }, "file: must be a plain name"},
		"body":              {func(c *sftp.Config) { c.Body = "{{.nr}}" }, "body: a transaction has no .nr"},
		"no digest":         {func(c *sftp.Config) { c.Attachments = "{{.id}}-{{.file.name}}" }, "attachments: must hold {{.file.sha256}}"},
		"digest of another": {func(c *sftp.Config) { c.Attachments = "{{.payload.file.sha256}}" }, "attachments: must hold {{.file.sha256}}"},
		"attachment folder": {func(c *sftp.Config) { c.Attachments = "in/{{.file.sha256}}" }, "attachments: must be a plain name"},
		"attachment":        {func(c *sftp.Config) { c.Attachments = "{{.file.sha256}}{{.nr}}" }, "attachments: a transaction has no .nr"},
		"no host key":       {func(c *sftp.Config) { c.Fingerprints = nil }, "hostKey: give knownHostsFile or fingerprints"},
		"two host keys":     {func(c *sftp.Config) { c.KnownHostsFile = key }, "hostKey: give knownHostsFile or fingerprints"},
		"no known hosts":    {func(c *sftp.Config) { c.Fingerprints, c.KnownHostsFile = nil, missing }, "knownHostsFile: open " + missing},
		"bad known hosts":   {func(c *sftp.Config) { c.Fingerprints, c.KnownHostsFile = nil, file(t, "drop.example ssh-rsa !") }, "knownHostsFile: "},
		"MD5":               {func(c *sftp.Config) { c.Fingerprints = []string{fingerprint, "MD5:00:11"} }, "fingerprints: must be as ssh-keygen -l prints them"},
		"short fingerprint": {func(c *sftp.Config) { c.Fingerprints = []string{fingerprint[:40]} }, "fingerprints: must be as ssh-keygen -l prints them"},
		"no way in":         {func(c *sftp.Config) { c.KeyFile = "" }, "auth: keyFile or passwordFile is needed"},
		"no key":            {func(c *sftp.Config) { c.KeyFile = missing }, "keyFile: open " + missing},
		"no key in it":      {func(c *sftp.Config) { c.KeyFile = file(t, secret) }, "keyFile: can't be read as a private key"},
		"no passphrase":     {func(c *sftp.Config) { c.KeyFile = locked }, "keyFile: can't be read as a private key"},
		"wrong passphrase":  {func(c *sftp.Config) { c.KeyFile, c.PassphraseFile = locked, file(t, secret+"!") }, "keyFile: can't be read as a private key"},
		"passphrase file":   {func(c *sftp.Config) { c.KeyFile, c.PassphraseFile = locked, missing }, "passphraseFile: open " + missing},
		"no password":       {func(c *sftp.Config) { c.PasswordFile = missing }, "passwordFile: open " + missing},
	} {
		config := sftp.Config{Address: "drop.example:22", User: "u", KeyFile: key, Fingerprints: []string{fingerprint}}
		c.change(&config)
		if _, err := sftp.New(config); err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"{{.id}}.json", "{{ .key }}", "{{- .id -}}", "{{lower .id}}.x", "{{.type}}_{{$.id}}", "{{printf \"%s\" .id | upper}}"} {
		config := sftp.Config{Address: "drop.example:22", User: "u", KeyFile: key, Fingerprints: []string{fingerprint}, File: name, Attachments: strings.ReplaceAll(strings.ReplaceAll(name, ".key", ".id"), ".id", ".file.sha256")}
		if _, err := sftp.New(config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// newKey makes a private key in a file.
func newKey(t testing.TB, passphrase string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(pem.EncodeToMemory(block)))
}

// curious is a server that writes down what clients show it, and lets nobody in.
type curious struct {
	address string
	keys    []ssh.PublicKey // of the host: ecdsa, which clients prefer, and ed25519
	mu      sync.Mutex
	shown   []string
}

func newCurious(t *testing.T) *curious {
	t.Helper()
	s := &curious{}
	note := func(what string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.shown = append(s.shown, what)
		return errors.New("no")
	}
	config := &ssh.ServerConfig{
		PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return nil, note(string(password))
		},
		PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, note("key") },
	}
	first, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{first, second} {
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		config.AddHostKey(signer)
		s.keys = append(s.keys, signer.PublicKey())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s.address = l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _, _, _ = ssh.NewServerConn(conn, config); _ = conn.Close() }()
		}
	}()
	return s
}

func (s *curious) saw() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.shown, " ")
}

// A host that is not the one that is pinned is shown nothing: no key, no password.
func TestTheHostIsAnother(t *testing.T) {
	key, password := newKey(t, ""), file(t, secret+"\n")
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ssh.NewPublicKey(stranger.Public())
	if err != nil {
		t.Fatal(err)
	}
	hosts := func(address string, keys ...ssh.PublicKey) string {
		text := ""
		for _, one := range keys {
			text += knownhosts.Line([]string{knownhosts.Normalize(address)}, one) + "\n"
		}
		return text
	}
	for name, c := range map[string]struct {
		pin  func(s *curious, c *sftp.Config)
		want string
	}{
		"known":               {func(s *curious, c *sftp.Config) { c.KnownHostsFile = file(t, hosts(s.address, s.keys[0])) }, "passing! login"},
		"known by the second": {func(s *curious, c *sftp.Config) { c.KnownHostsFile = file(t, hosts(s.address, s.keys[1])) }, "passing! login"},
		"fingerprint": {func(s *curious, c *sftp.Config) {
			c.Fingerprints = []string{ssh.FingerprintSHA256(other), ssh.FingerprintSHA256(s.keys[0])}
		}, "passing! login"},
		"another key":  {func(s *curious, c *sftp.Config) { c.KnownHostsFile = file(t, hosts(s.address, other)) }, "passing! host-key"},
		"another host": {func(s *curious, c *sftp.Config) { c.KnownHostsFile = file(t, hosts("192.0.2.1:22", s.keys...)) }, "passing! host-key"},
		"nobody":       {func(_ *curious, c *sftp.Config) { c.KnownHostsFile = file(t, "") }, "passing! host-key"},
		"revoked": {func(s *curious, c *sftp.Config) {
			c.KnownHostsFile = file(t, "@revoked "+hosts(s.address, s.keys[0])+hosts(s.address, s.keys[0]))
		}, "passing! host-key"},
		"another fingerprint": {func(_ *curious, c *sftp.Config) { c.Fingerprints = []string{ssh.FingerprintSHA256(other)} }, "passing! host-key"},
	} {
		s := newCurious(t)
		config := sftp.Config{Address: s.address, User: "u", KeyFile: key, PasswordFile: password}
		c.pin(s, &config)
		shown := map[bool]string{true: "key " + secret}[c.want == "passing! login"]
		if r := send(t, newSender(t, config), callOf(t, 1, `{}`)); r != c.want || s.saw() != shown {
			t.Errorf("%s: %s, shown %q", name, r, s.saw())
		}
	}
}

// A real server lets in who has the key, and the key's file is read for every connection.
func TestKeys(t *testing.T) {
	s := faultkit.SFTP(t)
	raw, err := ssh.ParseRawPrivateKey([]byte(read(t, s.KeyFile)))
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(raw, "", []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	config := configOf(s)
	config.KeyFile, config.PassphraseFile = file(t, string(pem.EncodeToMemory(block))), file(t, secret+"\n")
	if r := send(t, newSender(t, config), callOf(t, 1, `{}`)); r != "confirmed" {
		t.Error("a passphrase:", r)
	}
	config = configOf(s)
	config.KeyFile = newKey(t, "")
	sender := newSender(t, config)
	if r := send(t, sender, callOf(t, 2, `{}`)); r != "passing! login" {
		t.Error("a stranger's key:", r)
	}
	rewrite(t, config.KeyFile, "")
	if r := send(t, sender, callOf(t, 2, `{}`)); r != "passing! credentials" {
		t.Error("no key:", r)
	}
	rewrite(t, config.KeyFile, read(t, s.KeyFile))
	if r := send(t, sender, callOf(t, 2, `{}`)); r != "confirmed" {
		t.Error("rotated:", r)
	}
	pinned := configOf(s)
	pinned.KnownHostsFile, pinned.Fingerprints = "", []string{s.Fingerprint()}
	byHosts, byFingerprint := newSender(t, configOf(s)), newSender(t, pinned)
	s.ChangeHostKey()
	for _, sender := range []*sftp.Sender{byHosts, byFingerprint} {
		if r := send(t, sender, callOf(t, 3, `{}`)); r != "passing! host-key" {
			t.Error("the host's key has changed:", r)
		}
	}
	s.Trust()
	pinned.Fingerprints = append(pinned.Fingerprints, s.Fingerprint())
	for _, config := range []sftp.Config{configOf(s), pinned} {
		if r := send(t, newSender(t, config), callOf(t, 3, `{}`)); r != "confirmed" {
			t.Error("the new key is known:", r)
		}
	}
}

// A server that is silent from the first octet on holds nobody up, and is at fault only if its time was over.
func TestASilentHandshake(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSender(t, sftp.Config{Address: l.Addr().String(), User: "u", KeyFile: newKey(t, ""), Fingerprints: []string{"SHA256:" + strings.Repeat("A", 43)}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if r := sendIn(ctx, t, s, callOf(t, 1, `{}`)); r != "passing! timeout" || time.Since(began) > 3*time.Second {
		t.Error(r, time.Since(began))
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan string, 1)
	go func() { done <- sendIn(ctx, t, s, callOf(t, 1, `{}`)) }()
	for range 2 { // the second one is the one that waits
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	end()
	if r := <-done; r != "passing interrupted" {
		t.Error(r)
	}
	_ = l.Close()
	if r := send(t, s, callOf(t, 1, `{}`)); r != "passing! unreachable" {
		t.Error(r)
	}
}
