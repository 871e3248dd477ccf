package redact

// valueLimit bounds a value that nothing ends.
const valueLimit = 1 << 16

// personalLimit bounds a personal value, in which other names may stand.
const personalLimit = 256

// valueOf masks the value of a name of a kind.
func (p *pass) valueOf(k kind, s sep, start, value int) {
	if value >= len(p.b) || s == sepNone {
		return
	}
	from, to, quoted := p.extent(k, s, start, value)
	p.steps += to - value
	if from >= to {
		return
	}
	switch {
	case k.personal():
		p.personalValue(k, from)
	case placeholder(p.b[from:to]):
	case !quoted && !p.own && s != sepXML && (p.ordinary(s, from, to) || p.trivial(start, from, to)):
	default:
		p.mask(from, to)
	}
}

// extent finds where a value begins and ends.
func (p *pass) extent(k kind, s sep, start, value int) (from, to int, quoted bool) {
	b := p.b
	switch c := b[value]; {
	case s == sepXML:
		return p.element(value)
	case isQuote(c):
		limit := valueLimit
		if k.personal() {
			limit = personalLimit
		}
		to = p.closingWithin(value, limit)
		from = value + 1
		if k == kindHeader {
			from = p.behindScheme(from, to)
		}
		return from, to, true
	case hasByte([]byte("burENB"), c) && isQuote(p.byteAt(value+1)): // of Python, SQL
		return value + 2, p.closing(value + 1), true
	case c == '[' && p.byteAt(value+1) == ']' && hasFold(b[value:], "[]byte("):
		return p.extent(k, s, start, value+7)
	case c == '[':
		if to = p.bracket(value); hasByte(b[value:to], '{') {
			return value, value, false
		}
		from = value + 1
		if k == kindHeader {
			from = p.behindScheme(from, to)
		}
		return from, to, true
	case c == '{':
		return value, value, false
	case c == '(' && isQuote(p.byteAt(value+1)):
		return p.extent(k, s, start, value+1)
	case s == sepCall:
		return value, value, false
	case s == sepTuple:
		return value, value, false
	case k == kindHeader:
		return p.header(start, value)
	case k == kindCookie:
		return value, p.cookies(value), true
	}
	return value, p.unquoted(value), false
}

// closing is the position of the quote that ends what the quote at i begins: the
// first of the same kind that is not written with more escapes.
func (p *pass) closing(i int) int { return p.closingWithin(i, valueLimit) }

func (p *pass) closingWithin(i, limit int) int {
	width := p.view.width(i)
	end := min(len(p.b), i+limit)
	for k := i + 1; k < end; k++ {
		if p.b[k] != p.b[i] || p.view.width(k) > width {
			continue
		}
		if p.b[i] == '\'' && p.byteAt(k+1) == '\'' && k+1 < end { // SQL: ''
			k++
			continue
		}
		if p.b[i] == '\'' && isLetter(p.byteAt(k+1)) && p.b[k-1] != ' ' && k > i+1 {
			continue // it's
		}
		return k
	}
	return end
}

func (p *pass) bracket(i int) int {
	end := min(len(p.b), i+1024)
	depth := 0
	for k := i; k < end; k++ {
		switch p.b[k] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return k
			}
		case '\n':
			return k
		}
	}
	return end
}

func hasByte(b []byte, c byte) bool {
	for _, d := range b {
		if d == c {
			return true
		}
	}
	return false
}

// element is the text of an XML element.
func (p *pass) element(value int) (from, to int, quoted bool) {
	const cdata = "<![cdata["
	if hasFold(p.b[value:], cdata) {
		from = value + len(cdata)
		for to = from; to < len(p.b) && to < from+valueLimit; to++ {
			if p.b[to] == ']' && p.byteAt(to+1) == ']' {
				break
			}
		}
		return from, to, true
	}
	to = value
	for to < len(p.b) && to < value+valueLimit && p.b[to] != '<' {
		to++
	}
	for value < to && isSpace(p.b[value]) {
		value++
	}
	return value, to, true
}

// header is the credentials of an Authorization header outside of quotes: behind
// the scheme, with all of its parameters.
func (p *pass) header(start, value int) (from, to int, quoted bool) {
	from = p.behindScheme(value, len(p.b))
	if end := run(p.b, value, 32, isLetter); from == value && isScheme(p.b[value:end]) { // the word alone
		return value, value, false
	}
	for to = from; ; {
		to = p.headerPart(start, to)
		next := to
		for next < len(p.b) && next < to+4 && (isBlank(p.b[next]) || p.b[next] == ',') {
			next++
		}
		if next == to || next >= len(p.b) || p.byteAt(to-1) != ',' && p.byteAt(to) != ',' || !isLetter(p.b[next]) {
			break
		}
		to = next
	}
	for to > from && (p.b[to-1] == ',' || p.b[to-1] == ';') {
		to--
	}
	return from, to, from > value
}

