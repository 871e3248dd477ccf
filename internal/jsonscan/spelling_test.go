package jsonscan_test

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// value is a JSON value as the properties think of it: nil, bool, number, text,
// array or object.
type value any

type (
	number struct {
		negative bool
		digits   string // neither beginning nor ending with 0; empty for zero
		exponent int
	}
	text   []uint16 // UTF-16, halves of pairs included
	array  []value
	object []entry
	entry  struct {
		name  text
		value value
	}
)

func drawText(t *rapid.T) text {
	return rapid.SliceOfN(rapid.OneOf(
		rapid.Uint16Range(0x20, 0x7e),
		rapid.SampledFrom([]uint16{0, '"', '\\', '/', '\n', 0x1f, 0x7f, 0xe9, 0x20ac, 0xd83d, 0xde00, 0xd800, 0xdfff, 0xfffd, 0xffff}),
		rapid.Uint16(),
	), 0, 12).Draw(t, "text")
}

func drawNumber(t *rapid.T) number {
	digits := rapid.StringMatching(`([1-9]([0-9]{0,25}[1-9])?)?`).Draw(t, "digits")
	if digits == "" {
		return number{}
	}
	return number{rapid.Bool().Draw(t, "negative"), digits, rapid.IntRange(-500, 500).Draw(t, "exponent")}
}

func drawValue(t *rapid.T, depth int) value {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return drawNumber(t)
	case 3:
		return drawText(t)
	case 4:
		a := make(array, rapid.IntRange(0, 4).Draw(t, "elements"))
		for i := range a {
			a[i] = drawValue(t, depth-1)
		}
		return a
	default:
		o := make(object, rapid.IntRange(0, 5).Draw(t, "members"))
		for i := range o {
			name := drawText(t)
			if rapid.Bool().Draw(t, "common name") { // so that names come twice
				name = text{uint16(rapid.IntRange('a', 'c').Draw(t, "name"))}
			}
			o[i] = entry{name, drawValue(t, depth-1)}
		}
		return o
	}
}

// spell writes a value in one of the many ways that JSON has.
func spell(t *rapid.T, b *strings.Builder, v value) {
	space := func() { b.WriteString(rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n"}).Draw(t, "space")) }
	space()
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		fmt.Fprint(b, v)
	case number:
		b.WriteString(spellNumber(t, v))
	case text:
		spellText(t, b, v)
	case array:
		b.WriteByte('[')
		for i, element := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			spell(t, b, element)
		}
		space()
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		space()
		for i, e := range reordered(t, v) {
			if i > 0 {
				b.WriteByte(',')
				space()
			}
			spellText(t, b, e.name)
			space()
			b.WriteByte(':')
			spell(t, b, e.value)
		}
		b.WriteByte('}')
	}
	space()
}

// reordered shuffles the members, but leaves those of one name in their order.
func reordered(t *rapid.T, o object) object {
	byName := map[string]object{}
	for _, e := range o {
		byName[fmt.Sprint(e.name)] = append(byName[fmt.Sprint(e.name)], e)
	}
	order := slices.Clone(o)
	if len(o) > 1 {
		order = rapid.Permutation(o).Draw(t, "order")
	}
	out := make(object, 0, len(o))
	for _, e := range order {
		key := fmt.Sprint(e.name)
		out = append(out, byName[key][0])
		byName[key] = byName[key][1:]
	}
	return out
}

func spellNumber(t *rapid.T, n number) string {
	digits, exponent := n.digits, n.exponent
	sign := ""
	if n.negative || digits == "" && rapid.Bool().Draw(t, "minus zero") {
		sign = "-"
	}
	if digits == "" {
		return sign + rapid.SampledFrom([]string{"0", "0.0", "0e9999", "0E-7", "0.000e+1"}).Draw(t, "zero")
	}
	zeros := rapid.IntRange(0, 5).Draw(t, "zeros")
	digits += strings.Repeat("0", zeros)
	exponent -= zeros
	// The point may stand anywhere, also before the first digit.
	behind := rapid.IntRange(0, len(digits)+2).Draw(t, "digits behind the point")
	exponent += behind
	if behind >= len(digits) {
		digits = strings.Repeat("0", behind-len(digits)+1) + digits
	}
	out := sign + digits[:len(digits)-behind]
	if behind > 0 {
		out += "." + digits[len(digits)-behind:]
	}
	if exponent == 0 && rapid.Bool().Draw(t, "no exponent") {
		return out
	}
	form := rapid.SampledFrom([]string{"e%d", "E%d", "e%+d", "e%+04d"}).Draw(t, "exponent's form")
	return out + fmt.Sprintf(form, exponent)
}

func spellText(t *rapid.T, b *strings.Builder, units text) {
	b.WriteByte('"')
	defer b.WriteByte('"')
	for i := 0; i < len(units); i++ {
		r, n := rune(units[i]), 1
		if i+1 < len(units) {
			if pair := utf16.DecodeRune(r, rune(units[i+1])); pair != utf8.RuneError {
				r, n = pair, 2
			}
		}
		short := strings.IndexByte("\"\\/\b\f\n\r\t", byte(r))
		switch {
		case r < 0x80 && short >= 0 && rapid.Bool().Draw(t, "short"):
			b.WriteString(`\` + `"\/bfnrt`[short:short+1])
		case utf16.IsSurrogate(r) || r < 0x20 || r == '"' || r == '\\' || rapid.IntRange(0, 3).Draw(t, "escape") == 0:
			for _, unit := range units[i : i+n] {
				form := rapid.SampledFrom([]string{`\u%04x`, `\u%04X`}).Draw(t, "hex")
				fmt.Fprintf(b, form, unit)
			}
		default:
			b.WriteRune(r)
		}
		i += n - 1
	}
}

// mutated is the value with one leaf, or one empty container, changed.
func mutated(t *rapid.T, v value) value {
	switch v := v.(type) {
	case nil:
		return rapid.SampledFrom([]value{false, number{}, text{}, array{}, object{}}).Draw(t, "for null")
	case bool:
		return !v
	case number:
		if rapid.Bool().Draw(t, "digit") || v.digits == "" {
			return number{v.negative, v.digits + "1", v.exponent - 1}
		}
		return number{v.negative, v.digits, v.exponent + 1}
	case text:
		at := rapid.IntRange(0, len(v)).Draw(t, "at")
		return slices.Insert(slices.Clone(v), at, 'x')
	case array:
		if len(v) == 0 {
			return array{nil}
		}
		v = slices.Clone(v)
		i := rapid.IntRange(0, len(v)-1).Draw(t, "element")
		v[i] = mutated(t, v[i])
		return v
	case object:
		if len(v) == 0 {
			return object{{text{}, nil}}
		}
		v = slices.Clone(v)
		i := rapid.IntRange(0, len(v)-1).Draw(t, "member")
		if rapid.Bool().Draw(t, "name") {
			v[i].name = mutated(t, v[i].name).(text)
		} else {
			v[i].value = mutated(t, v[i].value)
		}
		return v
	}
	panic("no such value")
}
