package redact

// digits looks at a number that ends at end; it answers where to go on, or -1.
func (s *Scanner) digits(b []byte, i, end int) int {
	if i > 0 && (isLetter(b[i-1]) || b[i-1] == '_') {
		if i >= 2 && isLetter(b[i-2]) && ibanAt(b, i-2) > 0 {
			return -1
		}
		return s.skipWord(b, end)
	}
	if end < len(b) {
		c := b[end]
		if (c == '-' || isHex(c)) && uuidAt(b, i) {
			return i + 36
		}
		if isLetter(c) {
			if c == 'T' && end-i == 2 && s.spokenOf(b, i) {
				return -1
			}
			return s.skipWord(b, end)
		}
	}
	if i == 0 || b[i-1] == ' ' || b[i-1] == '#' || b[i-1] == '(' || b[i-1] == '\'' || b[i-1] == '"' || b[i-1] == '/' || b[i-1] == '*' {
		if s.spokenOf(b, i) {
			return -1
		}
	}
	if (end-i >= 14 || i > 0 && (b[i-1] == '+' || b[i-1] == '(') || goesOn(b, end)) && suspicious(b, i, end) {
		return -1
	}
	return end
}

// skipWord goes over the rest of a word with digits in it: a hash, a version.
func (*Scanner) skipWord(b []byte, i int) int {
	for i < len(b) && isAlnum(b[i]) {
		i++
	}
	return i
}

// spokenOf says whether the words before a number make it personal; fillers such
// as "is" or "number" may stand between.
func (s *Scanner) spokenOf(b []byte, i int) bool {
	for range 3 {
		k := i - 1
		for k >= 0 && i-k < 6 && !isAlnum(b[k]) && b[k] < 0x80 {
			if b[k] == '=' {
				return false // its turn was at the =
			}
			k--
		}
		if k > 0 && isDigit(b[k]) && isLetter(b[k-1]) { // cvv2
			k--
		}
		if k < 1 || !isLetter(b[k]) {
			return false
		}
		if filler(b, k+1) {
			if b[k]|0x20 == 'd' && s.named(b, k+1).personal() { // tax id
				return true
			}
		} else {
			if !s.filter.tail(b, k+1) {
				return false
			}
			if n := s.named(b, k+1); n != kindFiller {
				return n.personal() || n.secret()
			}
		}
		for i = k; i > 0 && isAlnum(b[i-1]); {
			i--
		}
	}
	return false
}

// address says whether an @ may belong to an e-mail address or to credentials in a URL.
func address(b []byte, i int) bool {
	for k := i + 1; k < len(b) && k < i+128 && (isAlnum(b[k]) || b[k] == '-' || b[k] == '.' || b[k] == '_' || b[k] >= 0x80); k++ {
		if b[k] == '.' && k+1 < len(b) && (isLetter(b[k+1]) || b[k+1] >= 0x80) {
			return true
		}
	}
	for k := i - 1; k >= 0 && i-k < 256 && !isSpace(b[k]); k-- {
		if b[k] == ':' {
			return true
		}
	}
	return false
}

// filler finds the fillers of two letters, which are frequent.
func filler(b []byte, end int) bool {
	if end < 3 || isAlnum(b[end-3]) {
		return false
	}
	switch [2]byte{lower(b[end-2]), lower(b[end-1])} {
	case [2]byte{'i', 's'}, [2]byte{'i', 'd'}, [2]byte{'n', 'o'}, [2]byte{'n', 'r'}, [2]byte{'o', 'f'}, [2]byte{'o', 'n'}, [2]byte{'a', 's'}, [2]byte{'i', 'n'}, [2]byte{'a', 't'}, [2]byte{'t', 'o'}, [2]byte{'m', 'y'}:
		return true
	}
	return false
}

// suspicious says whether the groups of a number look like a card's, a telephone's
// or a social security number's.
func suspicious(b []byte, i, end int) bool {
	first := end - i
	if first >= 14 {
		return first <= 19 && network(b[i:end]) && luhn(b[i:end])
	}
	if i > 0 && (b[i-1] == '+' || b[i-1] == '(') && (first >= 7 || end < len(b) && !isAlnum(b[end])) {
		return true
	}
	second, next := group(b, end)
	switch {
	case second == 0:
		return false
	case first == 3 && (second == 2 || second == 3):
		third, _ := group(b, next)
		return third == 4
	case first == 1:
		return b[i] == '1' && second == 3
	case first == 2:
		return b[i] == '0' && second == 2
	case first == 4 && b[i] == '0' && b[i+1] == '0' && second >= 2 && second < 5:
		third, _ := group(b, next)
		return third >= 2
	}
	return first >= 4 && second >= 4 && (first+second >= 12 || first == 4)
}

// group is the length of the digits behind a gap at i, 0 when there are none.
func group(b []byte, i int) (digits, end int) {
	if i+1 >= len(b) || !tying[b[i]] || isLetter(b[i]) || b[i] == '_' {
		return 0, i
	}
	i++
	for n := 0; n < 2 && i < len(b) && (b[i] == ' ' || b[i] == '-' || b[i] == '(' || b[i] == '.'); n++ {
		i++
	}
	end = i
	for end < len(b) && isDigit(b[end]) && end-i <= maxDigits {
		end++
	}
	if end < len(b) && isLetter(b[end]) {
		return 0, i
	}
	return end - i, end
}
