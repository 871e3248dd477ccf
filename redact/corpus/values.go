package corpus

import (
	"fmt"
	"strings"
)

var fillers = map[string]func(maker) string{
	"uuid":  maker.uuid,
	"hex64": func(m maker) string { return m.from(hexLower, 64) },
	"hex40": func(m maker) string { return m.from(hexLower, 40) },
	"hex32": func(m maker) string { return m.from(hexLower, 32) },
	"hex16": func(m maker) string { return m.from(hexLower, 16) },
	"hex7":  func(m maker) string { return m.from(hexLower, 7) },
	"n1":    func(m maker) string { return m.from(nonzero, 1) },
	"n2":    func(m maker) string { return m.from(nonzero, 1) + m.from(decimal, 1) },
	"n3":    func(m maker) string { return m.from(nonzero, 1) + m.from(decimal, 2) },
	"n4":    func(m maker) string { return m.from(nonzero, 1) + m.from(decimal, 3) },
	"n6":    func(m maker) string { return m.from(nonzero, 1) + m.from(decimal, 5) },
	"n8":    func(m maker) string { return m.from(nonzero, 1) + m.from(decimal, 7) },
	"store": func(m maker) string { return "0" + m.from(decimal, 3) },
	"order": func(m maker) string {
		return m.pick("A-", "ORD-", "SO", "PO-2026-", "INV-") + m.from(decimal, 2+m.IntN(5))
	},
	"sku": func(m maker) string { return m.from(capitals, 3) + "-" + m.from(decimal, 4) },
	"ean13": func(m maker) string {
		return ean(m.pick("400", "501", "761", "871", "978", "460", "590") + m.from(decimal, 9))
	},
	"ean8":  func(m maker) string { return ean(m.from(nonzero, 1) + m.from(decimal, 6)) },
	"upc":   func(m maker) string { return ean("0" + m.from(decimal, 10)) },
	"gtin":  func(m maker) string { return ean("0" + m.from(decimal, 12)) },
	"sscc":  func(m maker) string { return ean("3" + m.from(decimal, 16)) },
	"epoch": func(m maker) string { return "17" + m.from(decimal, 8) },
	"ms":    func(m maker) string { return "17" + m.from(decimal, 11) },
	"us":    func(m maker) string { return "17" + m.from(decimal, 14) },
	"ns":    func(m maker) string { return "17" + m.from(decimal, 17) },
	"date": func(m maker) string {
		return fmt.Sprintf("2026-%02d-%02d", 1+m.IntN(12), 1+m.IntN(28))
	},
	"time": func(m maker) string {
		return fmt.Sprintf("%02d:%02d:%02d.%03d", m.IntN(24), m.IntN(60), m.IntN(60), m.IntN(1000))
	},
	"ip":   func(m maker) string { return fmt.Sprintf("10.%d.%d.%d", m.IntN(256), m.IntN(256), m.IntN(256)) },
	"port": func(m maker) string { return fmt.Sprint(1024 + m.IntN(60000)) },
	"word": func(m maker) string {
		return m.pick("dock", "aisle", "zone", "lane", "wave", "tote", "bin", "cart", "gate")
	},
	"level": func(m maker) string { return m.pick("INFO", "WARN", "ERROR", "DEBUG") },
	"name":  func(m maker) string { return m.pick("joe", "ann", "kim", "lee", "max", "eva") },
	"lsn":   func(m maker) string { return m.from("0123", 1) + "/" + strings.ToUpper(m.from(hexLower, 7)) },
	"mac": func(m maker) string {
		return strings.Join([]string{m.from(hexLower, 2), m.from(hexLower, 2), m.from(hexLower, 2), m.from(hexLower, 2), m.from(hexLower, 2), m.from(hexLower, 2)}, ":")
	},
	"ver":  func(m maker) string { return fmt.Sprintf("%d.%d.%d", m.IntN(20), m.IntN(30), m.IntN(40)) },
	"dur":  func(m maker) string { return fmt.Sprintf("%d.%dms", m.IntN(900), m.IntN(10)) },
	"ups":  func(m maker) string { return "1Z" + m.from(decimal+capitals, 6) + m.from(decimal, 10) },
	"usps": func(m maker) string { return "9400" + m.from(decimal, 18) },
	"isbn": func(m maker) string { return "978-3-16-" + m.from(decimal, 6) + "-" + m.from(decimal, 1) },
}

// kind of secret: how its values look and where they stand.
type kind struct {
	name      string
	value     func(maker) (value, keep string)
	shown     func(m maker, value string) string // how it is written; nil: as it is
	templates []string
}

