package schemas

import "github.com/holdfast-sync/holdfast/internal/jsonscan"

// maxDigits is how many digits a number may have, written out without an
// exponent, to be compared with a schema. The largest float64 has 309.
const maxDigits = 400

// maxValues is how many JSON values a payload may hold to be checked. Each that
// breaks a rule costs some 400 bytes of memory while the violations are gathered.
const maxValues = 100_000

const (
	beyondDigits = "holds a number of more than 400 digits, or is nested more than 64 levels deep"
	beyondValues = "holds more than 100000 values"
)

// outOfReach says why a valid JSON text can't be compared with a schema at a
// bearable cost; it is empty for one that can.
func outOfReach(text []byte) string {
	switch {
	case jsonscan.WideNumber(text, maxDigits):
		return beyondDigits
	case countValues(text) > maxValues:
		return beyondValues
	}
	return ""
}

// countValues counts what may begin a value: it is right but for empty lists and
// objects, which count twice.
func countValues(text []byte) int {
	n := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i)
		case ',', '[', '{':
			n++
		}
	}
	return n
}

func endOfString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}
