package jsonscan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

func nested(levels int, open, inner, end string) string {
	return strings.Repeat(open, levels) + inner + strings.Repeat(end, levels)
}

func TestValidTakes(t *testing.T) {
	for name, text := range map[string]string{
		"object":                  `{}`,
		"array":                   `[]`,
		"white space":             " \t\r\n{ \"a\" : [ 1 , 2 ] } \t\r\n",
		"literals":                `[true,false,null]`,
		"empty string":            `""`,
		"every escape":            `"\"\\\/\b\f\n\r\tA\u00e9"`,
		"U+0000 escaped":          `"\u0000"`,
		"lone high surrogate":     `"\ud800"`,
		"lone low surrogate":      `"\udc00x"`,
		"surrogate pair":          `"\ud83d\ude00"`,
		"characters of all sizes": `"aé€😀"`,
		"DEL and C1 controls":     "\"\x7f\u0080\"",
		"duplicate names":         `{"a":1,"a":2}`,
		"empty names":             `{"":{"":0}}`,
		"numbers":                 `[0,-0,1,-1,1.5,-0.0,1e1,1E+1,1e-1,0e0,9223372036854775808,1e400,-1e-400]`,
		"many digits":             strings.Repeat("9", 5000) + "." + strings.Repeat("1", 5000),
		"exponent of 18 digits":   `1e999999999999999999`,
		"exponent's zeros":        `1e-` + strings.Repeat("0", 300) + `123456789012345678`,
		"exponent of zeros":       `1e` + strings.Repeat("0", 300),
		"64 arrays":               nested(64, "[", "", "]"),
		"64 objects":              nested(64, `{"a":`, "1", "}"),
		"wide":                    "[" + strings.Repeat("[],", 5000) + "{}]",
	} {
		t.Run(name, func(t *testing.T) {
			if err := jsonscan.Valid([]byte(text), jsonscan.MaxDepth); err != nil {
				t.Fatal(err)
			}
			if !json.Valid([]byte(text)) {
				t.Fatal("the standard library disagrees")
			}
		})
	}
}

func TestValidRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		offset int
	}{
		"nothing":                      {"", 0},
		"white space only":             {"  ", 2},
		"byte order mark":              {"\ufeff{}", 0},
		"NUL":                          {"\x00", 0},
		"NUL behind":                   {"{}\x00", 2},
		"other white space":            {"\v1", 0},
		"comment":                      {"/**/1", 0},
		"two values":                   {"1 2", 2},
		"garbage behind":               {"{}x", 2},
		"comma behind":                 {"1,", 1},
		"trailing comma in an array":   {"[1,]", 3},
		"trailing comma in an object":  {`{"a":1,}`, 7},
		"leading comma":                {"[,1]", 1},
		"leading comma in an object":   {`{,"a":1}`, 1},
		"two commas":                   {"[1,,2]", 3},
		"no comma":                     {"[1 2]", 3},
		"no comma after a value":       {"[[]1]", 3},
		"no colon":                     {`{"a" 1}`, 5},
		"two colons":                   {`{"a"::1}`, 5},
		"no value":                     {`{"a":}`, 5},
		"name without quotes":          {`{a:1}`, 1},
		"name that is a number":        {`{1:1}`, 1},
		"single quotes":                {`'a'`, 0},
		"wrong end of an array":        {"[1}", 2},
		"wrong end of an object":       {`{"a":1]`, 6},
		"an end alone":                 {"]", 0},
		"array without an end":         {"[1", 2},
		"array that just began":        {"[", 1},
		"array after a comma":          {"[1,", 3},
		"object without an end":        {`{"a":1`, 6},
		"object that just began":       {"{", 1},
		"object after a name":          {`{"a"`, 4},
		"object after a colon":         {`{"a":`, 5},
		"string without an end":        {`"abc`, 4},
		"string that just began":       {`"`, 1},
		"string ending in a backslash": {`"\`, 1},
		"quote escaped":                {`"\"`, 3},
		"half an escape":               {`"\u12"`, 1},
		"escape that is not hex":       {`"\u12g4"`, 1},
		"unknown escape":               {`"\x41"`, 1},
		"upper-case U":                 {`"\U0041"`, 1},
		"line feed in a string":        {"\"a\nb\"", 2},
		"tab in a long string":         {"\"12345678901234567890\t\"", 21},
		"NUL in a string":              {"\"\x00\"", 1},
		"U+001F in a string":           {"\"12345678\x1f\"", 9},
		"byte FF":                      {"\"\xff\"", 1},
		"byte 80 alone":                {"\"a\x80\"", 2},
		"overlong":                     {"\"\xc0\xaf\"", 1},
		"overlong NUL":                 {"\"\xc0\x80\"", 1},
		"overlong in three":            {"\"\xe0\x80\xaf\"", 1},
		"surrogate in UTF-8":           {"\"\xed\xa0\x80\"", 1},
		"beyond U+10FFFF":              {"\"\xf4\x90\x80\x80\"", 1},
		"cut UTF-8":                    {"\"\xe2\x82\"", 1},
		"cut UTF-8 at the end":         {"\"\xe2\x82", 1},
		"UTF-8 in a name":              {"{\"\xff\":1}", 2},
		"UTF-8 outside of strings":     {"[\xff]", 1},
		"minus":                        {"-", 0},
		"plus":                         {"+1", 0},
		"leading zero":                 {"01", 0},
		"two zeros":                    {"[00]", 1},
		"minus and leading zero":       {"-01", 0},
		"nothing behind the point":     {"1.", 0},
		"nothing before the point":     {".5", 0},
		"nothing behind minus point":   {"-.5", 0},
		"nothing behind e":             {"1e", 0},
		"only a sign behind e":         {"1e+", 0},
		"point behind e":               {"1e1.5", 3},
		"hex":                          {"0x10", 1},
		"underscore":                   {"1_000", 1},
		"NaN":                          {"NaN", 0},
		"Infinity":                     {"[Infinity]", 1},
		"-Infinity":                    {"-Infinity", 0},
		"exponent of 19 digits":        {"1e1000000000000000000", 0},
		"exponent of -19 digits":       {"[1E-0001000000000000000000]", 1},
		"literal cut":                  {"tru", 0},
		"literal in capitals":          {"True", 0},
		"literal too long":             {"nullx", 4},
		"65 arrays":                    {nested(65, "[", "", "]"), 64},
		"65 objects":                   {nested(65, `{"a":`, "1", "}"), 64 * 5},
		"10,000 levels":                {nested(10_000, "[", "", "]"), 64},
		"10 million levels":            {strings.Repeat("[", 10_000_000), 64},
	} {
		t.Run(name, func(t *testing.T) {
			var wrong *jsonscan.Error
			err := jsonscan.Valid([]byte(c.text), jsonscan.MaxDepth)
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v", err)
			}
			if wrong.Offset != c.offset {
				t.Errorf("%v, want it at byte %d", err, c.offset)
			}
		})
	}
}

func TestDepthIsBoundedWhateverIsAsked(t *testing.T) {
	if err := jsonscan.Valid([]byte(nested(10_000, "[", "", "]")), 1<<40); err != nil {
		t.Error(err)
	}
	for _, open := range []string{"[", `{"a":`} {
		if err := jsonscan.Valid([]byte(strings.Repeat(open, 10_000_000)), 1<<40); err == nil {
			t.Errorf("10 million levels of %s were taken", open)
		}
	}
	if err := jsonscan.Valid([]byte("[]"), 0); err == nil {
		t.Error("a level was taken where none is allowed")
	}
}

