package jsonscan

import (
	"fmt"
	"math"
)

// MaxDepth is the nesting that the gateway allows.
const MaxDepth = 64

// deepest is what no [Scanner] goes beyond, whatever it is told, so that no
// text can exhaust the stack.
const deepest = 10_000

// Error is what is wrong with a text, without any of the text.
type Error struct {
	Offset int // in bytes from the beginning
	Reason string
}

// Error is the reason and the place.
func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// Kind is the kind of a JSON value.
type Kind byte

// The kinds of JSON values; None is no value at all.
const (
	None Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// Scanner is a cursor over one JSON text. After the first error every method
// does nothing, and [Scanner.Err] tells it; so a caller may read on and ask once.
type Scanner struct {
	data  []byte
	pos   int
	depth int
	max   int
	first bool // the next member or element is the first one
	err   *Error
}

// New begins at the start of a text that may be nested maxDepth levels deep, at
// most 10,000.
func New(data []byte, maxDepth int) *Scanner {
	return &Scanner{data: data, max: min(maxDepth, deepest)}
}

// Err is the first error, nil when there was none.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Pos is the cursor's byte offset.
func (s *Scanner) Pos() int { return s.pos }

func (s *Scanner) fail(at int, reason string) {
	if s.err == nil {
		s.err = &Error{Offset: at, Reason: reason}
		s.pos = len(s.data)
	}
}

func (s *Scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek is the next byte that is no white space, 0 at the end.
func (s *Scanner) peek() byte {
	s.space()
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// Kind tells what the next value is, without moving past it.
func (s *Scanner) Kind() Kind {
	switch c := s.peek(); c {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return Number
		}
		return None
	}
}

// Enter moves into the object or array that comes next.
func (s *Scanner) Enter() {
	if s.err != nil {
		return
	}
	if c := s.peek(); c != '{' && c != '[' {
		s.fail(s.pos, "an object or array was expected")
		return
	}
	if s.depth++; s.depth > s.max {
		s.fail(s.pos, fmt.Sprintf("nesting of more than %d levels", s.max))
		return
	}
	s.pos++
	s.first = true
}

// more moves past the comma before the next member or element, or past the end.
func (s *Scanner) more(end byte) bool {
	if s.err != nil {
		return false
	}
	c := s.peek()
	if c == end {
		s.pos++
		s.depth--
		s.first = false
		return false
	}
	if s.first {
		s.first = false
		return s.pos < len(s.data) || s.unended()
	}
	if s.pos >= len(s.data) {
		return s.unended()
	}
	if c != ',' {
		s.fail(s.pos, "a comma or the end of the object or array was expected")
		return false
	}
	s.pos++
	return true
}

func (s *Scanner) unended() bool {
	s.fail(len(s.data), "the text ends too early")
	return false
}

// Member moves to the next member of the object that was entered and reads its
// name; its value must be read or skipped next. False at the object's end.
func (s *Scanner) Member() (Text, bool) {
	if !s.more('}') {
		return Text{}, false
	}
	name := s.Text()
	if s.peek() != ':' {
		s.fail(s.pos, "a colon was expected")
		return Text{}, false
	}
	s.pos++
	return name, s.err == nil
}

// Element says whether the array that was entered has a next element, which
// must be read or skipped next.
func (s *Scanner) Element() bool { return s.more(']') }

// Skip moves past the next value, whatever it is, and returns its bytes. It
// checks all of it.
func (s *Scanner) Skip() []byte {
	if s.err != nil {
		return nil
	}
	s.space()
	start := s.pos
	s.skip()
	if s.err != nil {
		return nil
	}
	return s.data[start:s.pos]
}

// skip goes at most max levels deep, since Enter refuses more.
func (s *Scanner) skip() {
	switch s.Kind() {
	case Object:
		s.Enter()
		for _, more := s.Member(); more; _, more = s.Member() {
			s.skip()
		}
	case Array:
		for s.Enter(); s.Element(); {
			s.skip()
		}
	case String:
		s.Text()
	case Number:
		s.number()
	case Bool, Null:
		s.literal()
	default:
		if s.pos >= len(s.data) {
			s.unended()
			return
		}
		s.fail(s.pos, "a value was expected")
	}
}

func (s *Scanner) literal() {
	for _, word := range [...]string{"true", "false", "null"} {
		if end := s.pos + len(word); end <= len(s.data) && string(s.data[s.pos:end]) == word {
			s.pos = end
			return
		}
	}
	s.fail(s.pos, "a value was expected")
}

// End checks that nothing but white space is left.
func (s *Scanner) End() {
	if s.space(); s.pos < len(s.data) {
		s.fail(s.pos, "text follows the value")
	}
}

// Valid checks one whole text. The error is an [*Error].
func Valid(data []byte, maxDepth int) error {
	s := New(data, maxDepth)
	s.skip()
	s.End()
	return s.Err()
}

// Int reads the number that comes next if it is spelled as a whole one, without
// fraction or exponent, and fits an int64. The value is skipped in any case.
func (s *Scanner) Int() (n int64, ok bool) {
	if s.Kind() != Number {
		s.Skip()
		return 0, false
	}
	text := s.Skip()
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	for _, c := range text {
		d := int64(c) - '0'
		if d < 0 || d > 9 || n < (math.MinInt64+d)/10 {
			return 0, false
		}
		n = n*10 - d // negative numbers reach further
	}
	if negative {
		return n, len(text) > 0
	}
	return -n, len(text) > 0 && n != math.MinInt64
}

// Since is the text from a position to the cursor, nil after an error.
func (s *Scanner) Since(start int) []byte {
	if s.err != nil {
		return nil
	}
	return s.data[start:s.pos:s.pos]
}
