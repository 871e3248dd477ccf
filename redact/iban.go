package redact

// ibanLengths are those of ISO 13616's registry.
var ibanLengths = map[[2]byte]int{}

func init() {
	for country, n := range map[string]int{
		"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28,
		"CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
		"GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32,
		"LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18,
		"NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19,
		"SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
	} {
		ibanLengths[[2]byte{country[0], country[1]}] = n
	}
}

// ibanAt is the length of the international bank account number at i, 0 for none:
// a country, its length, and the check digits (ISO 13616, ISO 7064 MOD 97-10).
func ibanAt(b []byte, i int) int {
	if i+15 > len(b) || !isLetter(b[i]) || !isLetter(b[i+1]) || !isDigit(b[i+2]) || !isDigit(b[i+3]) || i > 0 && isAlnum(b[i-1]) {
		return 0
	}
	want := ibanLengths[[2]byte{b[i] &^ 0x20, b[i+1] &^ 0x20}]
	if want == 0 {
		return 0
	}
	var all [34]byte
	n, end := 0, i
	for end < len(b) && n < want {
		c := b[end]
		switch {
		case isAlnum(c):
			all[n] = c &^ 0x20
			if isDigit(c) {
				all[n] = c
			}
			n++
		case (c == ' ' || c == '-') && n > 0 && isAlnum(b[end-1]):
		default:
			return 0
		}
		end++
	}
	if n < want || end < len(b) && isAlnum(b[end]) {
		return 0
	}
	rest := 0
	for k := range want {
		c := all[(k+4)%want]
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	if rest != 1 {
		return 0
	}
	return end - i
}
