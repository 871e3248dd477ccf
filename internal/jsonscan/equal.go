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
// What is not valid, or deeper than [MaxDepth], equals only the same bytes.
// Time is O(n log n), with one move of memory per level, and memory O(n).
func Equal(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	left, ok := canonicalOf(a)
	if !ok {
		return false
	}
	right, ok := canonicalOf(b)
	return ok && bytes.Equal(left, right)
}

// canonicalOf is the one spelling that a value shares with its equals and with
// nothing else. It is at most a few times as long as the text.
func canonicalOf(text []byte) ([]byte, bool) {
	s := New(text, MaxDepth)
	c := canonical{s: s, out: make([]byte, 0, len(text)+len(text)/4)}
	c.value()
	s.End()
	return c.out, s.Err() == nil
}

// canonical writes the one spelling. Each part begins with its kind, and what
// has no fixed length with its length or an end, so no two values share one.
type canonical struct {
	s       *Scanner
	out     []byte
	members []member // of the objects that are open, innermost last
	moved   []byte   // room to put members in order
}

// member is where the spelling of a member stands in out.
type member struct{ start, name, value, end int }

func (c *canonical) value() {
	switch c.s.Kind() {
	case Object:
		c.object()
	case Array:
		c.out = append(c.out, '[')
		for c.s.Enter(); c.s.Element(); {
			c.value()
		}
		c.out = append(c.out, ']')
	case String:
		c.text(c.s.Text())
	case Number:
		c.number(c.s.Skip())
	default:
		c.out = append(c.out, c.s.Skip()...)
	}
}

func (c *canonical) text(t Text) {
	c.out = append(c.out, '"')
	c.out = binary.AppendUvarint(c.out, uint64(t.length()))
	c.out, _ = t.append(c.out)
}

func (c *canonical) number(text []byte) {
	d := decimalOf(text)
	c.out = append(c.out, '#')
	if d.negative {
		c.out = append(c.out, '-')
	}
	c.out = append(d.appendDigits(c.out), 'e')
	c.out = binary.AppendVarint(c.out, d.exponent)
}

func (c *canonical) object() {
	outer := len(c.members)
	c.out = append(c.out, '{')
	start := len(c.out)
	c.s.Enter()
	for name, more := c.s.Member(); more; name, more = c.s.Member() {
		m := member{start: len(c.out)}
		c.out = binary.AppendUvarint(append(c.out, '"'), uint64(name.length()))
		m.name = len(c.out)
		c.out, _ = name.append(c.out)
		m.value = len(c.out)
		c.value()
		m.end = len(c.out)
		c.members = append(c.members, m)
	}
	c.order(start, c.members[outer:])
	c.members = c.members[:outer]
	c.out = append(c.out, '}')
}

// order puts the members that stand from start on in the order of their names.
func (c *canonical) order(start int, members []member) {
	byName := func(a, b member) int {
		return bytes.Compare(c.out[a.name:a.value], c.out[b.name:b.value])
	}
	if slices.IsSortedFunc(members, byName) {
		return
	}
	slices.SortStableFunc(members, byName)
	c.moved = c.moved[:0]
	for _, m := range members {
		c.moved = append(c.moved, c.out[m.start:m.end]...)
	}
	copy(c.out[start:], c.moved)
}
