package redact

import "unicode/utf8"

// view is a line as it is to be understood: escapes resolved, invisible characters
// dropped, look-alike dashes and spaces made plain. from and to are the offsets of
// each byte's source; both are nil when the view is the line itself.
type view struct {
	b        []byte
	from, to []int32
	// spare buffers of the next round
	next     []byte
	nextFrom []int32
	nextTo   []int32
	identity bool
}

// maxRounds bounds nesting: JSON in JSON in a URL in JSON.
const maxRounds = 5

func (v *view) source(i int) int {
	if v.identity {
		return i
	}
	return int(v.from[i])
}

func (v *view) sourceEnd(i int) int {
	if v.identity {
		return i + 1
	}
	return int(v.to[i])
}

// width is how many bytes the source of one byte has: 1, 2 for \", 6 for \u0022.
func (v *view) width(i int) int { return v.sourceEnd(i) - v.source(i) }

// reset makes the view of a line.
func (v *view) reset(line []byte) {
	v.identity = true
	v.b = append(v.b[:0], line...)
	v.from, v.to = v.from[:0], v.to[:0]
	for round := range maxRounds {
		if !v.round(round == 0) {
			return
		}
	}
}

// round resolves one level; it says whether anything changed.
func (v *view) round(first bool) bool {
	b := v.b
	i := 0
	for i < len(b) && !v.special(b[i], first) {
		i++
	}
	if i == len(b) {
		return false
	}
	v.next, v.nextFrom, v.nextTo = v.next[:0], v.nextFrom[:0], v.nextTo[:0]
	changed := false
	for i = 0; i < len(b); {
		n, width, text := 1, 1, [4]byte{b[i]}
		if v.special(b[i], first) {
			n, width, text = resolve(b[i:], first)
			changed = changed || width != n || width != 1 || text[0] != b[i]
		}
		for k := range n {
			v.next = append(v.next, text[k])
			v.nextFrom = append(v.nextFrom, int32(v.source(i)))
			v.nextTo = append(v.nextTo, int32(v.sourceEnd(i+width-1)))
		}
		i += width
	}
	if !changed {
		return false
	}
	v.b, v.next = v.next, v.b
	v.from, v.nextFrom = v.nextFrom, v.from
	v.to, v.nextTo = v.nextTo, v.to
	v.identity = false
	return true
}

func (*view) special(c byte, first bool) bool {
	return c == '\\' || c == '%' || c == '&' || c == 0x1b || first && (c < 0x20 || c >= 0x7f)
}

// resolve reads what stands at the beginning of b: n bytes of text for width bytes
// of source. n is 0 for what is invisible.
func resolve(b []byte, first bool) (n, width int, text [4]byte) {
	plain := func(c byte, width int) (int, int, [4]byte) { return 1, width, [4]byte{c} }
	switch c := b[0]; {
	case c == '\\':
		return unescape(b)
	case c == '%':
		if len(b) >= 3 && isHex(b[1]) && isHex(b[2]) {
			if d := unhex(b[1])<<4 | unhex(b[2]); d >= 0x20 && d < 0x7f {
				return plain(d, 3)
			} else if d < 0x20 {
				return plain(' ', 3)
			}
		}
	case c == '&':
		return entity(b)
	case c == 0x1b:
		return 0, escapeSequence(b), text
	case !first:
	case c == 0 || c == '\n' || c == '\r' || c == 0x0b || c == 0x0c:
		return plain('\n', 1)
	case c == '\t':
		return plain(' ', 1)
	case c < 0x20 || c == 0x7f:
		return 0, 1, text
	case c >= 0x80:
		return unicodeRune(b)
	}
	return plain(b[0], 1)
}

