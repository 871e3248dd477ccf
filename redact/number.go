package redact

// numbers are groups of digits with single separators between them.
type numbers struct {
	count int
	from  [maxGroups]int
	to    [maxGroups]int
	gap   [maxGroups]byte // before the group: 0 none, ' ', '-', '.', '/', ')' or '*' for a mix
	plus  bool
	paren bool
	start int
}

const (
	maxGroups    = 9
	maxDigits    = 40 // what is longer is no number of a person
	separators   = " -./+"
	maxFindSteps = 64
)

// gather reads groups from i on.
func (p *pass) gather(i int) (n numbers) {
	b := p.b
	n.start = i
	for i < len(b) && i < n.start+3 && (b[i] == '+' || b[i] == '(') {
		n.plus = n.plus || b[i] == '+'
		n.paren = n.paren || b[i] == '('
		i++
	}
	var gap byte
	for n.count < maxGroups {
		end := run(b, i, maxDigits+1, isDigit)
		if end == i || end-i > maxDigits {
			break
		}
		if c := p.byteAt(end); isLetter(c) || c == '_' || c >= 0x80 {
			break // a part of a word
		}
		n.from[n.count], n.to[n.count], n.gap[n.count] = i, end, gap
		n.count++
		i, gap = p.gap(end)
		if gap == 0 {
			break
		}
	}
	return n
}

// gap reads what stands between two groups.
func (p *pass) gap(i int) (next int, kind byte) {
	c := p.byteAt(i)
	next = i + 1
	switch {
	case c == ')':
		kind = ')'
		if d := p.byteAt(next); d == ' ' || d == '-' || d == '.' {
			next++
		}
	case c == '(':
		kind = c
	case c == ' ' && p.byteAt(next) == '(':
		kind, next = '(', next+1
	case c == ' ' && (p.byteAt(next) == '-' || p.byteAt(next) == '.') && p.byteAt(next+1) == ' ':
		kind, next = '-', next+2
	case c == '-' && p.byteAt(next) == '(', c == '.' && p.byteAt(next) == '(':
		kind, next = '(', next+1
	case hasByte([]byte(separators), c) && c != 0:
		kind = c
	}
	if kind == 0 || !isDigit(p.byteAt(next)) {
		return i, 0
	}
	return next, kind
}

// hard says whether a gap ties two groups together.
func hard(c byte) bool { return c == '-' || c == '.' || c == '/' }

// number looks at what begins with a digit, a + or a bracket.
func (p *pass) number() {
	b := p.b
	if uuidAt(b, p.i) {
		p.i += 36
		return
	}
	n := p.gather(p.i)
	p.steps += maxFindSteps
	if n.count == 0 {
		first := p.i
		p.i = run(b, p.i, len(b), func(c byte) bool { return isAlnum(c) || c == '_' })
		if p.i == first {
			p.i++
		}
		p.steps += p.i - first
		if end := p.telegram(first); end > 0 {
			p.mask(first, end)
		}
		return
	}
	if !p.digits(&n) && p.i < n.to[0] {
		if end := p.telegram(n.from[0]); end > 0 {
			p.mask(n.from[0], end)
			return
		}
		if p.i < n.from[0] { // a bracket or a plus that means nothing
			p.i++
		} else {
			p.i = n.to[0]
		}
	}
}

// digits masks what the groups begin with, if it is a number of a person.
func (p *pass) digits(n *numbers) bool {
	k := p.aboutNow(n)
	tied := p.tiedBefore(n)
	if k == kindBarcode {
		p.i = n.to[n.count-1]
		p.about.end, p.about.used = p.i, true
		return true
	}
	for last := n.count - 1; last >= 0; last-- {
		if p.card(n, last, k, tied) {
			return p.taken()
		}
	}
	if p.social(n, k, tied) || p.phone(n, k, tied) || p.byContext(n, k) {
		return p.taken()
	}
	return false
}

// taken notes that the word before has got its number.
func (p *pass) taken() bool {
	p.about.end, p.about.used = p.i, true
	return true
}

// aboutNow is what the words before say of the number.
func (p *pass) aboutNow(n *numbers) kind {
	a := p.about
	if a.kind == kindNone || n.start-a.end > aboutWithin {
		return kindNone
	}
	if a.kind == kindBarcode && (a.weak || n.start-a.end > 6) {
		return kindNone
	}
	if !a.weak {
		return a.kind
	}
	// Other words stand between: only a colon, a # or a quote still points here.
	i := n.start - 1
	for i > a.end && isBlank(p.b[i]) {
		i--
	}
	if c := p.byteAt(i); c == ':' || c == '#' || c == '=' {
		return a.kind
	}
	return kindNone
}

// tiedBefore says whether the first group continues something.
func (p *pass) tiedBefore(n *numbers) bool {
	c, d := p.byteAt(n.start-1), p.byteAt(n.start-2)
	return hard(c) && isAlnum(d)
}

func (n *numbers) tiedAfter(last int) bool { return last+1 < n.count && hard(n.gap[last+1]) }

// total counts the digits of groups 0 to last.
func (n *numbers) total(last int) (digits int) {
	for g := 0; g <= last; g++ {
		digits += n.len(g)
	}
	return digits
}

func (n *numbers) len(g int) int { return n.to[g] - n.from[g] }

// shape says whether the groups have these lengths.
func (n *numbers) shape(lengths ...int) bool {
	if n.count < len(lengths) {
		return false
	}
	for g, l := range lengths {
		if n.len(g) != l {
			return false
		}
	}
	return true
}

// same says whether all gaps of groups 0 to last are one of these.
func (n *numbers) same(last int, gaps string) bool {
	for g := 1; g <= last; g++ {
		if n.gap[g] != n.gap[1] || !hasByte([]byte(gaps), n.gap[g]) {
			return false
		}
	}
	return true
}

// telegram is a bot's token: 8 to 10 digits, a colon, 35 characters that begin with AA.
func (p *pass) telegram(from int) (end int) {
	i := run(p.b, from, 11, isDigit)
	if i-from < 8 || p.byteAt(i) != ':' || p.byteAt(i+1) != 'A' {
		return 0
	}
	end = run(p.b, i+1, 64, func(c byte) bool { return isAlnum(c) || c == '-' || c == '_' })
	if end-i-1 < 30 {
		return 0
	}
	return end
}

// uuidAt says whether a UUID begins at i, and ends 36 bytes further (RFC 9562).
func uuidAt(b []byte, i int) bool {
	if i+36 > len(b) || b[i+8] != '-' || b[i+13] != '-' || b[i+18] != '-' || b[i+23] != '-' {
		return false
	}
	if i+36 < len(b) && isAlnum(b[i+36]) {
		return false
	}
	ok := uint8(1)
	for _, c := range b[i : i+36] {
		ok &= hexOrDash[c]
	}
	return ok == 1
}

var hexOrDash = func() (t [256]uint8) {
	for c := range t {
		if isHex(byte(c)) || c == '-' {
			t[c] = 1
		}
	}
	return t
}()