// headerPart is a run without blanks, except inside of quotes of its own.
func (p *pass) headerPart(start, i int) int {
	outer := p.byteAt(start - 1)
	first := i
	for i < len(p.b) && i < first+4096 {
		c := p.b[i]
		switch {
		case isSpace(c), c == '}', c == ']', c == '<':
			return i
		case isQuote(c) && (c == outer || i == first || p.b[i-1] != '='):
			return i
		case isQuote(c):
			i = min(len(p.b)-1, p.closing(i))
		case c == ',' && isBlank(p.byteAt(i+1)):
			return i
		}
		i++
	}
	return i
}

// schemes stand before credentials (IANA HTTP Authentication Scheme Registry, and
// what is used beside it).
var schemes = map[string]bool{
	"bearer": true, "basic": true, "digest": true, "token": true, "apikey": true, "api-key": true, "negotiate": true, "ntlm": true, "hawk": true, "oauth": true,
	"aws4-hmac-sha256": true, "aws": true, "signature": true, "key": true, "sharedkey": true, "sharedkeylite": true, "sharedaccesssignature": true, "dpop": true, "gnap": true, "mutual": true,
	"scram-sha-256": true, "scram-sha-1": true, "vapid": true, "goog4-rsa-sha256": true, "jwt": true, "splunk": true, "bot": true, "googlelogin": true, "hmac": true, "genie": true, "genieKey": true, "mac": true,
}

func isScheme(name []byte) bool {
	var buffer [32]byte
	word := buffer[:0]
	for _, c := range name {
		word = append(word, lower(c))
	}
	return schemes[string(word)]
}

// behindScheme skips the scheme and the blanks behind it.
func (p *pass) behindScheme(from, to int) int {
	end := from
	for end < to && end < from+32 && (isAlnum(p.b[end]) || p.b[end] == '-') {
		end++
	}
	if end == to || !isBlank(p.b[end]) {
		return from
	}
	if !isScheme(p.b[from:end]) {
		return from
	}
	for end < to && isBlank(p.b[end]) {
		end++
	}
	return end
}

// cookies is the end of name=value pairs that are kept together by semicolons.
func (p *pass) cookies(i int) int {
	first := i
	for i < len(p.b) && i < first+valueLimit {
		c := p.b[i]
		if c == '\n' || isQuote(c) && (i == first || p.b[i-1] != '=') || c == '<' || c == ']' || c == '}' {
			return i
		}
		if isBlank(c) && i > 0 && p.b[i-1] != ';' {
			return i
		}
		i++
	}
	return i
}

// unquoted is the end of a value without quotes. Punctuation that may be a part
// of it ends it only where something else begins behind.
func (p *pass) unquoted(value int) int {
	b := p.b
	for i := value; i < len(b) && i < value+4096; i++ {
		switch c := b[i]; {
		case isSpace(c), c == '<', isQuote(c):
			return i
		case (c == ',' || c == ';' || c == '&' || c == '|') && p.breaks(i+1):
			return i
		case (c == ')' || c == ']' || c == '}' || c == '>') && p.closes(i+1):
			return i
		}
	}
	return min(len(b), value+4096)
}

// breaks says whether a new name, or nothing, stands behind a comma.
func (p *pass) breaks(i int) bool {
	c := p.byteAt(i)
	if c == 0 || isSpace(c) || isQuote(c) || c == '{' || c == '[' || c == '&' || c == '|' || c == '\\' {
		return true
	}
	end := i
	for end < len(p.b) && end < i+48 && (isAlnum(p.b[end]) || p.b[end] == '_' || p.b[end] == '-' || p.b[end] == '.' || p.b[end] == ' ' || p.b[end] == '[') {
		end++
	}
	next := p.byteAt(end)
	return end > i && (next == '=' || next == ':')
}

func (p *pass) closes(i int) bool {
	c := p.byteAt(i)
	return c == 0 || !isAlnum(c) && c < 0x80
}

