package redact

// maxColumns bounds the columns of an INSERT that are looked at.
const maxColumns = 48

// insert masks the values of secret columns: INSERT INTO t (a, password) VALUES (1, 'x').
func (p *pass) insert(end int) {
	b, i := p.b, end
	for i < len(b) && i < end+96 && b[i] != '(' && b[i] != '\n' {
		i++
	}
	p.steps += i - end
	if p.byteAt(i) != '(' {
		return
	}
	var kinds [maxColumns]kind
	columns := 0
	for i++; i < len(b) && columns < maxColumns; columns++ {
		from := i
		for i < len(b) && i < from+80 && b[i] != ',' && b[i] != ')' {
			i++
		}
		var w words
		if w.add(b[from:i]) {
			kinds[columns] = p.s.classify(&w)
		}
		if p.byteAt(i) != ',' {
			columns++
			break
		}
		i++
	}
	p.steps += i - end
	if p.byteAt(i) != ')' {
		return
	}
	i = run(b, i+1, 8, isSpace)
	if !hasFold(b[i:], "values") {
		return
	}
	i += len("values")
	for i < len(b) {
		i = run(b, i, 8, func(c byte) bool { return isSpace(c) || c == ',' })
		if p.byteAt(i) != '(' {
			break
		}
		i = p.tuple(i+1, kinds[:columns])
	}
	p.i = max(p.i, min(i, len(b)))
}

// tuple masks the secret values of one row and answers its end.
func (p *pass) tuple(i int, kinds []kind) int {
	b := p.b
	for column := 0; i < len(b); column++ {
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		from := i
		var to int
		if isQuote(p.byteAt(i)) {
			to = p.closing(i)
			from++
			i = min(to+1, len(b))
			for i < len(b) && b[i] != ',' && b[i] != ')' {
				i++
			}
		} else {
			depth := 0
			for i < len(b) && (depth > 0 || b[i] != ',' && b[i] != ')') && b[i] != '\n' {
				switch b[i] {
				case '(':
					depth++
				case ')':
					depth--
				}
				i++
			}
			to = i
		}
		p.steps += i - from
		if column < len(kinds) && from < to && !placeholder(b[from:to]) {
			p.column(kinds[column], from, to)
		}
		if p.byteAt(i) != ',' {
			return i + 1
		}
		i++
	}
	return i
}

// column masks one value, or looks for what masks itself.
func (p *pass) column(k kind, from, to int) {
	if k.masks() && k != kindCard {
		p.mask(from, to)
		return
	}
	at := p.i
	if k == kindCard {
		p.about = about{kind: k, end: from}
	}
	for p.i = from; p.i < to; {
		p.step(p.b[p.i])
	}
	p.i = max(at, p.i)
}
