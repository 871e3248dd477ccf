package schemas

import (
	"strconv"
	"strings"
)

// reach is how many digits a number may have, and how far its exponent may be
// from zero, to be compared with a schema. The largest float64 has 309 digits.
const reach = 400

// maxValues is how many JSON values a payload may hold to be checked. Each that
// breaks a rule costs some 400 bytes of memory while the violations are gathered.
const maxValues = 100_000

const (
	beyondNumbers = "holds a number beyond 400 digits or an exponent beyond 400"
	beyondValues  = "holds more than 100000 values"
)

// outOfReach says why a valid JSON text can't be compared with a schema at a
// bearable cost; it is empty for one that can. It looks at strings only to step
// over them.
func outOfReach(text []byte) string {
	values := 1
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			i = afterString(text, i)
		case c == '-' || c >= '0' && c <= '9':
			end := afterNumber(text, i)
			if !numberInReach(text[i:end]) {
				return beyondNumbers
			}
			i = end
		default:
			if c == ',' || c == '[' || c == '{' {
				values++
			}
			i++
		}
	}
	if values > maxValues {
		return beyondValues
	}
	return ""
}

func afterString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func afterNumber(text []byte, i int) int {
	for i < len(text) && strings.IndexByte("+-.eE0123456789", text[i]) >= 0 {
		i++
	}
	return i
}

func numberInReach(number []byte) bool {
	mantissa, exponent, has := strings.Cut(strings.ToLower(string(number[:min(len(number), 2*reach+8)])), "e")
	if len(mantissa) > reach+2 { // a sign and a point
		return false
	}
	if !has {
		return true
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && n >= -reach && n <= reach
}
