package redact

import (
	"fmt"
	"strings"
	"sync"
)

// Config adds to what is known by itself.
type Config struct {
	// Keys are names whose values are secret, in any spelling (loyaltyPin finds
	// loyalty_pin, LOYALTY-PIN and "myLoyaltyPin"). Letters and digits, 3 to 64.
	Keys []string
	// Patterns are what a secret looks like by itself: literal bytes, and # for a digit,
	// @ for a letter, * for a letter or digit, each exactly one; + behind one of
	// these repeats it. A pattern begins with two literal bytes at least, so that
	// looking for it costs nothing. Example: "HF-####-@@@@" or "hfk_*+".
	Patterns []string
}

// Scanner masks lines. It may be used from many goroutines.
type Scanner struct {
	keys     map[string]kind
	patterns []pattern
	filter   *filter
	passes   sync.Pool
}

// New makes a scanner; an error names the key or pattern that can't be.
func New(cfg Config) (*Scanner, error) {
	s := &Scanner{keys: map[string]kind{}}
	for _, key := range cfg.Keys {
		joined := joinKey(nil, []byte(key))
		if len(joined) < 3 || len(joined) > 64 {
			return nil, fmt.Errorf("redact: the key %q must have 3 to 64 letters and digits", key)
		}
		s.keys[string(joined)] = kindOwn
	}
	for _, text := range cfg.Patterns {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		s.patterns = append(s.patterns, p)
	}
	s.filter = newFilter(s.keys, s.patterns)
	s.passes.New = func() any { return &pass{s: s} }
	return s, nil
}

// Default is a scanner without additions.
var Default = mustNew()

func mustNew() *Scanner {
	s, err := New(Config{})
	if err != nil {
		panic(err)
	}
	return s
}

// Append appends one line (or one event, which may contain line breaks) to dst:
// masked, and encoded so that it is one line. A clean line is copied.
func (s *Scanner) Append(dst, line []byte) []byte {
	if s.Clean(line) {
		return append(dst, line...)
	}
	p, _ := s.passes.Get().(*pass)
	dst = p.run(dst, line)
	if cap(p.view.b) <= maxKept {
		s.passes.Put(p)
	}
	return dst
}

// maxKept bounds the buffers that are kept for the next line.
const maxKept = 1 << 20

// String is Append for texts.
func (s *Scanner) String(text string) string {
	if s.Clean([]byte(text)) {
		return text
	}
	return string(s.Append(nil, []byte(text)))
}

// pattern is a compiled Config pattern.
type pattern struct {
	text  string
	parts []part
}

type part struct {
	class byte // 0: literal, else one of # @ *
	lit   byte
	more  bool
}

func parsePattern(text string) (pattern, error) {
	wrong := func(reason string) (pattern, error) {
		return pattern{}, fmt.Errorf("redact: the pattern %q %s", text, reason)
	}
	p := pattern{text: text}
	if len(text) > 200 {
		return wrong("is longer than 200 bytes")
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c < 0x20 || c > 0x7e:
			return wrong("must be printable ASCII")
		case c == '+' && len(p.parts) > 0 && p.parts[len(p.parts)-1].class != 0:
			p.parts[len(p.parts)-1].more = true
		case strings.IndexByte("#@*", c) >= 0:
			p.parts = append(p.parts, part{class: c})
		default:
			p.parts = append(p.parts, part{lit: c})
		}
	}
	if len(p.parts) < 2 || p.parts[0].class != 0 || p.parts[1].class != 0 {
		return wrong("must begin with two literal bytes")
	}
	if len(p.parts) < 4 {
		return wrong("must have four parts at least")
	}
	return p, nil
}

// maxMatch bounds what a pattern takes.
const maxMatch = 512

// match is how many bytes of b the pattern takes from its beginning, 0 for none.
// It never goes back: a repeated class takes all that it can.
func (p *pattern) match(b []byte) int {
	i := 0
	for _, part := range p.parts {
		if i >= len(b) || !part.takes(b[i]) {
			return 0
		}
		i++
		for part.more && i < min(len(b), maxMatch) && part.takes(b[i]) {
			i++
		}
	}
	return i
}

func (p part) takes(c byte) bool {
	switch p.class {
	case '#':
		return isDigit(c)
	case '@':
		return isLetter(c)
	case '*':
		return isAlnum(c)
	}
	return c == p.lit
}
