package redact

import (
	"unicode/utf8"
)

// Clean says that a line holds nothing to mask and nothing to encode. When it
// does not say so, [Scanner.Append] looks closer, and may leave the line as it is.
// It reads each byte a bounded number of times and allocates nothing.
func (s *Scanner) Clean(b []byte) bool { return s.stain(b) < 0 }

// stain is the first place that needs a second look, -1 for none.
func (s *Scanner) stain(b []byte) int {
	f := s.filter
	if f.spoken(b) {
		return 0
	}
	for i := 0; ; {
		for i < len(b) && f.class[b[i]] == plain {
			i++
		}
		if i >= len(b) {
			return -1
		}
		switch class := f.class[b[i]]; class {
		case digit:
			// Most numbers are short and stand alone: a time, a version, a count.
			end := i + 1
			for end < len(b) && isDigit(b[end]) {
				end++
			}
			if end-i < 3 && !goesOn(b, end) && (i == 0 || !isLetter(b[i-1])) && !afterBirth(b, i) {
				i = end
				continue
			}
			next := s.digits(b, i, end)
			if next < 0 {
				return i
			}
			i = next
		case joint:
			if i >= 2 && f.joints.has(fold3(b[i-2], b[i-1], b[i])) && f.keyAt(b, i) {
				return i
			}
			if b[i] == '-' && i >= 8 && i+28 <= len(b) && b[i+5] == '-' && uuidAt(b, i-8) {
				i += 27
			}
			i++
		case assign:
			if i > 0 && f.tailBefore(b, i) && s.assigned(b, i) {
				return i
			}
			i++
		default:
			next := s.stop(class, b, i)
			if next < 0 {
				return i
			}
			i = next
		}
	}
}

// afterBirth finds the day of "dob 17 May 1980".
func afterBirth(b []byte, i int) bool {
	return i >= 4 && b[i-1] == ' ' && b[i-2]|0x20 == 'b' && b[i-3]|0x20 == 'o' && b[i-4]|0x20 == 'd'
}

// goesOn says whether what stands behind a number may make it a part of a longer
// one, or of a word.
func goesOn(b []byte, end int) bool {
	if end == len(b) || !tying[b[end]] {
		return false
	}
	c := b[end]
	if isLetter(c) || c == '_' {
		return true
	}
	return end+1 < len(b) && (isDigit(b[end+1]) || b[end+1] == '(' || c != b[end+1] && (b[end+1] == ' ' || b[end+1] == '-' || b[end+1] == '.'))
}

// tying are the bytes that can stand behind a number that goes on.
var tying = func() (t [256]bool) {
	for c := range t {
		t[c] = isLetter(byte(c)) || c == '_' || c == '-' || c == '.' || c == '/' || c == ')' || c == ' ' || c == '+'
	}
	return t
}()

// tailBefore is the frequent half of [Scanner.assigned]: a name, perhaps a quote, the : or =.
func (f *filter) tailBefore(b []byte, i int) bool {
	k := i - 1
	switch c := b[k]; {
	case isDigit(c) && b[i] == ':' && i+1 < len(b) && isDigit(b[i+1]): // 10:15
		return false
	case c == '"' && k >= 1 && b[k-1] != '\\':
		return f.tail(b, k)
	case isLetter(c):
		return f.tail(b, i)
	}
	return true
}

// stop looks at one byte; it answers where to go on, or -1 for a line that needs
// a second look.
func (s *Scanner) stop(class uint8, b []byte, i int) int {
	at := func(k int) byte {
		if k < 0 || k >= len(b) {
			return 0
		}
		return b[k]
	}
	dirty := false
	switch class {
	case control:
		dirty = true
	case beyond:
		r, width := utf8.DecodeRune(b[i:])
		if n, _, text := visible(r, width); r == utf8.RuneError || forges(r) || n == 0 || n == 1 && text[0] < 0x80 {
			return -1
		}
		return i + width
	case backslash:
		end := i
		for at(end) == '\\' { // a whole run at once: \\u0061 in JSON in JSON
			end++
		}
		switch at(end) {
		case 'u', 'x':
			return -1
		case 'n', 'r', 't':
			end++
		}
		return end
	case percent:
		dirty = isHex(at(i+1)) && isHex(at(i+2))
	case ampersand:
		dirty = reference(b[i:])
	case angle:
		dirty = markup(b, i) || s.tag(b, i+1)
	case atSign:
		dirty = address(b, i)
	case open:
		dirty = isQuote(at(i+1)) && s.tuple(b, i+2)
	case lead:
		dirty = s.begins(b, i)
	}
	if dirty {
		return -1
	}
	return i + 1
}

// keyAt says whether a provider's key has the separator at i in its prefix.
func (f *filter) keyAt(b []byte, i int) bool {
	for _, text := range f.joined[fold3(b[i-2], b[i-1], b[i])] {
		if from := i + 1 - len(text); from >= 0 && string(b[from:i+1]) == text && tokenAt(b, from) > 0 {
			return true
		}
	}
	return false
}

// begins says whether a key or a pattern begins at i.
func (s *Scanner) begins(b []byte, i int) bool {
	if b[i] == 'J' && i >= 2 && b[i-1] == 'y' && b[i-2] == 'e' {
		return true
	}
	for k := range s.patterns {
		if b[i] == s.patterns[k].parts[0].lit && s.patterns[k].match(b[i:]) > 0 {
			return true
		}
	}
	if i+3 > len(b) || i > 0 && isAlnum(b[i-1]) {
		return false
	}
	if !s.filter.leads.has(uint32(b[i])|uint32(b[i+1])<<8|uint32(b[i+2])<<16) && (b[i] != 'S' || b[i+1] != 'K') {
		return false
	}
	return tokenAt(b, i) > 0
}
