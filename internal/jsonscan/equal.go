package jsonscan

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Equal says whether two valid JSON texts are the same value: objects without
// regard to the order of members, arrays in order, strings by their characters
// however escaped (half a surrogate pair equals only itself), numbers as exact
// decimals of any size (1, 1.0 and 1e0 are the same, and so are 0 and -0). Of
// members with the same name, the order counts.
//
// Time is O(n log n) and memory O(n) times the depth of nesting at the most.
func Equal(a, b []byte) bool {
	return bytes.Equal(canonical(nil, New(a, len(a)+1)), canonical(nil, New(b, len(b)+1)))
}

// canonical appends the one spelling of the value that comes next. Each part
// begins with its kind and what has no fixed length with its length, so two
// values never share a spelling.
func canonical(out []byte, s *Scanner) []byte {
	switch s.Kind() {
	case Object:
		return canonicalObject(out, s)
	case Array:
		out = append(out, '[')
		for s.Enter(); s.Element(); {
			out = canonical(out, s)
		}
		return append(out, ']')
	case String:
		return canonicalText(out, s.Text())
	case Number:
		d := decimalOf(s.Skip())
		out = append(out, '#')
		if d.negative {
			out = append(out, '-')
		}
		out = append(out, d.digits...)
		return binary.BigEndian.AppendUint64(append(out, 'e'), uint64(d.exponent))
	default:
		return append(out, s.Skip()...)
	}
}

func canonicalText(out []byte, t Text) []byte {
	decoded, _ := t.Bytes()
	out = binary.AppendUvarint(append(out, '"'), uint64(len(decoded)))
	return append(out, decoded...)
}

type member struct{ name, value []byte }

func canonicalObject(out []byte, s *Scanner) []byte {
	var members []member
	s.Enter()
	for name, more := s.Member(); more; name, more = s.Member() {
		decoded, _ := name.Bytes()
		members = append(members, member{decoded, canonical(nil, s)})
	}
	slices.SortStableFunc(members, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	out = append(out, '{')
	for _, m := range members {
		out = binary.AppendUvarint(out, uint64(len(m.name)+1))
		out = append(append(out, m.name...), m.value...)
	}
	return append(out, 0)
}
