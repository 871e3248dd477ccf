package redact

// nameLimit is how far a name is followed; what is longer is data.
const nameLimit = 2 * maxKey

// word looks at what begins with a letter: a token with a known beginning, an
// IBAN, or a name that says something about what follows.
func (p *pass) word() {
	b, start := p.b, p.i
	if uuidAt(b, start) {
		p.i += 36
		return
	}
	if n := tokenAt(b, start); n > 0 {
		p.mask(start, start+n)
		return
	}
	for k := range p.s.patterns {
		if n := p.s.patterns[k].match(b[start:]); n > 0 {
			p.mask(start, start+n)
			return
		}
	}
	if b[start] == 'B' && p.byteAt(start-1) == '%' { // track 1 of a card (ISO/IEC 7813)
		if p.i = start + 1; isDigit(p.byteAt(p.i)) {
			p.track()
			return
		}
	}
	if n := ibanAt(b, start); n > 0 {
		p.mask(start, start+n)
		return
	}
	end := p.nameEnd(start)
	p.steps += end - start
	p.i = end
	if end-start > nameLimit {
		return
	}
	k := p.kindOf(start, end)
	p.names = [3]place{p.names[1], p.names[2], {start, end}}
	p.named(k, start, end)
}

// nameEnd follows letters, digits and _; - and . only between letters.
func (p *pass) nameEnd(i int) int {
	b := p.b
	for i < len(b) {
		c := b[i]
		if isAlnum(c) || c == '_' || c >= 0x80 {
			i++
			continue
		}
		if (c == '-' || c == '.') && i+1 < len(b) && (isLetter(b[i+1]) || b[i+1] == '_') {
			i++
			continue
		}
		if c == '-' && i+1 < len(b) && isDigit(b[i+1]) { // X-Hub-Signature-256:
			if end := run(b, i+1, 4, isDigit); end < len(b) && (b[end] == ':' || b[end] == '=' || b[end] == '"') {
				return end
			}
		}
		break
	}
	return i
}

// kindOf asks for the name alone, then together with the words before it.
func (p *pass) kindOf(start, end int) kind {
	var w words
	if !w.add(p.b[start:end]) {
		return kindNone
	}
	alone := p.s.classify(&w)
	if alone.masks() && alone != kindPapers && alone != kindAccount && alone != kindCard && alone != kindPhone {
		return alone
	}
	first := start
	for n := 2; n >= 1; n-- {
		before := p.names[n]
		gap := first - before.to
		if before.to == 0 || gap < 1 || gap > 2 || !p.joins(before.to, first) {
			break
		}
		first = before.from
		var joined words
		if !joined.add(p.b[first:end]) {
			break
		}
		if k := p.s.classify(&joined); k.masks() || k == kindBarcode {
			return k
		}
	}
	return alone
}

// joins says whether the bytes between two words make them one name.
func (p *pass) joins(from, to int) bool {
	for _, c := range p.b[from:to] {
		if c != ' ' && c != '\'' && c != '/' {
			return false
		}
	}
	return true
}

// sep is what stands between a name and its value.
type sep uint8

const (
	sepNone  sep = iota
	sepSpace     // blanks only
	sepEqual     // = := == =>
	sepColon     // :
	sepXML       // the > of a tag
	sepTuple     // , behind a closing quote
	sepCall      // (
)

// separator finds the value behind a name that ends at end.
func (p *pass) separator(start, end int) (s sep, value int) {
	b, i := p.b, end
	if p.tagged(start) {
		for k := end; k < min(len(b), end+256); k++ {
			if b[k] == '>' {
				if b[k-1] == '/' {
					return sepNone, end
				}
				return sepXML, k + 1
			}
			if b[k] == '<' || k == end && b[k] == '=' {
				break
			}
		}
	}
	quoted := false
	for i < len(b) && i < end+8 && (isQuote(b[i]) || b[i] == '\\' || b[i] == ']') {
		quoted = quoted || isQuote(b[i])
		i++
	}
	blank := i
	for i < len(b) && i < end+40 && isBlank(b[i]) {
		i++
	}
	if i >= len(b) {
		return sepNone, i
	}
	switch c := b[i]; {
	case c == '=':
		s = sepEqual
		for i < len(b) && i < end+48 && (b[i] == '=' || b[i] == '>' || b[i] == '~') {
			i++
		}
	case c == ':' && p.byteAt(i+1) == '/' && p.byteAt(i+2) == '/':
		return sepNone, i
	case c == ':':
		s = sepColon
		i++
		for i < len(b) && (b[i] == ':' || b[i] == '=') && i < end+48 {
			s = sepEqual
			i++
		}
	case c == '-' && p.byteAt(i+1) == '>':
		s = sepEqual
		i += 2
	case c == ',' && quoted && b[end] != '`' && start >= 2 && (b[start-2] == '(' || b[start-2] == '['):
		s = sepTuple
		i++
	case c == '(' && i == end:
		return sepCall, i + 1
	case i > blank && !quoted:
		return sepSpace, i
	default:
		return sepNone, i
	}
	for i < len(b) && i < end+64 && isSpace(b[i]) {
		i++
	}
	return s, i
}