// unescape resolves a backslash as JSON, Go and shells write it.
func unescape(b []byte) (n, width int, text [4]byte) {
	if len(b) < 2 {
		return 1, 1, [4]byte{'\\'}
	}
	switch c := b[1]; c {
	case '"', '\'', '\\', '/', '`', '=', ':', '<', '>', '@':
		return 1, 2, [4]byte{c}
	case 'n', 'r':
		return 1, 2, [4]byte{'\n'}
	case 't':
		return 1, 2, [4]byte{' '}
	case 'x':
		if len(b) >= 4 && isHex(b[2]) && isHex(b[3]) {
			return visible(rune(unhex(b[2])<<4|unhex(b[3])), 4)
		}
	case 'u':
		if r, ok := hex4(b[2:]); ok {
			return visible(r, 6)
		}
	}
	return 1, 1, [4]byte{'\\'}
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		if !isHex(c) {
			return 0, false
		}
		r = r<<4 | rune(unhex(c))
	}
	return r, true
}

// entity resolves &quot; and its like.
func entity(b []byte) (n, width int, text [4]byte) {
	for name, c := range [...]struct {
		name string
		c    byte
	}{{"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}} {
		_ = name
		if hasFold(b, c.name) {
			return 1, len(c.name), [4]byte{c.c}
		}
	}
	if len(b) < 4 || b[1] != '#' {
		return 1, 1, [4]byte{'&'}
	}
	i, base := 2, rune(10)
	if b[2]|0x20 == 'x' {
		i, base = 3, 16
	}
	r, from := rune(0), i
	for i < len(b) && i < from+6 && (isDigit(b[i]) || base == 16 && isHex(b[i])) {
		r = r*base + rune(unhex(b[i]))
		i++
	}
	if i == from || i == len(b) || b[i] != ';' {
		return 1, 1, [4]byte{'&'}
	}
	return visible(r, i+1)
}

// unicodeRune reads one rune beyond ASCII; a byte that is none is dropped.
func unicodeRune(b []byte) (n, width int, text [4]byte) {
	r, width := utf8.DecodeRune(b)
	if r == utf8.RuneError && width <= 1 {
		return 0, 1, text
	}
	return visible(r, width)
}

// visible is how a rune counts in the view.
func visible(r rune, width int) (int, int, [4]byte) {
	var text [4]byte
	switch {
	case r == '\n' || r == '\r' || r == 0 || r == 0x2028 || r == 0x2029 || r == 0x85:
		return 1, width, [4]byte{'\n'}
	case r == '\t' || r == 0xa0 || r == 0x202f || r == 0x3000 || r >= 0x2000 && r <= 0x200a:
		return 1, width, [4]byte{' '}
	case r >= 0x2010 && r <= 0x2015 || r == 0x2212 || r == 0xfe58 || r == 0xfe63:
		return 1, width, [4]byte{'-'}
	case r == 0x2018 || r == 0x2019:
		return 1, width, [4]byte{'\''}
	case r >= 0xff01 && r <= 0xff5e:
		return 1, width, [4]byte{byte(r - 0xff01 + '!')}
	case r == 0x1b:
		return 1, width, [4]byte{0x1b}
	case r < 0x20 || r >= 0x7f && r <= 0x9f || invisible(r):
		return 0, width, text
	}
	return utf8.EncodeRune(text[:], r), width, text
}

// invisible says of runes that show nothing, or change how others are shown, and
// are no part of any word: soft hyphen, bidi controls, zero width, tags.
func invisible(r rune) bool {
	switch {
	case r == 0xad, r == 0x61c, r == 0x180e, r == 0x200b, r == 0xfeff,
		r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

// escapeSequence is the length of a terminal's escape sequence (ECMA-48): CSI to
// its final byte, OSC to BEL or ST, else ESC alone.
func escapeSequence(b []byte) int {
	if len(b) < 2 {
		return 1
	}
	switch b[1] {
	case '[':
		for i := 2; i < min(len(b), 32); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
			if b[i] < 0x20 || b[i] > 0x3f {
				return i
			}
		}
		return 2
	case ']':
		return 2
	}
	return 1
}
