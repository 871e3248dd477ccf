package jsonscan

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is a string as it stands in a JSON text, without its quotes.
type Text struct {
	raw     []byte
	escaped bool
}

// plain marks the bytes that a string may hold as they are: neither a quote, a
// backslash, a control character, nor part of a longer UTF-8 sequence.
var plain = func() (table [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// Each of these has the high bit of every byte, or its low bit.
const (
	highs = 0x8080808080808080
	ones  = 0x0101010101010101
)

// eightPlain says whether all eight bytes are plain. It may err towards false.
func eightPlain(w uint64) bool {
	quote, slash := w^('"'*ones), w^('\\'*ones)
	return (w|(w-0x20*ones)|(quote-ones)|(slash-ones))&highs == 0
}

// Text reads the string that comes next.
func (s *Scanner) Text() Text {
	if s.err != nil {
		return Text{}
	}
	if s.peek() != '"' {
		s.fail(s.pos, "a string was expected")
		return Text{}
	}
	s.pos++
	start, escaped := s.pos, false
	data, i := s.data, s.pos
	for {
		for i+8 <= len(data) && eightPlain(binary.LittleEndian.Uint64(data[i:])) {
			i += 8
		}
		for i < len(data) && plain[data[i]] {
			i++
		}
		if i >= len(data) {
			s.unended()
			return Text{}
		}
		switch c := data[i]; {
		case c == '"':
			s.pos = i + 1
			return Text{raw: data[start:i], escaped: escaped}
		case c == '\\':
			n := escapeLength(data[i:])
			if n == 0 {
				s.fail(i, "a string holds a misspelled escape")
				return Text{}
			}
			escaped = true
			i += n
		case c < 0x20:
			s.fail(i, "a string holds a control character")
			return Text{}
		default:
			r, n := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && n <= 1 {
				s.fail(i, "the text is not valid UTF-8")
				return Text{}
			}
			i += n
		}
	}
}

// escapeLength is how long the escape at the beginning of b is, 0 if it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// longestEscape is what one byte takes at most: \u0069.
const longestEscape = 6

// Raw is the string as it stands in the text, escapes and all.
func (t Text) Raw() []byte { return t.raw }

// Is says whether the string, unescaped, is name.
func (t Text) Is(name string) bool {
	if !t.escaped {
		return string(t.raw) == name
	}
	if len(t.raw) > longestEscape*len(name) {
		return false
	}
	decoded, _ := t.Bytes()
	return string(decoded) == name
}

// Bytes is the string unescaped. Clean is false when it holds U+0000 or half a
// surrogate pair, which no Unicode string of a database or a file name can hold.
// Without escapes the bytes are those of the text itself.
func (t Text) Bytes() (b []byte, clean bool) {
	if !t.escaped {
		return t.raw, true
	}
	return t.append(make([]byte, 0, len(t.raw)))
}

// append unescapes. Half a surrogate pair becomes the three bytes that UTF-8
// would have for it (WTF-8), so that it stays distinct from every other string.
func (t Text) append(b []byte) ([]byte, bool) {
	if !t.escaped {
		return append(b, t.raw...), true
	}
	clean := true
	for raw := t.raw; len(raw) > 0; {
		if run := bytes.IndexByte(raw, '\\'); run != 0 {
			if run < 0 {
				run = len(raw)
			}
			b = append(b, raw[:run]...)
			raw = raw[run:]
			continue
		}
		if raw[1] != 'u' {
			b = append(b, unescaped[raw[1]])
			raw = raw[2:]
			continue
		}
		r, n := codePoint(raw)
		raw = raw[n:]
		if utf16.IsSurrogate(r) {
			clean = false
			b = append(b, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
			continue
		}
		clean = clean && r != 0
		b = utf8.AppendRune(b, r)
	}
	return b, clean
}

// codePoint reads a valid \u escape, or two that are a surrogate pair, and how
// long it is. It is a surrogate when there is only half a pair.
func codePoint(raw []byte) (rune, int) {
	r, _ := hex4(raw[2:])
	if !utf16.IsSurrogate(r) || len(raw) < 12 || raw[6] != '\\' || raw[7] != 'u' {
		return r, 6
	}
	low, _ := hex4(raw[8:])
	if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
		return pair, 12
	}
	return r, 6
}

// length is how many bytes the string unescaped has.
func (t Text) length() int {
	if !t.escaped {
		return len(t.raw)
	}
	n := 0
	for raw := t.raw; len(raw) > 0; {
		run := bytes.IndexByte(raw, '\\')
		switch {
		case run < 0:
			return n + len(raw)
		case raw[run+1] != 'u':
			n++
			raw = raw[run+2:]
		default:
			r, size := codePoint(raw[run:])
			n += runeLength(r)
			raw = raw[run+size:]
		}
		n += run
	}
	return n
}

func runeLength(r rune) int {
	if utf16.IsSurrogate(r) {
		return 3
	}
	return utf8.RuneLen(r)
}

var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
