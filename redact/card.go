package redact

// card masks groups 0 to last if they are a payment card's number (ISO/IEC 7812):
// length and beginning of a network, and the check digit.
func (p *pass) card(n *numbers, last int, k kind, tied bool) bool {
	total := n.total(last)
	if total < 12 || total > 19 || n.plus || n.paren {
		return false
	}
	var digits [19]byte
	d := digits[:0]
	for g := 0; g <= last; g++ {
		d = append(d, p.b[n.from[g]:n.to[g]]...)
	}
	known := k == kindCard || k == kindCVV
	if !known {
		if !cardShape(n, last) || !luhn(d) || !network(d) {
			return false
		}
		if p.byteAt(n.start-1) == '.' && tied || tied && last > 0 && !n.shape(4, 4, 4, 4) {
			return false
		}
		if n.tiedAfter(last) && (last == 0 || n.gap[last+1] == n.gap[last]) {
			return false
		}
	} else if total < 13 && !luhn(d) {
		return false
	}
	p.maskCard(n.from[0], n.to[last])
	return true
}

// cardShape says whether people write cards in such groups.
func cardShape(n *numbers, last int) bool {
	if last == 0 {
		return true
	}
	switch {
	case last == 2 && (n.shape(4, 6, 5) || n.shape(4, 6, 4)):
		return true
	case last == 1 && n.shape(6, 13):
		return true
	}
	for g := 0; g <= last; g++ {
		if g < last && n.len(g) < 4 || n.len(g) < 1 {
			return false
		}
		if n.gap[g] == '/' || n.gap[g] == '(' || n.gap[g] == ')' {
			return false
		}
	}
	return n.len(0) >= 4 && (n.len(last) >= 2 || last >= 3)
}

// luhn checks the check digit (ISO/IEC 7812-1, annex B).
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		v := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// network says whether a number of this length can begin so. Numbers of 12 and 13
// digits are left to barcodes unless the words before say card.
func network(d []byte) bool {
	lead := func(n int) (v int) {
		for _, c := range d[:n] {
			v = v*10 + int(c-'0')
		}
		return v
	}
	two, four := lead(2), lead(4)
	switch len(d) {
	case 14: // Diners Club
		return four >= 3000 && four <= 3059 || four == 3095 || two == 36 || two == 38 || two == 39
	case 15: // American Express, and Maestro's rare ones
		return two == 34 || two == 37 || four == 2014 || four == 2149 || four == 5018 || four == 5020 || four == 5038 || four == 6304
	case 16:
		switch d[0] {
		case '4', '6': // Visa, Elo; Discover, UnionPay, Maestro, RuPay, Hipercard
			return true
		case '5': // Mastercard, Maestro, Elo, Verve
			return two <= 58
		case '3': // JCB, Diners Club, RuPay
			return four >= 3528 && four <= 3589 || two == 36 || two == 38 || two == 39 || two == 30 || four/10 == 357 || four == 3841
		case '2': // Mastercard, Mir
			return four >= 2200 && four <= 2205 || four >= 2221 && four <= 2720
		case '8', '9': // UnionPay, RuPay, Uzcard, Humo, Troy
			return two == 81 || two == 82 || four == 8600 || four == 9860 || four == 9792
		}
		return four == 1946
	case 17, 18, 19:
		return d[0] == '6' || d[0] == '4' && len(d) != 17 || four >= 3528 && four <= 3589 || four >= 2200 && four <= 2204 ||
			two == 81 || two == 50 || two >= 56 && two <= 58 || two == 36 || four == 3841
	}
	return false
}
