package redact

import (
	"encoding/binary"
)

// The classes of bytes at which the first look stops.
const (
	plain uint8 = iota
	control
	beyond // ASCII
	backslash
	percent
	ampersand
	angle
	atSign
	assign // : and =
	open   // ( and [
	digit
	joint // _ - . in which providers' keys show
	lead  // a byte with which a key or a pattern begins
)

// filter is what the first look needs: tables, made once.
type filter struct {
	class [256]uint8
	// tails are the last four letters of names that matter; joints the two bytes before
	// a separator in a provider's prefix, with it; leads the first three of the others.
	tails, shorts, sixes, joints, leads bitset
	// joined are the prefixes with a separator, up to it, by its bits in joints.
	joined map[uint32][]string
	// words stand in text without a separator; grams leads from four bytes to them.
	words []string
	grams [1024]gram
	seen  wideset
}

// wideset is a bitset of 8 KB: hardly a bit is set, so the branch on it is well predicted.
type wideset [1024]uint64

func (s *wideset) add(x uint32)      { h := hash(x) >> 16; s[h>>6] |= 1 << (h & 63) }
func (s *wideset) has(x uint32) bool { h := hash(x) >> 16; return s[h>>6]&(1<<(h&63)) != 0 }

// bitset is a Bloom filter with one hash.
type bitset [256]uint64

func (s *bitset) add(x uint32)      { h := hash(x) >> 18; s[h>>6] |= 1 << (h & 63) }
func (s *bitset) has(x uint32) bool { h := hash(x) >> 18; return s[h>>6]&(1<<(h&63)) != 0 }
func hash(x uint32) uint32          { return x * 0x9e3779b1 }

type gram struct {
	bytes uint32
	word  int16
	at    int16 // offset in the word
}

// stride is how many bytes the search for words goes on at once: no word is
// shorter than stride+3.
const stride = 3

// spokenWords matter without : or = behind them.
var spokenWords = []string{
	"password", "passwort", "passwd", "passphrase", "passcode", "bearer ", "basic ", "identified", "insert", "passport", "license", "licence", "sshpass", "mongo ", "mongosh", "mongodump", "docker login", "az login", "redis-", "mysql ", "mysqldump",
	"mariadb", "curl -", "wget -", "http -", "secret", "ldapsearch", "birth ", "birthd", "born on", "born in", "-----begin", "b3blbnnz", "--token", "token ", "token is", "api-key", "api key", "access key", "access_key", "secret_key", "private_key", "api_key", "access-key", "private-key",
	"private key", "driver", "signature ", "credential", "hooks.slack", "api/webhooks", "contrase", "--pass", " --pwd", "born ja", "born fe", "born ma", "born ap", "born ju", "born au", "born se", "born oc", "born no", "born 0", "born 1", "born 2", "born 3", "born de", "dob ja", "dob fe", "dob ma", "dob ap", "dob ju", "dob au", "dob se", "dob oc", "dob no", "dob de", "verification code", "geboren", "dl no", "dl num", "\"token\"", "'token'", "auth key", "kennwort",
}

func fold4(b []byte) uint32 { return binary.LittleEndian.Uint32(b) | 0x20202020 }
func fold3(a, b, c byte) uint32 {
	return uint32(a) | uint32(b)<<8 | uint32(c)<<16 | 0x202020
}

func newFilter(keys map[string]kind, patterns []pattern) *filter {
	f := &filter{joined: map[uint32][]string{}}
	f.classes()
	tail := func(name string) {
		padded := "  " + name
		x := fold4([]byte(padded[len(padded)-4:]))
		f.tails.add(x)
		if n := len(name); n >= 6 {
			f.sixes.add(six([]byte(name), n))
		} else {
			f.shorts.add(x)
		}
	}
	for _, names := range []map[string]kind{wholeWords, endings, keys} {
		for name, k := range names {
			if k.masks() || (k == kindName || k == kindFiller) && len(name) >= 3 {
				tail(name)
			}
		}
	}
	for name := range trailing {
		if len(name) >= 3 {
			tail(name)
		}
	}
	for _, group := range prefixes {
		for _, p := range group {
			f.prefix(p.text)
		}
	}
	for _, p := range patterns {
		f.class[p.parts[0].lit] = max(f.class[p.parts[0].lit], lead)
	}
	for _, word := range spokenWords {
		if len(word) >= stride+3 {
			f.word(word)
		}
	}
	return f
}

func (f *filter) classes() {
	for c := range f.class {
		switch {
		case c < 0x20 && c != '\t', c == 0x7f:
			f.class[c] = control
		case c >= 0x80:
			f.class[c] = beyond
		case c >= '0' && c <= '9':
			f.class[c] = digit
		}
	}
	for c, class := range map[byte]uint8{
		'\\': backslash, '%': percent, '&': ampersand, '<': angle, '@': atSign, ':': assign, '=': assign, '(': open, '[': open, '_': joint, '-': joint, '.': joint, 'J': lead,
	} {
		f.class[c] = class
	}
}

// prefix finds a provider's key by its first separator, else by its first bytes.
func (f *filter) prefix(text string) {
	for i := 2; i < len(text); i++ {
		if f.class[text[i]] == joint {
			x := fold3(text[i-2], text[i-1], text[i])
			f.joints.add(x)
			f.joined[x] = append(f.joined[x], text[:i+1])
			return
		}
	}
	if isLower(text[0]) {
		return // found by spokenWords, or by the name before it
	}
	if len(text) >= 3 {
		f.leads.add(uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16)
	}
	if f.class[text[0]] == plain {
		f.class[text[0]] = lead
	}
}

func (f *filter) word(text string) {
	f.words = append(f.words, text)
	for at := range stride {
		g := gram{fold4([]byte(text[at : at+4])), int16(len(f.words) - 1), int16(at)}
		h := hash(g.bytes) >> 22
		for f.grams[h].bytes != 0 {
			h = (h + 1) & 1023
		}
		f.grams[h] = g
		f.seen.add(g.bytes)
	}
}

// spoken looks for words; it looks at every stride-th byte only.
func (f *filter) spoken(b []byte) bool {
	for rest := b; len(rest) >= 4; rest = rest[stride:] {
		if x := binary.LittleEndian.Uint32(rest) | 0x20202020; f.seen.has(x) && f.word4(b, len(b)-len(rest), x) {
			return true
		}
	}
	return false
}

func (f *filter) word4(b []byte, i int, x uint32) bool {
	for h := hash(x) >> 22; f.grams[h].bytes != 0; h = (h + 1) & 1023 {
		if g := f.grams[h]; g.bytes == x {
			if from := i - int(g.at); from >= 0 && hasFold(b[from:], f.words[g.word]) {
				return true
			}
		}
	}
	return false
}
