package redact

import (
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// write puts the line together: what is no span is encoded, spans are masked.
func (p *pass) write(dst, line []byte) []byte {
	style := styleOf(line)
	at := 0
	for i := 0; i < len(p.spans); i++ {
		s := p.spans[i]
		for i+1 < len(p.spans) && p.spans[i+1].from < s.to { // overlapping: one mask
			if next := p.spans[i+1]; next.to > s.to {
				s.to = next.to
			}
			i++
		}
		if s.from < at {
			continue
		}
		dst = appendEncoded(dst, line[at:s.from], style)
		if s.quote {
			dst = append(dst, '"')
		}
		if s.card {
			dst = append(append(append(dst, "[REDACTED "...), s.keep[:]...), ']')
		} else {
			dst = append(dst, "[REDACTED]"...)
		}
		if s.quote {
			dst = append(dst, '"')
		}
		at = s.to
	}
	return appendEncoded(dst, line[at:], style)
}

// style is what has to be encoded in a line.
type style struct {
	html bool // < > &: something looks like markup
	tab  bool // other control characters stand beside
}

func styleOf(line []byte) (s style) {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '<':
			s.html = s.html || markup(line, i)
		case c == '&':
			s.html = s.html || reference(line[i:])
		case c < 0x20 && c != '\t':
			s.tab = true
		}
	}
	return s
}

// markup says whether < begins something that a browser acts on: an element of
// HTML, SVG or MathML, one with attributes, a comment, a declaration; and not a
// comparison, an arrow, a <placeholder> or a generic type.
func markup(b []byte, i int) bool {
	if i+1 >= len(b) {
		return false
	}
	c := b[i+1]
	if c == '!' || c == '?' || c == '%' {
		return i+2 < len(b) && (isLetter(b[i+2]) || b[i+2] == '-' || b[i+2] == '[')
	}
	from := i + 1
	if c == '/' {
		from++
	}
	end := run(b, from, 16, isAlnum)
	if end == from || !isLetter(b[from]) {
		return false
	}
	var name [16]byte
	for k, c := range b[from:end] {
		name[k] = lower(c)
	}
	next := byte('>')
	if end < len(b) {
		next = b[end]
	}
	if elements[string(name[:end-from])] && (next == '>' || next == '/' || next < 0x21) {
		return i == 0 || !isAlnum(b[i-1]) || !isUpper(b[from]) || next != '>' // List<Object>
	}
	if next == '/' { // <x/onload=…
		return hasByte(b[end:min(len(b), end+64)], '=')
	}
	if next != ' ' && next != '\t' {
		return false
	}
	attribute := run(b, end+1, 32, func(c byte) bool { return isAlnum(c) || c == '-' || c == '_' || c == ':' || c == ' ' })
	return attribute < len(b) && b[attribute] == '=' && attribute > end+1
}

// elements are those of HTML (WHATWG, with the obsolete ones), SVG and MathML.
var elements = func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(`a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body br button canvas caption center cite code
		col colgroup command content data datalist dd del details dfn dialog dir div dl dt element em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html
		i iframe image img input ins isindex kbd keygen label legend li link listing main map mark marquee math menu menuitem meta meter multicol nav nobr noembed noframes noscript object ol optgroup option
		output p param picture plaintext portal pre progress q rb rp rt rtc ruby s samp script search section select shadow slot small source spacer span strike strong style sub summary sup svg table tbody td template
		textarea tfoot th thead time title tr track tt u ul var video wbr xmp animate animatemotion animatetransform circle defs desc ellipse foreignobject g line path polygon polyline rect set symbol text tspan use view`) {
		names[name] = true
	}
	return names
}()

// reference says whether & begins an HTML character reference.
func reference(b []byte) bool {
	if len(b) > 2 && b[1] == '#' {
		return isDigit(b[2]) || b[2]|0x20 == 'x'
	}
	end := run(b, 1, 32, isAlnum)
	return end > 2 && end < len(b) && b[end] == ';' && isLetter(b[1])
}

// appendEncoded copies bytes and encodes what would break a line, move a cursor,
// turn text around or be markup: \n, \r, \t, \u001b, \u003c. A byte that is no
// UTF-8 becomes \u00ff with its value.
func appendEncoded(dst, b []byte, s style) []byte {
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c >= 0x20 && c < 0x7f:
			if s.html && (c == '<' || c == '>' || c == '&') {
				dst = appendEscape(dst, rune(c))
			} else {
				dst = append(dst, c)
			}
			i++
		case c == '\n':
			dst = append(dst, `\n`...)
			i++
		case c == '\r':
			dst = append(dst, `\r`...)
			i++
		case c == '\t':
			if s.tab {
				dst = append(dst, `\t`...)
			} else {
				dst = append(dst, c)
			}
			i++
		case c < 0x80:
			dst = appendEscape(dst, rune(c))
			i++
		default:
			r, width := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && width == 1 {
				dst = appendEscape(dst, rune(c))
			} else if forges(r) {
				dst = appendEscape(dst, r)
			} else {
				dst = append(dst, b[i:i+width]...)
			}
			i += width
		}
	}
	return dst
}

// forges says of runes beyond ASCII that never stand raw in the output: C1
// controls, line and paragraph separators, bidi controls (Unicode TR 9), zero
// width space and byte order mark, tags. Joiners stay: words and emoji need them.
func forges(r rune) bool {
	if r == 0x200c || r == 0x200d || r == 0xad {
		return false
	}
	return r >= 0x80 && r <= 0x9f || r == 0x2028 || r == 0x2029 || invisible(r)
}

func appendEscape(dst []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		dst = appendEscape(dst, 0xd800+r>>10)
		r = 0xdc00 + r&0x3ff
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