func TestErrorsDoNotEchoTheText(t *testing.T) {
	for _, text := range []string{`{"a":secret}`, `{"secret":}`, `["secret`, `"\secret"`, `[1 secret]`, `{} secret`} {
		if err := jsonscan.Valid([]byte(text), 64); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWalk(t *testing.T) {
	text := ` {"\u0069d": "A-1", "skip": {"a": [1, {"b": 2}]}, "list": [10, [true], "x"], "n": -5} `
	s := jsonscan.New([]byte(text), 64)
	if s.Kind() != jsonscan.Object {
		t.Fatal("not an object")
	}
	start := s.Pos()
	var id, skipped string
	var list []string
	var n int64
	s.Enter()
	for name, more := s.Member(); more; name, more = s.Member() {
		switch {
		case name.Is("id"):
			b, _ := s.Text().Bytes()
			id = string(b)
		case name.Is("list"):
			for s.Enter(); s.Element(); {
				list = append(list, string(s.Skip()))
			}
		case name.Is("n"):
			n, _ = s.Int()
		default:
			skipped += string(name.Raw()) + string(s.Skip())
		}
	}
	whole := s.Since(start)
	s.End()
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if id != "A-1" || n != -5 || skipped != `skip{"a": [1, {"b": 2}]}` || strings.Join(list, ";") != `10;[true];"x"` {
		t.Errorf("id %q, n %d, skipped %q, list %q", id, n, skipped, list)
	}
	if string(whole) != strings.TrimSpace(text) {
		t.Errorf("whole is %q", whole)
	}
}

func TestKinds(t *testing.T) {
	for text, want := range map[string]jsonscan.Kind{
		` {}`: jsonscan.Object, `[`: jsonscan.Array, `"`: jsonscan.String, `-`: jsonscan.Number, `7`: jsonscan.Number,
		`t`: jsonscan.Bool, `f`: jsonscan.Bool, `n`: jsonscan.Null, ``: jsonscan.None, `}`: jsonscan.None, `N`: jsonscan.None,
	} {
		if got := jsonscan.New([]byte(text), 64).Kind(); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

// After an error a caller may go on, in any way, and gets nothing.
func TestAfterAnError(t *testing.T) {
	s := jsonscan.New([]byte(`[1,?]`), 64)
	s.Skip()
	first := s.Err()
	s.Enter()
	if _, more := s.Member(); more || s.Element() || s.Skip() != nil || s.Since(0) != nil || len(s.Text().Raw()) != 0 {
		t.Error("something came after an error")
	}
	if _, ok := s.Int(); ok {
		t.Error("a number came after an error")
	}
	s.End()
	if first == nil || !errors.Is(s.Err(), first) {
		t.Errorf("the first error was %v, the last %v", first, s.Err())
	}
}

func TestWrongTurns(t *testing.T) {
	for name, turn := range map[string]func(*jsonscan.Scanner){
		"enter a number": func(s *jsonscan.Scanner) { s.Enter() },
		"read text":      func(s *jsonscan.Scanner) { s.Text() },
		"end":            func(s *jsonscan.Scanner) { s.End() },
	} {
		s := jsonscan.New([]byte("5"), 64)
		if turn(s); s.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestInt(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "7": 7, "-7": -7, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63,
	} {
		if n, ok := jsonscan.New([]byte(text), 64).Int(); !ok || n != want {
			t.Errorf("%s: %d, %v", text, n, ok)
		}
	}
	for _, text := range []string{
		"9223372036854775808", "-9223372036854775809", "18446744073709551617", strings.Repeat("9", 100), "1.0", "1e0", "1E2", "1.5",
		`"1"`, "null", "true", "{}", "[1]", "-", "01", "", "1e400",
	} {
		if n, ok := jsonscan.New([]byte(text), 64).Int(); ok {
			t.Errorf("%s: read as %d", text, n)
		}
	}
}

func TestText(t *testing.T) {
	for text, c := range map[string]struct {
		want  string
		clean bool
	}{
		`"abc"`:                {"abc", true},
		`""`:                   {"", true},
		`"\u0069d"`:            {"id", true},
		`"\"\\\/\b\f\n\r\t"`:   {"\"\\/\b\f\n\r\t", true},
		`"a\u00E9\u20ac"`:      {"aé€", true},
		`"\ud83d\ude00!"`:      {"😀!", true},
		`"\\u0041"`:            {`\u0041`, true},
		`"\u0000"`:             {"\x00", false},
		`"a\ud800"`:            {"a\xed\xa0\x80", false},
		`"\udc00"`:             {"\xed\xb0\x80", false},
		`"\ude00\ud83d"`:       {"\xed\xb8\x80\xed\xa0\xbd", false},
		`"\ud83d\ud83d\ude00"`: {"\xed\xa0\xbd😀", false},
		`"\ud83d\n"`:           {"\xed\xa0\xbd\n", false},
		`"\ufffd"`:             {"\ufffd", true},
		`"\ufffe\uffff"`:       {"\ufffe\uffff", true},
	} {
		got := jsonscan.New([]byte(text), 64).Text()
		b, clean := got.Bytes()
		if string(b) != c.want || clean != c.clean {
			t.Errorf("%s: %q, %v", text, b, clean)
		}
		if !got.Is(c.want) || got.Is(c.want+"x") {
			t.Errorf("%s is not itself", text)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	text := body(50)
	if n := testing.AllocsPerRun(10, func() { _ = jsonscan.Valid(text, jsonscan.MaxDepth) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
