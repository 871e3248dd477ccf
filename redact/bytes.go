package redact

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return (c|0x20)-'a' < 26 }
func isUpper(c byte) bool  { return c-'A' < 26 }
func isLower(c byte) bool  { return c-'a' < 26 }
func isAlnum(c byte) bool  { return isDigit(c) || isLetter(c) }
func isHex(c byte) bool    { return isDigit(c) || (c|0x20)-'a' < 6 }
func isQuote(c byte) bool  { return c == '"' || c == '\'' || c == '`' }
func isBlank(c byte) bool  { return c == ' ' || c == '\t' }
func isSpace(c byte) bool  { return c == ' ' || c-'\t' < 5 }

// isToken says whether c may be part of an opaque token (RFC 6750 b64token and base64).
func isToken(c byte) bool {
	return isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/' || c == '='
}

func lower(c byte) byte {
	if isUpper(c) {
		return c | 0x20
	}
	return c
}

func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	default:
		return c&0x0f + 9
	}
}

// hasFold says whether b begins with a lower-case ASCII text, in any case.
func hasFold(b []byte, text string) bool {
	if len(b) < len(text) {
		return false
	}
	for i := range len(text) {
		if lower(b[i]) != text[i] {
			return false
		}
	}
	return true
}

func equalFold(b []byte, text string) bool { return len(b) == len(text) && hasFold(b, text) }

// run is the end of the bytes from i on for which is holds, at most limit of them.
func run(b []byte, i, limit int, is func(byte) bool) int {
	end := min(len(b), i+limit)
	for i < end && is(b[i]) {
		i++
	}
	return i
}
