// Package sftp delivers files over SFTP (draft-ietf-secsh-filexfer-02, as OpenSSH speaks it).
//
// A file is written under a temporary name in its own directory, its size is checked, and it is renamed, which
// never overwrites. A file that is there with the same content is a success: the answer to an earlier attempt was lost. With
// other content it is a conflict that an operator has to look at. The file's name holds the transaction's id, so
// that whatever happens there is one file for one transaction.
//
//	attachments ─▶ file ─▶ file.sha256 ─▶ file.done     each whole, in this order
package sftp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast-sync/holdfast/delivery"
)

// Config describes a consumer. Secrets stand in files, which are read for every connection.
type Config struct {
	Address   string // host:port
	User      string
	Directory string // must be there
	// File is a template of the name; default {{.id}}.json. It must hold the transaction's id.
	File string
	Body string // a template; empty: the envelope
	// JSON says that values in Body are escaped as JSON; else they stand as they are.
	JSON bool
	// KnownHostsFile or Fingerprints (SHA256:…) pin the host's key; one of them is needed.
	KnownHostsFile string
	Fingerprints   []string
	KeyFile        string // private key, OpenSSH or PEM
	PassphraseFile string // of the key
	PasswordFile   string
	// SHA256 and Done write file.sha256 (as sha256sum does) and an empty file.done behind the file.
	SHA256, Done bool
	// Attachments is a template of the names of the transaction's files, with .file.sha256 and .file.name; empty: they are not sent.
	Attachments string
	Connections int // at once
	Timeout     time.Duration
}

// Sender writes to one consumer.
type Sender struct {
	cfg              Config
	file, body, each *delivery.Template
	idle             chan *session
}

// New checks a configuration. Its errors name what is wrong and never a secret.
func New(c Config) (*Sender, error) {
	s := &Sender{cfg: c, idle: make(chan *session, max(c.Connections, 1))}
	if s.cfg.File == "" {
		s.cfg.File = "{{.id}}.json"
	}
	for _, check := range []func() error{s.checkPlace, s.parseTemplates, s.pinHost, s.checkAuth} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Sender) checkPlace() error {
	if host, port, err := net.SplitHostPort(s.cfg.Address); err != nil || host == "" || port == "" {
		return errors.New("address: must be host:port")
	}
	if s.cfg.User == "" {
		return errors.New("user: is missing")
	}
	if s.cfg.Directory == "" {
		s.cfg.Directory = "."
	}
	s.cfg.Directory = path.Clean(s.cfg.Directory)
	return nil
}

// What a template must hold: the transaction's own members, and not those of the same name inside of others.
var (
	action      = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	holdsID     = regexp.MustCompile(`\{\{([^}]*[(|\s])?\$?\.(id|key)[)}|\s]`)
	holdsDigest = regexp.MustCompile(`\{\{([^}]*[(|\s])?\$?\.file\.sha256[)}|\s]`)
)

func (s *Sender) parseTemplates() (err error) {
	if s.file, err = delivery.ParseTemplate("file", s.cfg.File, delivery.InName); err != nil {
		return err
	}
	if !holdsID.MatchString(s.cfg.File) {
		return errors.New("file: must hold {{.id}}: it is what tells one transaction's file from another's")
	}
	if err := checkName(action.ReplaceAllString(s.cfg.File, "x")); err != nil {
		return errors.New("file: must be a plain name without a slash or a dot in front; folders stand in directory")
	}
	if s.cfg.Body != "" {
		place := delivery.InText
		if s.cfg.JSON {
			place = delivery.InJSON
		}
		if s.body, err = delivery.ParseTemplate("body", s.cfg.Body, place); err != nil {
			return err
		}
	}
	if s.cfg.Attachments == "" {
		return nil
	}
	if !holdsDigest.MatchString(s.cfg.Attachments) {
		return errors.New("attachments: must hold {{.file.sha256}}: it is what tells one file from another")
	}
	if err := checkName(action.ReplaceAllString(s.cfg.Attachments, "x")); err != nil {
		return errors.New("attachments: must be a plain name without a slash or a dot in front; folders stand in directory")
	}
	s.each, err = delivery.ParseTemplate("attachments", s.cfg.Attachments, delivery.InName)
	return err
}

