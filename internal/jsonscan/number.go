package jsonscan

// maxExponent is how many digits an exponent may have, leading zeros aside, so
// that it can be calculated with in 64 bits.
const maxExponent = 18

// number moves past a number of RFC 8259 section 6.
func (s *Scanner) number() {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	whole := s.pos
	digits := s.digits()
	if digits == 0 || digits > 1 && s.data[whole] == '0' {
		s.fail(start, "a number is misspelled")
		return
	}
	if s.at('.') {
		s.pos++
		if s.digits() == 0 {
			s.fail(start, "a number is misspelled")
			return
		}
	}
	if s.at('e') || s.at('E') {
		s.exponent(start)
	}
}

func (s *Scanner) exponent(start int) {
	s.pos++
	if s.at('+') || s.at('-') {
		s.pos++
	}
	from := s.pos
	digits := s.digits()
	for digits > 0 && s.data[from] == '0' {
		from++
		if digits--; digits == 0 {
			return
		}
	}
	switch {
	case digits == 0:
		s.fail(start, "a number is misspelled")
	case digits > maxExponent:
		s.fail(start, "a number has an exponent of more than 18 digits")
	}
}

func (s *Scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

func (s *Scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

// decimal is a number as an exact decimal: ± digits × 10^exponent, the digits
// neither beginning nor ending with 0; zero has no digits and no sign.
type decimal struct {
	negative bool
	digits   []byte
	exponent int64
}

// decimalOf reads a valid number; it needs no more memory than the number has.
func decimalOf(text []byte) decimal {
	var d decimal
	if text[0] == '-' {
		d.negative = true
		text = text[1:]
	}
	i := 0
	for ; i < len(text) && text[i] != 'e' && text[i] != 'E'; i++ {
		if text[i] != '.' {
			d.digits = append(d.digits, text[i])
		}
	}
	if dot := indexByte(text[:i], '.'); dot >= 0 {
		d.exponent = -int64(i - dot - 1)
	}
	if i < len(text) {
		d.exponent += exponentOf(text[i+1:])
	}
	for len(d.digits) > 0 && d.digits[len(d.digits)-1] == '0' {
		d.digits = d.digits[:len(d.digits)-1]
		d.exponent++
	}
	for len(d.digits) > 0 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
	}
	if len(d.digits) == 0 {
		return decimal{}
	}
	return d
}

func exponentOf(text []byte) (n int64) {
	for _, c := range text {
		if c >= '0' && c <= '9' {
			n = n*10 + int64(c-'0')
		}
	}
	if text[0] == '-' {
		return -n
	}
	return n
}

func indexByte(b []byte, c byte) int {
	for i := range b {
		if b[i] == c {
			return i
		}
	}
	return -1
}

// WideNumber says whether a valid value holds a number that needs more than
// limit decimal places, before or behind the point: for whoever is about to
// calculate with it.
func WideNumber(value []byte, limit int64) bool {
	s := New(value, len(value)+1)
	wide := false
	var walk func()
	walk = func() {
		switch s.Kind() {
		case Object:
			for s.Enter(); ; walk() {
				if _, more := s.Member(); !more {
					return
				}
			}
		case Array:
			for s.Enter(); s.Element(); {
				walk()
			}
		case Number:
			d := decimalOf(s.Skip())
			wide = wide || d.exponent < -limit || d.exponent+int64(len(d.digits)) > limit || int64(len(d.digits)) > limit
		default:
			s.Skip()
		}
	}
	walk()
	return wide
}
