package redact

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// stepsPerByte bounds the work of the second look; what is measured stays below a third of it.
const stepsPerByte = 400

func FuzzScanner(f *testing.F) {
	for _, text := range secretLines {
		line, _, _ := marks(text)
		f.Add([]byte(line))
	}
	for _, line := range harmlessLines {
		f.Add([]byte(line))
	}
	for _, part := range hostileParts {
		f.Add([]byte(strings.Repeat(part, 20)))
	}
	s, err := New(Config{Keys: []string{"loyaltyPin"}, Patterns: []string{"HF-####-@@", "tok_*+"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got := s.Append(nil, line)
		if !utf8.Valid(got) {
			t.Fatalf("%q: the output is no UTF-8: %q", line, got)
		}
		if i := bytes.IndexFunc(got, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f || forges(r) }); i >= 0 {
			t.Fatalf("%q: %q is not neutral at %d", line, got, i)
		}
		var p pass
		p.s = s
		p.run(nil, line)
		if p.steps > stepsPerByte*(len(line)+16) {
			t.Fatalf("%d steps for %d bytes: %q", p.steps, len(line), line)
		}
		if len(got) > 6*len(line)+16 {
			t.Fatalf("%d bytes became %d", len(line), len(got))
		}
	})
}

// hostileParts are repeated to look for work that grows faster than the line.
var hostileParts = []string{
	"password=", `"password":"`, `password:'`, "ssn:'a ", "insert into t (", "insert (a,", "insert into a(b) values (", "-----BEGIN PRIVATE ", "<password ", "identified with ", "1 ", "1-", "4111 ", "(", "+(", "@", "a@", "a.", "://", "://a@", "x://a:",
	" -u ", " -p'", " -a \"", "eyJ", "AKIA", "a_", "a-", "Authorization: Digest a=\"", "cookie: a; ", `\`, `\\u005c`, "%25", "&amp;", "&#", "name=password ", "value=", "DE89", "ab12", "\u200b", "\x1b[", "<![CDATA[", "token:[", "token:[[", "born jan 1 ", "license ", "sk-a-", "SG.a-", "token:[{", "((", "+(", "xoxb--", "$2a$", "curl -u a", "''", "ssn ''a''",
}

func TestCostIsLinear(t *testing.T) {
	for _, part := range hostileParts {
		for _, tail := range []string{"", "password=", `"`, "'", "\n"} {
			unit := part + tail
			line := []byte(strings.Repeat(unit, 20_000/len(unit)))
			var p pass
			p.s = Default
			p.run(nil, line)
			if p.steps > stepsPerByte*len(line) {
				t.Errorf("%q: %d steps a byte", unit, p.steps/len(line))
			}
		}
	}
}

// Both looks at a line four times as long take about four times as long, not sixteen:
// whatever the steps above do not count shows here.
func TestTimeIsLinear(t *testing.T) {
	took := func(unit string, n int) time.Duration {
		line := []byte(strings.Repeat(unit, n/len(unit)))
		var p pass
		p.s = Default
		began := time.Now()
		Default.Clean(line)
		p.run(nil, line)
		return time.Since(began)
	}
	for _, part := range hostileParts {
		short, long := took(part, 50_000), took(part, 200_000)
		if long > 10*short+200*time.Millisecond {
			t.Errorf("%q: %v for 50 kB, %v for 200 kB", part, short, long)
		}
	}
}
