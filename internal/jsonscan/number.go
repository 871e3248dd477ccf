package jsonscan

import "bytes"

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
// neither beginning nor ending with 0; zero has no digits and no sign. The
// digits are left where they stand: those of whole, then those of fraction.
type decimal struct {
	negative        bool
	whole, fraction []byte
	exponent        int64
}

// decimalOf reads a valid number; it takes no memory, whatever the exponent.
func decimalOf(text []byte) decimal {
	var d decimal
	if len(text) > 0 && text[0] == '-' {
		d.negative = true
		text = text[1:]
	}
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		d.exponent = exponentOf(text[e+1:])
		text = text[:e]
	}
	d.whole = text
	if dot := bytes.IndexByte(text, '.'); dot >= 0 {
		d.whole, d.fraction = text[:dot], text[dot+1:]
		d.exponent -= int64(len(d.fraction))
	}
	return d.trimmed()
}

// trimmed takes off the zeros at both ends.
func (d decimal) trimmed() decimal {
	digits := d.digits()
	d.fraction = bytes.TrimRight(d.fraction, "0")
	if len(d.fraction) == 0 {
		d.whole = bytes.TrimRight(d.whole, "0")
	}
	d.exponent += int64(digits - d.digits())
	d.whole = bytes.TrimLeft(d.whole, "0")
	if len(d.whole) == 0 {
		d.fraction = bytes.TrimLeft(d.fraction, "0")
	}
	if d.digits() == 0 {
		return decimal{}
	}
	return d
}

func (d decimal) digits() int { return len(d.whole) + len(d.fraction) }

func (d decimal) appendDigits(b []byte) []byte { return append(append(b, d.whole...), d.fraction...) }

func exponentOf(text []byte) (n int64) {
	for _, c := range text {
		if c >= '0' && c <= '9' {
			n = n*10 + int64(c-'0')
		}
	}
	if len(text) > 0 && text[0] == '-' {
		return -n
	}
	return n
}

// WideNumber says whether a valid value holds a number that needs more than
// limit digits when it is written out without an exponent, before the point or
// behind it: for whoever is about to calculate with it. What is not valid, or
// deeper than [MaxDepth], counts as wide.
func WideNumber(value []byte, limit int64) bool {
	s := New(value, MaxDepth)
	wide := s.anyWide(limit)
	return wide || s.err != nil
}

// anyWide goes through all of the next value.
func (s *Scanner) anyWide(limit int64) (wide bool) {
	switch s.Kind() {
	case Object:
		s.Enter()
		for _, more := s.Member(); more; _, more = s.Member() {
			wide = s.anyWide(limit) || wide
		}
	case Array:
		for s.Enter(); s.Element(); {
			wide = s.anyWide(limit) || wide
		}
	case Number:
		d := decimalOf(s.Skip())
		digits := int64(d.digits())
		return digits > limit || d.exponent < -limit || d.exponent > limit-digits
	default:
		s.Skip()
	}
	return wide
}
