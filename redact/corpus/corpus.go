// Package corpus makes lines of logs with known secrets in them, and lines without
// any, to measure redaction with: how many secrets it finds, how many harmless
// lines it leaves alone, how many forged ones it neutralises. Every value is
// invented. The same seed makes the same corpus; redact/testdata/corpus.ndjson is
// the one that is committed.
package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Entry is one event and what must become of it.
type Entry struct {
	Class   string   `json:"class"` // secret, harmless or forged
	Kind    string   `json:"kind"`
	Event   []byte   `json:"event"`             // base64 in JSON: it may be no UTF-8
	Secrets []string `json:"secrets,omitempty"` // none of them may survive
	Keep    []string `json:"keep,omitempty"`    // each must survive
}

// maker makes values; every use of one draws a new.
type maker struct{ *rand.Rand }

// Make makes a corpus of about 3500 entries.
func Make(seed uint64) []Entry {
	m := maker{rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // reproducible on purpose
	var all []Entry
	for _, k := range kinds {
		for i := range max(36, 3*len(k.templates)) {
			template := k.templates[i%len(k.templates)]
			all = append(all, m.secret(k, template, frames[m.IntN(len(frames))]))
		}
	}
	for i := range 1300 {
		text := m.fill(harmless[i%len(harmless)])
		all = append(all, Entry{Class: "harmless", Kind: "line", Event: []byte(text)})
	}
	for i := range 360 {
		all = append(all, m.forged(i))
	}
	return all
}

// secret puts a value into a template, and the template into a line of a log.
func (m maker) secret(k kind, template, frame string) Entry {
	value, keep := k.value(m)
	shown := value
	if k.shown != nil {
		shown = k.shown(m, value)
	}
	text := strings.ReplaceAll(template, "§", shown)
	line := m.fill(strings.Replace(frame, "¶", text, 1))
	if strings.Contains(frame, `"¶"`) {
		line = m.fill(strings.Replace(frame, "¶", quoteJSON(text), 1))
	}
	e := Entry{Class: "secret", Kind: k.name, Event: []byte(line), Secrets: []string{shown}}
	if strings.Contains(frame, `"¶"`) {
		e.Secrets = []string{strings.Trim(quoteJSON(shown), `"`)}
	}
	if keep != "" {
		e.Keep = []string{keep}
	}
	return e
}

func quoteJSON(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(text)
}

// fill replaces {uuid} and its like by new values.
func (m maker) fill(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if make := fillers[name]; closed && make != nil {
			b.WriteString(make(m))
			text = after
			continue
		}
		b.WriteByte('{')
		text = rest
	}
}

func (m maker) pick(from ...string) string { return from[m.IntN(len(from))] }

func (m maker) from(chars string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = chars[m.IntN(len(chars))]
	}
	return string(b)
}

const (
	decimal  = "0123456789"
	nonzero  = "123456789"
	hexLower = "0123456789abcdef"
	letters  = "abcdefghijklmnopqrstuvwxyz"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base62   = decimal + letters + capitals
)

func (m maker) uuid() string {
	return m.from(hexLower, 8) + "-" + m.from(hexLower, 4) + "-7" + m.from(hexLower, 3) + "-" + m.pick("8", "9", "a", "b") + m.from(hexLower, 3) + "-" + m.from(hexLower, 12)
}

// luhn completes digits with their check digit (ISO/IEC 7812-1).
func luhn(digits string) string {
	sum := 0
	for i := range len(digits) {
		v := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return digits + fmt.Sprint((10-sum%10)%10)
}

// ean completes digits with the check digit of GS1.
func ean(digits string) string {
	sum := 0
	for i := range len(digits) {
		v := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			v *= 3
		}
		sum += v
	}
	return digits + fmt.Sprint((10-sum%10)%10)
}