// tagged says whether a name is that of an XML element's opening tag.
func (p *pass) tagged(start int) bool {
	i := start - 1
	if p.byteAt(i) == ':' {
		for i--; i >= 0 && i > start-32 && (isAlnum(p.b[i]) || p.b[i] == '-' || p.b[i] == '_'); {
			i--
		}
	}
	return p.byteAt(i) == '<'
}

// named does what a name asks for.
func (p *pass) named(k kind, start, end int) {
	if equalFold(p.b[start:end], "insert") && !p.inserting {
		p.inserting = true
		p.insert(end)
		p.inserting = false
		return
	}
	if p.own = k == kindOwn; p.own {
		k = kindSecret
	}
	s, value := p.separator(start, end)
	p.contextOf(k, s, end)
	if value >= len(p.b) {
		return
	}
	switch {
	case k == kindName && (s == sepEqual || s == sepColon):
		p.nameOfPair(value)
	case k == kindValue && p.pending != kindNone && start-p.pendingEnd <= 80 && (s == sepEqual || s == sepColon || s == sepXML):
		pending := p.pending
		p.pending = kindNone
		p.valueOf(pending, s, start, value)
	case k == kindSecret && s == sepSpace:
		p.spoken(start, end, value)
	case k == kindSecret || k == kindHeader || k == kindCookie:
		p.valueOf(k, s, start, value)
	case k == kindBirth:
		p.birth(value)
	case k == kindPapers && (s != sepNone || p.byteAt(end) == '.' || p.byteAt(end) == '#'):
		p.papers(end)
	case s == sepSpace:
		p.verb(start, end, value)
	case k.personal() && s == sepXML:
		p.i = value
	}
}

// contextOf keeps what a word says of the numbers that follow.
func (p *pass) contextOf(k kind, s sep, end int) {
	switch {
	case k.personal() || k == kindBarcode:
		p.about = about{kind: k, end: end}
	case k == kindFiller && !p.about.used:
		if p.about.kind != kindNone && end-p.about.end <= aboutWithin {
			p.about.end = end
		}
	case s == sepEqual || s == sepColon || p.about.used:
		p.about = about{}
	default:
		p.about.weak = true
	}
}

// nameOfPair looks whether the value of a name=… is itself the name of a secret.
func (p *pass) nameOfPair(value int) {
	b, i := p.b, value
	quoted := isQuote(b[i])
	if quoted {
		i++
	}
	end := p.nameEnd(i)
	if end == i || end-i > maxKey || tokenAt(b, i) > 0 {
		return
	}
	var w words
	if !w.add(b[i:end]) {
		return
	}
	k := p.s.classify(&w)
	if !k.masks() {
		return
	}
	p.pending, p.pendingEnd = k, end
	for quoted && end < len(b) && isQuote(b[end]) {
		end++
	}
	p.i = end
	// <param name="password">…
	if quoted && p.byteAt(end) == '>' && p.byteAt(end+1) != '<' {
		p.valueOf(k, sepXML, value, end+1)
		p.pending = kindNone
	}
}

// track masks the whole of a card's magnetic track, which begins at p.i.
func (p *pass) track() {
	end := run(p.b, p.i, 128, func(c byte) bool { return c >= 0x20 && c < 0x7f && c != '?' && c != '"' })
	digits := run(p.b, p.i, 20, isDigit)
	if digits-p.i >= 12 && p.byteAt(digits) == '^' && luhn(p.b[p.i:digits]) {
		p.mask(p.i, end)
	}
}
