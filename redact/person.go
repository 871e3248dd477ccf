package redact

// social masks a social security or taxpayer number (SSN, ITIN): 3-2-4 digits, or
// nine where words say so.
func (p *pass) social(n *numbers, k kind, tied bool) bool {
	if n.plus || n.paren {
		return false
	}
	if n.shape(3, 2, 4) && !tied && !n.tiedAfter(2) && n.same(2, "- .") && (k == kindSSN || n.gap[1] == '-' || n.gap[1] == ' ' && p.alone(n, 2)) {
		if k == kindSSN || issued(p.b[n.from[0]:n.to[0]], p.b[n.from[1]:n.to[1]], p.b[n.from[2]:n.to[2]]) {
			p.mask(n.from[0], n.to[2])
			return true
		}
	}
	if k != kindSSN {
		return false
	}
	for last := min(n.count, 4) - 1; last >= 0; last-- {
		if total := n.total(last); total == 9 || total == 8 && last == 0 || total == 11 && last > 0 {
			p.mask(n.from[0], n.to[last])
			return true
		}
	}
	return false
}

// alone says whether groups with blanks between stand by themselves, not in a
// row of numbers such as that of an access log.
func (p *pass) alone(n *numbers, last int) bool {
	if n.count > last+1 && n.gap[last+1] == ' ' {
		return false
	}
	i := n.start - 1
	for i >= 0 && i > n.start-4 && isBlank(p.b[i]) {
		i--
	}
	c := p.byteAt(i)
	return c != '"' && !isDigit(c) && (i == n.start-1 || c != ']')
}

// issued says whether the parts can be those of an SSN or of an ITIN
// (SSA RM 10201.035; IRS: 9xx with the groups 50–65, 70–88, 90–92, 94–99).
func issued(area, group, serial []byte) bool {
	a, g := value(area), value(group)
	if a == 0 || a == 666 || g == 0 || value(serial) == 0 {
		return false
	}
	if a < 900 {
		return true
	}
	return g >= 50 && g <= 65 || g >= 70 && g <= 88 || g >= 90 && g <= 92 || g >= 94
}

func value(digits []byte) (v int) {
	for _, c := range digits {
		v = v*10 + int(c-'0')
	}
	return v
}

// phone masks a telephone number: with + and a country (ITU-T E.164), with the
// groups of North America, or of any form where words say so.
func (p *pass) phone(n *numbers, k kind, tied bool) bool {
	last := -1
	switch {
	case n.plus:
		last = p.international(n, k)
	case k == kindPhone:
		last = n.upTo(7, 15)
	case tied:
	case n.shape(3, 3, 4) && p.american(n, 0):
		last = 2
	case n.shape(1, 3, 3, 4) && p.b[n.from[0]] == '1' && p.american(n, 1):
		last = 3
	case n.paren && n.gap[1] == ')' && n.count >= 3 && n.len(0) >= 2 && n.len(0) <= 5 && n.upTo(9, 12) > 0:
		last = n.upTo(9, 12)
	case n.shape(2, 2, 2, 2, 2) && n.same(4, " .") && p.b[n.from[0]] == '0' && p.b[n.from[0]+1] != '0' && n.count == 5 && p.alone(n, 4):
		last = 4
	case p.b[n.from[0]] == '0' && p.byteAt(n.from[0]+1) == '0' && n.count >= 3 && n.len(0) == 4 && n.total(n.count-1) >= 11:
		last = n.upTo(11, 15)
	}
	if last < 0 {
		return false
	}
	p.mask(n.start, n.to[last])
	return true
}

// american says whether groups from g on are an area, an exchange and a number
// (NANP: both begin with 2 to 9).
func (p *pass) american(n *numbers, g int) bool {
	if p.b[n.from[g]] < '2' || p.b[n.from[g+1]] < '2' || n.tiedAfter(g+2) {
		return false
	}
	a, b := n.gap[g+1], n.gap[g+2]
	switch {
	case a == ')', n.paren:
		return b == '-' || b == '.' || b == ' '
	case b == ' ':
		return a == ' ' && (g == 1 || area(value(p.b[n.from[g]:n.to[g]]))) && p.alone(n, g+2)
	case b == '-' || b == '.':
		return a == b || a == ' ' || a == '/' || a == '-'
	}
	return false
}

// area says of codes that statuses and sizes are rather not.
func area(code int) bool { return code%100 != 0 || code == 800 || code == 500 || code == 900 }

// international is the last group of a number with a +, -1 for none.
func (p *pass) international(n *numbers, k kind) int {
	c := p.byteAt(n.start - 1)
	if isAlnum(c) || n.len(0) == 0 || p.b[n.from[0]] == '0' {
		return -1
	}
	total, last := 0, -1
	for g := range n.count {
		if total += n.len(g); total > 15 {
			break
		}
		if n.gap[g] == ' ' && total-n.len(g) >= 11 && total > 13 {
			break
		}
		last = g
		if p.b[n.from[0]] == '1' && total == 11 {
			break
		}
	}
	if last < 0 {
		return -1
	}
	total = n.total(last)
	if total >= 10 || total >= 8 && (last > 0 || k == kindPhone) || total >= 7 && k == kindPhone {
		return last
	}
	return -1
}

// upTo is the last group with which there are least to most digits, -1 for none.
func (n *numbers) upTo(least, most int) int {
	found, total := -1, 0
	for g := range n.count {
		if total += n.len(g); total > most {
			break
		}
		if total >= least {
			found = g
		}
	}
	return found
}

// byContext masks numbers that only the words before make personal.
func (p *pass) byContext(n *numbers, k kind) bool {
	last := -1
	switch k {
	case kindCVV:
		if l := n.len(0); l == 3 || l == 4 {
			last = 0
		}
	case kindPIN:
		if l := n.len(0); l >= 4 && l <= 12 {
			last = 0
		}
	case kindAccount:
		last = n.upTo(6, 20)
	case kindRouting:
		last = n.upTo(6, 10)
	case kindBirth:
		last = p.dateOf(n)
	}
	if last < 0 {
		return false
	}
	p.mask(n.from[0], n.to[last])
	return true
}

// dateOf is the last group of a date in digits.
func (p *pass) dateOf(n *numbers) int {
	switch {
	case n.count >= 3 && hard(n.gap[1]) && hard(n.gap[2]):
		for g, years := 0, 0; g < 3; g++ {
			if l := n.len(g); l == 4 {
				years++
			} else if l > 2 || years > 1 {
				return -1
			}
		}
		return 2
	case n.len(0) == 8 || n.len(0) == 6:
		return 0
	}
	return -1
}
