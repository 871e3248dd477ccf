package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNewTokenMakesASecretOfItsForm(t *testing.T) {
	form := regexp.MustCompile(`^hf_[a-z2-7]{10}_[0-9a-f]{64}$`)
	seen := map[string]bool{}
	for range 200 {
		secret, token, err := NewToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(secret) {
			t.Fatalf("secret %q is not of the form", secret)
		}
		if id, ok := tokenID(secret); !ok || id != token.ID {
			t.Fatalf("the id of %q is read as %q (%t), want %q", secret, id, ok, token.ID)
		}
		if token.Hash != sha256.Sum256([]byte(secret)) {
			t.Fatal("the hash is not that of the whole secret")
		}
		if seen[token.ID] {
			t.Fatalf("id %q twice", token.ID)
		}
		seen[token.ID] = true
	}
}

func TestNewTokenIsMadeOfTheRandomBytesOnly(t *testing.T) {
	secret, _, err := NewToken(bytes.NewReader(make([]byte, 39)))
	if err != nil || secret != "hf_aaaaaaaaaa_"+strings.Repeat("0", 64) {
		t.Fatalf("from zeros: %q, %v", secret, err)
	}
	if _, _, err := NewToken(bytes.NewReader(make([]byte, 38))); err == nil {
		t.Fatal("a token was made of too few random bytes")
	}
	broken := errors.New("no randomness")
	if _, _, err := NewToken(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
}

func TestTokenIDRefusesOtherForms(t *testing.T) {
	good := "hf_abcdefghij_" + strings.Repeat("0a", 32)
	if _, ok := tokenID(good); !ok {
		t.Fatal("the good one is refused")
	}
	for name, bad := range map[string]string{
		"empty": "", "short": good[:len(good)-1], "long": good + "0", "prefix": "hx" + good[2:],
		"upper id": strings.Replace(good, "abc", "ABC", 1), "upper secret": good[:len(good)-1] + "A",
		"id of other characters": strings.Replace(good, "a", "0", 1), "no separator": strings.Replace(good, "j_", "jj", 1),
		"space": strings.Replace(good, "0a", " a", 1),
	} {
		if id, ok := tokenID(bad); ok {
			t.Errorf("%s: %q is read as the token %q", name, bad, id)
		}
	}
}

func FuzzTokenID(f *testing.F) {
	f.Add("hf_abcdefghij_" + strings.Repeat("0a", 32))
	f.Add("hf__")
	f.Fuzz(func(t *testing.T, bearer string) {
		id, ok := tokenID(bearer)
		if ok != (len(bearer) == tokenChars && bearer[:3] == "hf_" && bearer[13] == '_' && id == bearer[3:13]) && ok {
			t.Fatalf("%q is read as %q", bearer, id)
		}
	})
}
