package auth

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sync/holdfast"
)

// A token reads hf_<id>_<secret>: 10 characters of base32 in lower case, which
// name it in public, and 64 hexadecimal digits, 256 bits that nobody else knows.
const (
	tokenPrefix  = "hf_"
	idChars      = 10
	idBytes      = 7 // 56 bits; the first 50 of them become the id
	secretBytes  = 32
	tokenChars   = len(tokenPrefix) + idChars + 1 + 2*secretBytes
	idAlphabet   = "abcdefghijklmnopqrstuvwxyz234567"
	hexLowercase = "0123456789abcdef"
)

var idEncoding = base32.NewEncoding(idAlphabet).WithPadding(base32.NoPadding)

// NewToken makes a token from random bytes: the secret, which is shown once and
// kept nowhere, and what is kept, with ID and Hash set. The hash is a plain
// SHA-256: 256 random bits need no slow one.
func NewToken(random io.Reader) (secret string, token holdfast.Token, err error) {
	var b [idBytes + secretBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", holdfast.Token{}, fmt.Errorf("make a token: %w", err)
	}
	id := idEncoding.EncodeToString(b[:idBytes])[:idChars]
	secret = tokenPrefix + id + "_" + hex.EncodeToString(b[idBytes:])
	return secret, holdfast.Token{ID: id, Hash: sha256.Sum256([]byte(secret))}, nil
}

// tokenID is the id in the text of a token; false for what has another form.
func tokenID(bearer string) (string, bool) {
	if len(bearer) != tokenChars || !strings.HasPrefix(bearer, tokenPrefix) {
		return "", false
	}
	id, secret := bearer[len(tokenPrefix):len(tokenPrefix)+idChars], bearer[len(tokenPrefix)+idChars+1:]
	if bearer[len(tokenPrefix)+idChars] != '_' || !only(id, idAlphabet) || !only(secret, hexLowercase) {
		return "", false
	}
	return id, true
}

func only(s, alphabet string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}