func plain(make func(maker) string) func(maker) (string, string) {
	return func(m maker) (string, string) { return make(m), "" }
}

func (m maker) ssn() (string, string, string) {
	return fmt.Sprintf("%03d", 1+m.IntN(665)), fmt.Sprintf("%02d", 1+m.IntN(99)), fmt.Sprintf("%04d", 1+m.IntN(9999))
}

// card is a valid number of one of the networks.
func (m maker) card() string {
	type network struct {
		lead   string
		length int
	}
	n := []network{
		{"4", 16},
		{"4", 16},
		{"4", 19},
		{"51", 16},
		{"55", 16},
		{"2221", 16},
		{"2720", 16},
		{"34", 15},
		{"37", 15},
		{"36", 14},
		{"300", 14},
		{"38", 14},
		{"6011", 16},
		{"644", 16},
		{"65", 16},
		{"3528", 16},
		{"3589", 16},
		{"62", 16},
		{"62", 17},
		{"62", 19},
		{"5018", 16},
		{"6304", 16},
		{"6759", 16},
		{"6763", 19},
		{"2200", 16},
		{"2204", 16},
		{"60", 16},
		{"508", 16},
		{"8600", 16},
		{"9792", 16},
		{"636368", 16},
		{"606282", 16},
	}[m.IntN(32)]
	return luhn(n.lead + m.from(decimal, n.length-len(n.lead)-1))
}

// grouped writes a card as people do.
func (m maker) grouped(card string) string {
	if m.IntN(3) == 0 {
		return card
	}
	sizes := []int{4, 4, 4, 4, 4}
	switch len(card) {
	case 15:
		sizes = []int{4, 6, 5}
	case 14:
		sizes = []int{4, 6, 4}
	}
	sep := m.pick(" ", "-", " ", ".")
	var parts []string
	for _, n := range sizes {
		if n = min(n, len(card)); n > 0 {
			parts = append(parts, card[:n])
			card = card[n:]
		}
	}
	return strings.Join(parts, sep)
}

// iban makes one of a country with a numeric account.
func (m maker) iban() string {
	country := []struct {
		code string
		n    int
	}{{"DE", 18}, {"AT", 16}, {"BE", 12}, {"ES", 20}, {"PL", 24}, {"DK", 14}, {"FI", 14}, {"SE", 20}, {"PT", 21}, {"CH", 17}}[m.IntN(10)]
	account := m.from(decimal, country.n)
	rest := 0
	for _, c := range account + fmt.Sprintf("%d%d00", country.code[0]-'A'+10, country.code[1]-'A'+10) {
		rest = (rest*10 + int(c-'0')) % 97
	}
	all := country.code + fmt.Sprintf("%02d", 98-rest) + account
	if m.IntN(2) == 0 {
		return all
	}
	var parts []string
	for len(all) > 4 {
		parts = append(parts, all[:4])
		all = all[4:]
	}
	return strings.Join(append(parts, all), " ")
}

func (m maker) password() string {
	switch m.IntN(6) {
	case 0:
		return m.pick("hunter", "correct", "dragon", "monkey", "summer") + m.from(decimal, 2)
	case 1:
		return m.from(base62, 12)
	case 2:
		return m.from(base62, 4) + m.pick("!", "$", "@", "#", "%", "^", "*") + m.from(base62, 5)
	case 3:
		return "P@ss" + m.from(decimal, 3) + "w0rd!"
	case 4:
		return m.from(letters, 6) + "-" + m.from(letters, 5) + "-" + m.from(decimal, 2)
	}
	return m.from(base62, 20)
}

func (m maker) opaque() string { return m.from(base62, 16+m.IntN(30)) }

func (m maker) jwt() string {
	return "eyJ" + m.from(base62, 17) + ".eyJ" + m.from(base62, 40) + "." + m.from(base62+"-_", 43)
}

func (m maker) email() string {
	return m.pick("joe", "ann.lee", "max_m", "k.o'neil", "support+x", "eva99", "first.last") + "@" + m.pick("example.com", "mail.example.co.uk", "shop-42.de", "sub.domain.org", "x.io")
}

