package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

// expected is what the gateway takes, told with the standard library.
func expected(data []byte) bool {
	return json.Valid(data) && utf8.Valid(data) && tokensAreBounded(data)
}

func tokensAreBounded(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	for depth := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return true
		}
		switch token := token.(type) {
		case json.Delim:
			if depth++; token == '}' || token == ']' {
				depth -= 2
			}
			if depth > jsonscan.MaxDepth {
				return false
			}
		case json.Number:
			_, exponent, _ := strings.Cut(strings.ToLower(token.String()), "e")
			if len(strings.TrimLeft(exponent, "+-0")) > 18 {
				return false
			}
		}
	}
}

func TestValidAgreesWithTheStandardLibrary(t *testing.T) {
	fragments := []string{
		"", ",", ":", "{", "}", "[", "]", `"`, `\`, "0", "-", "+", ".", "e", "1e400", "null", "tru", " ", "\x00", "\x1f", "\xff", "\xc0\x80",
		"\xed\xa0\x80", "\ufeff", `\u`, `\ud800`, "NaN", "é", strings.Repeat("[", 64), strings.Repeat("9", 19),
	}
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		spell(t, &b, drawValue(t, 4))
		data := b.String()
		if err := jsonscan.Valid([]byte(data), jsonscan.MaxDepth); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		for range rapid.IntRange(0, 3).Draw(t, "mutations") {
			from := rapid.IntRange(0, len(data)).Draw(t, "from")
			to := min(len(data), from+rapid.IntRange(0, 2).Draw(t, "length"))
			data = data[:from] + rapid.SampledFrom(fragments).Draw(t, "fragment") + data[to:]
		}
		err := jsonscan.Valid([]byte(data), jsonscan.MaxDepth)
		if want := expected([]byte(data)); want != (err == nil) {
			t.Fatalf("%q: %v, but the standard library says %v", data, err, want)
		}
		if err == nil {
			taken++
		}
	})
	if taken == 0 {
		t.Error("no text was taken")
	}
}

func TestEqualWhateverTheSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(t, 4)
		var one, other, changed strings.Builder
		spell(t, &one, v)
		spell(t, &other, v)
		if !jsonscan.Equal([]byte(one.String()), []byte(other.String())) {
			t.Fatalf("%q and %q are said to differ", one.String(), other.String())
		}
		spell(t, &changed, mutated(t, v))
		if jsonscan.Equal([]byte(one.String()), []byte(changed.String())) {
			t.Fatalf("%q and %q are said to be equal", one.String(), changed.String())
		}
	})
}

// A walk that skips every value sees the same text as a check of the whole.
func TestWalkingIsValidating(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		spell(t, &b, drawValue(t, 4))
		data := []byte(b.String())
		if cut := rapid.IntRange(0, len(data)).Draw(t, "cut"); rapid.Bool().Draw(t, "cut it") {
			data = data[:cut]
		}
		s := jsonscan.New(data, jsonscan.MaxDepth)
		start := s.Pos()
		switch s.Kind() {
		case jsonscan.Object:
			s.Enter()
			for _, more := s.Member(); more; _, more = s.Member() {
				s.Skip()
			}
		case jsonscan.Array:
			for s.Enter(); s.Element(); {
				s.Skip()
			}
		default:
			s.Skip()
		}
		span := s.Since(start)
		s.End()
		if want := jsonscan.Valid(data, jsonscan.MaxDepth); (want == nil) != (s.Err() == nil) {
			t.Fatalf("%q: the walk says %v, the check %v", data, s.Err(), want)
		}
		if s.Err() == nil && !bytes.HasPrefix(data, span) {
			t.Fatalf("%q: %q is no part of it", data, span)
		}
	})
}

func seeds(f *testing.F) []string {
	f.Helper()
	return []string{
		``, `{}`, `[1,-0.5e+10,"a\u00e9\ud83d\ude00",true,false,null,{"a":{"a":[]}}]`, `{"id":1,"id":2}`, `"\ud800"`, `"\u0000"`,
		`1e999999999999999999`, `1e1000000000000000000`, `0e-0000000000000000000001`, "\ufeff1", "\"\xff\"", nested(64, "[", "", "]"), nested(65, "[", "", "]"), "1 2",
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := jsonscan.Valid(data, jsonscan.MaxDepth)
		if want := expected(data); want != (err == nil) {
			t.Fatalf("%q: %v, but the standard library says %v", data, err, want)
		}
	})
}

func FuzzEqual(f *testing.F) {
	for _, a := range seeds(f) {
		f.Add([]byte(a), []byte(`{"a":1}`))
		f.Add([]byte(a), []byte(a+" "))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		equal := jsonscan.Equal(a, b)
		if jsonscan.Equal(b, a) != equal {
			t.Fatalf("%q and %q: it depends on the order", a, b)
		}
		if !jsonscan.Equal(a, bytes.Clone(a)) {
			t.Fatalf("%q is not itself", a)
		}
		if jsonscan.Valid(a, jsonscan.MaxDepth) != nil || jsonscan.Valid(b, jsonscan.MaxDepth) != nil {
			if equal != bytes.Equal(a, b) {
				t.Fatalf("%q and %q: not valid, and yet equal", a, b)
			}
			return
		}
		if !jsonscan.Equal(a, append([]byte("\n"), a...)) {
			t.Fatalf("%q is not itself behind white space", a)
		}
		// What encodes to different values by the standard library can't be equal,
		// as far as its float64 and its map see them.
		if equal && !sameToTheStandardLibrary(a, b) {
			t.Fatalf("%q and %q are said to be equal", a, b)
		}
	})
}

// sameToTheStandardLibrary is true also where the standard library can't tell.
func sameToTheStandardLibrary(a, b []byte) bool {
	if bytes.Contains(bytes.ToLower(a), []byte(`\ud`)) { // halves of pairs are all U+FFFD to it
		return true
	}
	var left, right any
	if json.Unmarshal(a, &left) != nil || json.Unmarshal(b, &right) != nil {
		return true
	}
	x, _ := json.Marshal(left)
	y, _ := json.Marshal(right)
	return bytes.Equal(bytes.ReplaceAll(x, []byte("-0"), []byte("0")), bytes.ReplaceAll(y, []byte("-0"), []byte("0")))
}
