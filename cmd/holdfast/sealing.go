package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // zones also where the machine has none

	"github.com/holdfast-sync/holdfast/audit"
	"github.com/holdfast-sync/holdfast/internal/settings"
)

// zonesOf reads the stores' time zones.
func zonesOf(s *settings.Settings) (audit.Zones, error) {
	z := audit.Zones{Shops: map[string]*time.Location{}}
	var err error
	if z.Default, err = time.LoadLocation(s.Audit.TimeZone); err != nil {
		return z, s.Wrong("audit.timeZone", fmt.Sprintf("there is no time zone %q; a name is like Europe/Berlin", s.Audit.TimeZone))
	}
	for one := range strings.SplitSeq(s.Audit.TimeZones, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		shop, name, found := strings.Cut(one, "=")
		if !found || shop == "" {
			return z, s.Wrong("audit.timeZones", fmt.Sprintf("%q is not store=zone, for example 0042=Europe/Berlin", one))
		}
		if z.Shops[shop], err = time.LoadLocation(name); err != nil || name == "" {
			return z, s.Wrong("audit.timeZones", fmt.Sprintf("there is no time zone %q; a name is like Europe/Berlin", name))
		}
	}
	return z, nil
}

// sealingKey is the key of the settings; with the embedded database, and none given, one
// in the data directory, which is made when it is not there and make is true. Nil: none.
func sealingKey(s *settings.Settings, make bool) (ed25519.PrivateKey, error) {
	if text := s.Audit.SealingKey; text != "" {
		key, err := parseKey(text)
		if err != nil {
			return nil, s.Wrong("audit.sealingKey", "can't be read; holdfast audit key makes one")
		}
		return key, nil
	}
	if !s.Embedded() {
		return nil, nil
	}
	path := filepath.Join(s.DataDir, "audit.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !make {
			return nil, nil
		}
		return newKeyFile(path)
	}
	if err != nil {
		return nil, failed("the audit log's key: %w", err)
	}
	key, err := parseKey(string(text))
	if err != nil {
		return nil, failed("%s is no key; move it away, and name its public key in audit.trustedKeys if you know it", path)
	}
	return key, nil
}

func newKeyFile(path string) (ed25519.PrivateKey, error) {
	key, text, err := newKey()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return nil, failed("the audit log's key: %w", err)
	}
	return key, nil
}

func newKey() (key ed25519.PrivateKey, text []byte, err error) {
	_, key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return key, append(base64.StdEncoding.AppendEncode(nil, der), '\n'), err
}

// errKey says nothing of what it could not read.
var errKey = errors.New("not an Ed25519 key in PKCS 8")

// parseKey reads PEM, or the base64 of its inside or of all of it.
func parseKey(text string) (ed25519.PrivateKey, error) {
	text = strings.TrimSpace(text)
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(raw)
	}
	der := []byte(text)
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errKey
	}
	return key, nil
}

// trustedKeys are the public keys that segments may be signed with.
func trustedKeys(s *settings.Settings, own ed25519.PrivateKey) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	if own != nil {
		public, _ := own.Public().(ed25519.PublicKey)
		keys = append(keys, public)
	}
	for one := range strings.SplitSeq(s.Audit.TrustedKeys, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(one)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, s.Wrong("audit.trustedKeys", "must be public keys as holdfast audit key prints them, with commas between")
		}
		keys = append(keys, raw)
	}
	return keys, nil
}
