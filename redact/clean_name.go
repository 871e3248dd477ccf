package redact

// assigned says whether the name before a : or = matters.
func (s *Scanner) assigned(b []byte, i int) bool {
	if b[i] == ':' && i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/' {
		return false
	}
	if i >= 8 && isDigit(b[i-1]) && i+1 < len(b) && b[i+1] == 'A' { // a bot's token
		return true
	}
	k := i - 1
	for k >= 0 && i-k < 8 && (b[k] == ' ' || b[k] == '"' || b[k] == '\'' || b[k] == '\\' || b[k] == ']' || b[k] == '-' || isDigit(b[k])) {
		k--
	}
	if k < 1 {
		return false
	}
	if !s.filter.tail(b, k+1) {
		return false
	}
	switch n := s.named(b, k+1); {
	case n.masks():
		return true
	case n == kindName:
		return s.pairs(b, i+1)
	}
	return false
}

// tail says whether the name that ends at end may be one that matters.
func (f *filter) tail(b []byte, end int) bool {
	if end < 4 {
		var short [4]byte
		for i := range short {
			short[i] = ' '
		}
		copy(short[4-end:], b[:end])
		return end > 1 && f.tails.has(fold4(short[:]))
	}
	x := fold4(b[end-4:])
	if f.tails.has(x) && (end < 6 || f.shorts.has(x) || f.sixes.has(six(b, end)) || separated(b[end-6:end])) {
		return true
	}
	if c := b[end-3]; c == '_' || c == '-' || b[end-2] == '_' || b[end-2] == '-' { // tax_id
		var joined [4]byte
		n := 4
		for k := end - 1; k >= 0 && n > 0 && end-k < 8 && (isAlnum(b[k]) || b[k] == '_' || b[k] == '-'); k-- {
			if isAlnum(b[k]) {
				n--
				joined[n] = b[k]
			}
		}
		if n == 0 && f.tails.has(fold4(joined[:])) {
			return true
		}
	}
	if !isAlnum(b[end-3]) { // a name of two letters
		c, d := lower(b[end-2]), lower(b[end-1])
		return c == 'p' && d == 'w' || c == 'd' && d == 'l' || c == 'c' && d == 'c'
	}
	if c := b[end-4]; !isLetter(c) || isLower(c) && isUpper(b[end-3]) { // of three
		return f.tails.has(x&^0xff | ' ')
	}
	return false
}

// named classifies the name that ends at end, with the words before it.
func (s *Scanner) named(b []byte, end int) kind {
	from := end
	for from > 0 && end-from < maxKey && (isAlnum(b[from-1]) || b[from-1] == '_' || b[from-1] == '-' || b[from-1] == '.' || b[from-1] >= 0x80 || b[from-1] == '\'' && from < end) {
		from--
	}
	var best kind
	for n := range 3 {
		var w words
		if w.add(b[from:end]) {
			if k := s.classify(&w); k.masks() {
				return k
			} else if n == 0 {
				best = k
			}
		}
		// one more word in front of it
		if from < 2 || b[from-1] != ' ' || !isAlnum(b[from-2]) {
			break
		}
		from--
		for from > 0 && end-from < maxKey && (isAlnum(b[from-1]) || b[from-1] == '\'' || b[from-1] == '_') {
			from--
		}
	}
	return best
}

// pairs says whether the value of a name=… names a secret.
func (s *Scanner) pairs(b []byte, i int) bool {
	for i < len(b) && (isSpace(b[i]) || isQuote(b[i]) || b[i] == '\\') {
		i++
	}
	end := run(b, i, maxKey, func(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' })
	var w words
	return end > i && w.add(b[i:end]) && s.classify(&w).masks()
}

// six mixes the last six letters before end.
func six(b []byte, end int) uint32 {
	return fold4(b[end-4:]) ^ uint32(b[end-5]|0x20)<<5 ^ uint32(b[end-6]|0x20)<<14
}

// separated says whether letters are written apart: tax_id.
func separated(b []byte) bool {
	for _, c := range b {
		if c == '_' || c == '-' || c == '.' || c == ' ' {
			return true
		}
	}
	return false
}

// tag says whether the element that begins here has the name of a secret.
func (s *Scanner) tag(b []byte, i int) bool {
	end := run(b, i, maxKey, func(c byte) bool { return isName(c) || c == '-' || c == ':' || c == '.' })
	return end > i+1 && s.filter.tail(b, end) && s.named(b, end).masks()
}

// tuple says whether ('password','x') begins here.
func (s *Scanner) tuple(b []byte, i int) bool {
	end := run(b, i, maxKey, func(c byte) bool { return isName(c) || c == '-' })
	return end > i+1 && end+1 < len(b) && isQuote(b[end]) && b[end+1] == ',' && s.filter.tail(b, end) && s.named(b, end).secret()
}
