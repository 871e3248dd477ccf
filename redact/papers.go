package redact

// personalValue masks the value of a name that says what kind of person's value it
// is, where the number's own shape does not matter.
func (p *pass) personalValue(k kind, from int) {
	switch k {
	case kindBirth:
		p.birth(from)
	case kindPapers:
		p.papers(from)
	default: // the numbers' turn comes
		p.about = about{kind: k, end: from}
	}
}

// skip goes over blanks, quotes, brackets and fillers between a name and its value.
func (p *pass) skip(i int) int {
	for range 6 {
		i = run(p.b, i, 8, func(c byte) bool {
			return isSpace(c) || isQuote(c) || c == '#' || c == ':' || c == '=' || c == '(' || c == '[' || c == '>' || c == '.' || c == '\\'
		})
		end := run(p.b, i, 12, isLetter)
		var word [12]byte
		for k, c := range p.b[i:end] {
			word[k] = lower(c)
		}
		if end == i || isDigit(p.byteAt(end)) || wholeWords[string(word[:end-i])] != kindFiller {
			return i
		}
		i = end
	}
	return i
}

var months = []string{
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
	"mär", "mai", "okt", "dez", "fév", "avr", "juin", "juil", "aoû", "déc", "ene", "abr", "ago", "dic",
}

func month(b []byte) bool {
	for _, m := range months {
		if hasFold(b, m) {
			return true
		}
	}
	return false
}

// birth masks a date: in digits, or with the name of a month.
func (p *pass) birth(from int) {
	i := p.skip(from)
	first, digits, named := i, 0, false
	end := i
	for range 4 {
		d := run(p.b, i, 8, isDigit)
		w := run(p.b, d, 12, func(c byte) bool { return isLetter(c) || c >= 0x80 })
		switch {
		case d > i && w-d <= 2: // 17, 17th
			digits++
			end = w
		case d == i && w > i && month(p.b[i:w]):
			named = true
			end = w
		default:
			w = -1
		}
		if w < 0 {
			break
		}
		i = run(p.b, w, 3, func(c byte) bool { return c == ' ' || c == ',' || c == '.' || c == '-' || c == '/' })
	}
	if named && digits > 0 {
		p.mask(first, end)
		return
	}
	if isDigit(p.byteAt(first)) {
		if n := p.gather(first); n.count > 0 {
			if last := p.dateOf(&n); last >= 0 {
				p.mask(n.from[0], n.to[last])
				return
			}
		}
		if run(p.b, first, 5, isDigit)-first == 4 && p.byteAt(first+4) == '-' { // 1980-05-17T…
			p.mask(first, run(p.b, first, 10, func(c byte) bool { return isDigit(c) || c == '-' }))
		}
	}
}

// papers masks the number of a licence or passport: 5 to 24 letters, digits and
// dashes with two digits at least, most of it digits or capital letters.
func (p *pass) papers(from int) {
	i := p.skip(from)
	// "license state CA D1234567": one short word in capitals may stand before.
	if isUpper(p.byteAt(i)) && isUpper(p.byteAt(i+1)) && (p.byteAt(i+2) == ' ' || p.byteAt(i+2) == ':') {
		i = p.skip(i + 3)
	}
	end := run(p.b, i, 30, func(c byte) bool { return isAlnum(c) || c == '-' })
	if p.byteAt(end) == ' ' && end-i <= 5 && end-i >= 1 { // S530 1234 5678, in groups
		for g := 0; g < 5; g++ {
			next := run(p.b, end+1, 8, func(c byte) bool { return isDigit(c) || isUpper(c) || c == '-' })
			if next < end+3 || p.byteAt(end) != ' ' || !isDigit(p.b[next-1]) {
				break
			}
			end = next
		}
	}
	digits, small := 0, 0
	for _, c := range p.b[i:end] {
		switch {
		case isDigit(c):
			digits++
		case isLower(c):
			small++
		}
	}
	if end-i < 5 || end-i > 26 || digits < 2 || small > 2 || uuidAt(p.b, i) || end < len(p.b) && (isAlnum(p.b[end]) || p.b[end] == '_') {
		return
	}
	if digits == 4 && end-i == 10 && p.b[i+4] == '-' || digits == 8 && end-i == 10 && p.b[i+4] == '-' && p.b[i+7] == '-' {
		return // a date
	}
	p.mask(i, end)
}