// pinHost makes the check of the host's key. There is no way to do without.
func (s *Sender) pinHost() error {
	switch {
	case (s.cfg.KnownHostsFile == "") == (len(s.cfg.Fingerprints) == 0):
		return errors.New("hostKey: give knownHostsFile or fingerprints; a host is never trusted without")
	case s.cfg.KnownHostsFile != "":
		_, _, err := s.hostKey()
		return err
	}
	for _, f := range s.cfg.Fingerprints {
		sum, isSHA256 := strings.CutPrefix(f, "SHA256:")
		if raw, err := base64.RawStdEncoding.DecodeString(sum); !isSHA256 || err != nil || len(raw) != 32 {
			return fmt.Errorf("fingerprints: must be as ssh-keygen -l prints them, SHA256:…, not %q", f)
		}
	}
	return nil
}

// hostKey is the check, and the kinds of keys to ask for; none: any. The file is read for every connection, so that a host may
// get another key without a restart of the gateway.
func (s *Sender) hostKey() (ssh.HostKeyCallback, []string, error) {
	if s.cfg.KnownHostsFile != "" {
		known, err := knownhosts.New(s.cfg.KnownHostsFile)
		if err != nil {
			return nil, nil, fmt.Errorf("knownHostsFile: %w", err)
		}
		return known, algorithmsOf(known, s.cfg.Address), nil
	}
	return func(_ string, _ net.Addr, key ssh.PublicKey) error {
		if slices.Contains(s.cfg.Fingerprints, ssh.FingerprintSHA256(key)) {
			return nil
		}
		return errHostKey
	}, nil, nil
}

var errHostKey = errors.New("the host's key is not the one that is pinned")

// algorithmsOf are those of the keys that are known of a host: with the others the server would show a key that is not.
func algorithmsOf(known ssh.HostKeyCallback, address string) (all []string) {
	err := known(address, &net.TCPAddr{IP: net.IPv4zero}, noKey{})
	var other *knownhosts.KeyError
	if !errors.As(err, &other) {
		return nil
	}
	for _, k := range other.Want {
		switch t := k.Key.Type(); t {
		case ssh.KeyAlgoRSA:
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			all = append(all, t)
		}
	}
	return all
}

// noKey is nobody's.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errHostKey }

func (s *Sender) checkAuth() error {
	if s.cfg.KeyFile == "" && s.cfg.PasswordFile == "" {
		return errors.New("auth: keyFile or passwordFile is needed")
	}
	_, err := s.auth()
	return err
}

// auth reads the secrets.
func (s *Sender) auth() (ways []ssh.AuthMethod, err error) {
	if s.cfg.KeyFile != "" {
		pem, err := os.ReadFile(s.cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("keyFile: %w", err)
		}
		signer, err := s.parseKey(pem)
		if err != nil {
			return nil, err
		}
		ways = append(ways, ssh.PublicKeys(signer))
	}
	if s.cfg.PasswordFile != "" {
		password, err := line(s.cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("passwordFile: %w", err)
		}
		ways = append(ways, ssh.Password(password))
	}
	return ways, nil
}

func (s *Sender) parseKey(pem []byte) (ssh.Signer, error) {
	var signer ssh.Signer
	var err error
	if s.cfg.PassphraseFile != "" {
		phrase, readErr := line(s.cfg.PassphraseFile)
		if readErr != nil {
			return nil, fmt.Errorf("passphraseFile: %w", readErr)
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(phrase))
	} else {
		signer, err = ssh.ParsePrivateKey(pem)
	}
	if err != nil {
		return nil, errors.New("keyFile: can't be read as a private key")
	}
	return signer, nil
}

// line reads a file of one line.
func line(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimRight(string(text), "\r\n"), err
}