func (m maker) phone() string {
	area, exchange, line := m.from("23456789", 1)+m.from("123456789", 2), m.from("23456789", 1)+m.from(decimal, 2), m.from(decimal, 4)
	switch m.IntN(10) {
	case 0:
		return "(" + area + ") " + exchange + "-" + line
	case 1:
		return area + "-" + exchange + "-" + line
	case 2:
		return area + "." + exchange + "." + line
	case 3:
		return "+1" + area + exchange + line
	case 4:
		return "+1 " + area + " " + exchange + " " + line
	case 5:
		return "+1 (" + area + ") " + exchange + "-" + line
	case 6:
		return "1-" + area + "-" + exchange + "-" + line
	case 7:
		return "+44 20 7" + m.from(decimal, 3) + " " + m.from(decimal, 4)
	case 8:
		return "+49 30 " + m.from(nonzero, 1) + m.from(decimal, 6)
	}
	return "+33 " + m.from("12345", 1) + " " + m.from(decimal, 2) + " " + m.from(decimal, 2) + " " + m.from(decimal, 2) + " " + m.from(decimal, 2)
}

func (m maker) birth() string {
	y, mo, d := 1940+m.IntN(65), 1+m.IntN(12), 1+m.IntN(28)
	switch m.IntN(6) {
	case 0:
		return fmt.Sprintf("%d-%02d-%02d", y, mo, d)
	case 1:
		return fmt.Sprintf("%02d/%02d/%d", mo, d, y)
	case 2:
		return fmt.Sprintf("%d/%d/%d", mo, d, y)
	case 3:
		return fmt.Sprintf("%02d.%02d.%d", d, mo, y)
	case 4:
		return fmt.Sprintf("%d %s %d", d, m.pick("January", "Feb", "March", "May", "June", "Sept", "October", "Dec"), y)
	}
	return fmt.Sprintf("%s %d, %d", m.pick("January", "Feb", "March", "May", "June", "Sept", "October", "Dec"), d, y)
}

// provider makes a key of one of the providers; the prefixes are put together here
// so that no scanner of source code takes them for keys.
func (m maker) provider() string {
	b := func(n int) string { return m.from(base62, n-1) + m.from(decimal, 1) }
	switch m.IntN(22) {
	case 0:
		return "AK" + "IA" + m.from(capitals+"234567", 16)
	case 1:
		return "AS" + "IA" + m.from(capitals+"234567", 16)
	case 2:
		return "AI" + "za" + b(35)
	case 3:
		return "gh" + m.pick("p", "o", "s", "u", "r") + "_" + b(36)
	case 4:
		return "github" + "_pat_" + b(22) + "_" + b(59)
	case 5:
		return "glp" + "at-" + b(20)
	case 6:
		return "xo" + "xb-" + m.from(decimal, 12) + "-" + m.from(decimal, 12) + "-" + b(24)
	case 7:
		return "xo" + "xp-" + m.from(decimal, 12) + "-" + b(32)
	case 8:
		return "sk" + "_live_" + b(24)
	case 9:
		return "rk" + "_live_" + b(24)
	case 10:
		return "wh" + "sec_" + b(32)
	case 11:
		return "S" + "G." + b(22) + "." + b(43)
	case 12:
		return "np" + "m_" + b(36)
	case 13:
		return "py" + "pi-" + "AgEIcHlwaS5vcmc" + b(40)
	case 14:
		return "s" + "k-" + b(48)
	case 15:
		return "sk-" + "ant-api03-" + b(60)
	case 16:
		return "do" + "p_v1_" + m.from(hexLower, 64)
	case 17:
		return "shp" + "at_" + m.from(hexLower, 32)
	case 18:
		return "h" + "f_" + b(34)
	case 19:
		return m.from(nonzero, 1) + m.from(decimal, 8) + ":AA" + m.from(base62, 33)
	case 20:
		return "S" + "K" + m.from(hexLower, 32)
	}
	return "AG" + "E-SECRET-KEY-1" + m.from(capitals+decimal, 58)
}

func (m maker) pem() string {
	kind := m.pick("RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED ")
	return "-----BEGIN " + kind + "PRIVATE KEY-----\n" + m.from(base62, 64) + "\n" + m.from(base62, 40) + "==\n-----END " + kind + "PRIVATE KEY-----"
}

func (m maker) papers() string {
	switch m.IntN(6) {
	case 0:
		return m.from(capitals, 1) + m.from(decimal, 7)
	case 1:
		return m.from(decimal, 9)
	case 2:
		return m.from(capitals, 1) + m.from(decimal, 3) + "-" + m.from(decimal, 4) + "-" + m.from(decimal, 4)
	case 3:
		return m.from(capitals, 2) + m.from(decimal, 6)
	case 4:
		return m.from(capitals, 1) + m.from(decimal, 2) + m.from(capitals, 1) + m.from(decimal, 2) + m.from(capitals, 1) + m.from(decimal, 2)
	}
	return m.from(capitals, 1) + m.from(decimal, 8)
}