// placeholder says of values that are none: templates, masks, nothing.
func placeholder(v []byte) bool {
	for len(v) > 0 && isSpace(v[0]) {
		v = v[1:]
	}
	for len(v) > 0 && isSpace(v[len(v)-1]) {
		v = v[:len(v)-1]
	}
	if len(v) == 0 {
		return true
	}
	for _, begin := range [...]string{"[redacted", "${", "{{", "$(", "%{", "<redacted", "#{", "<%"} {
		if hasFold(v, begin) {
			return true
		}
	}
	for _, whole := range [...]string{"null", "nil", "<nil>", "none", "true", "false", "undefined", "redacted", "?", "%s", "%v", "%q", "%d", "masked", "filtered", "[filtered]", "<hidden>", "<secret>", "n/a", "[]", "{}", "-"} {
		if equalFold(v, whole) {
			return true
		}
	}
	stars := 0
	for _, c := range v {
		if c == '*' || c == '.' || c == 'x' || c == 'X' || c == '#' || c == '-' {
			stars++
		}
	}
	if stars == len(v) && (len(v) > 2 || isStar(v[0])) {
		return true
	}
	if v[0] == '$' && len(v) > 1 && (isDigit(v[1]) && len(v) <= 3 || isUpper(v[1]) && run(v, 1, len(v), isName) == len(v)) {
		return true // $1, $PASSWORD
	}
	if v[0] == '*' && run(v, 0, len(v), isStar) >= 3 {
		return true // ****1111
	}
	return v[0] == ':' && len(v) > 1 && run(v, 1, len(v), isName) == len(v) // :password
}

func isName(c byte) bool { return isAlnum(c) || c == '_' }
func isStar(c byte) bool { return c == '*' }

// ordinaryWords follow a name in sentences.
var ordinaryWords = map[string]bool{
	"missing": true, "expired": true, "invalid": true, "required": true, "empty": true, "unexpected": true, "ok": true, "failed": true, "denied": true, "not": true, "is": true, "must": true, "too": true, "no": true, "yes": true,
	"wrong": true, "incorrect": true, "bad": true, "unknown": true, "unset": true, "set": true, "present": true, "absent": true, "changed": true, "rotated": true, "revoked": true, "refreshed": true, "valid": true, "unauthorized": true,
	"disabled": true, "enabled": true, "hidden": true, "accepted": true, "rejected": true, "created": true, "deleted": true, "updated": true, "mismatch": true, "malformed": true, "found": true, "eof": true, "error": true, "default": true,
	"cannot": true, "can't": true, "could": true, "should": true, "does": true, "has": true, "was": true, "for": true, "at": true, "length": true, "may": true, "optional": true, "string": true, "the": true, "a": true, "in": true, "on": true, "to": true, "and": true, "or": true,
	"verified": true, "success": true, "succeeded": true, "passed": true, "skipped": true, "pending": true, "new": true, "ready": true, "weak": true, "strong": true, "stale": true, "used": true, "unused": true, "file": true, "env": true, "vault": true, "configured": true, "loaded": true, "text": true, "int": true, "bool": true, "object": true, "varchar": true, "bytes": true, "open": true, "oidc": true, "auto": true, "off": true, "reset": true, "ended": true, "parse": true, "parsing": true, "unsupported": true, "verification": true, "validation": true, "authentication": true, "signature": true, "expires": true,
}

// ordinary says whether an unquoted value is a word of a sentence.
func (p *pass) ordinary(s sep, from, to int) bool {
	v := p.b[from:to]
	for len(v) > 0 && (v[len(v)-1] == '.' || v[len(v)-1] == ',' || v[len(v)-1] == ';' || v[len(v)-1] == ':' || v[len(v)-1] == '!') {
		v = v[:len(v)-1]
	}
	if len(v) == 0 || len(v) > 24 {
		return false
	}
	var word [24]byte
	for i, c := range v {
		if !isLetter(c) && c != '\'' {
			return false
		}
		word[i] = lower(c)
	}
	if ordinaryWords[string(word[:len(v)])] {
		return true
	}
	if s != sepColon || !isBlank(p.byteAt(from-1)) || to >= len(p.b) || !isBlank(p.b[to]) {
		return false
	}
	next := to + 1
	end := run(p.b, next, 24, isLetter)
	after := p.byteAt(end)
	return end > next && isLower(p.b[next]) && after != '=' && after != ':'
}

// trivial says of numbers too small to be a secret, and of pointers.
func (p *pass) trivial(start, from, to int) bool {
	v := p.b[from:to]
	if len(v) > 2 && v[0] == '0' && v[1]|0x20 == 'x' && run(v, 2, 16, isHex) == len(v) && len(v) >= 8 && hasFold(v, "0xc0") {
		return true
	}
	digits := run(v, 0, len(v), isDigit) == len(v)
	if !digits {
		return false
	}
	return len(v) <= 2 || len(v) <= 5 && equalFold(p.b[start:min(len(p.b), start+4)], "pass") && !isLetter(p.byteAt(start+4))
}
