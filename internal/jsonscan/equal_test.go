package jsonscan_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

func TestEqual(t *testing.T) {
	for _, c := range [][2]string{
		{`{}`, ` { } `},
		{`[1,2]`, "[1\n,\t2]"},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`},
		{`{"a":1,"b":{"c":3,"d":[4,{"e":5,"f":6}]}}`, `{"b":{"d":[4,{"f":6,"e":5}],"c":3},"a":1}`},
		{`{"a":1,"b":0,"a":2}`, `{"b":0,"a":1,"a":2}`},
		{`{"\u0069d":1}`, `{"id":1}`},
		{`"\u00e9"`, `"é"`},
		{`"\/"`, `"/"`},
		{`"\ud83d\ude00"`, `"😀"`},
		{`"\uD800"`, `"\ud800"`},
		{`"\u0000"`, `"\u0000"`},
		{`1`, `1.0`},
		{`1`, `1e0`},
		{`1`, `10e-1`},
		{`1`, `0.1e+1`},
		{`100`, `1E2`},
		{`-0`, `0`},
		{`-0.0e5`, `0`},
		{`0e9999`, `0`},
		{`0.000`, `0e-999999999999999999`},
		{`1e400`, `10e399`},
		{`1.50`, `15e-1`},
		{`10.05`, `1005e-2`},
		{`0.00105`, `105e-5`},
		{`1e00000000000000000000000000005`, `100000`},
		{`1e999999999999999999`, `10e999999999999999998`},
		{`100000000000000000000000001`, `100000000000000000000000001.0`},
		{`[true,false,null]`, `[ true , false , null ]`},
	} {
		if !jsonscan.Equal([]byte(c[0]), []byte(c[1])) || !jsonscan.Equal([]byte(c[1]), []byte(c[0])) {
			t.Errorf("%s and %s are said to differ", c[0], c[1])
		}
	}
}

func TestNotEqual(t *testing.T) {
	for _, c := range [][2]string{
		{`{}`, `[]`},
		{`null`, `false`},
		{`true`, `false`},
		{`null`, `"null"`},
		{`0`, `"0"`},
		{`0`, `false`},
		{`""`, `{}`},
		{`[1,2]`, `[2,1]`},
		{`[1]`, `[1,1]`},
		{`[[1],2]`, `[[1,2]]`},
		{`[[],[]]`, `[[[]]]`},
		{`["a","b"]`, `["ab"]`},
		{`["a","b"]`, `["a\",\"b"]`},
		{`[12]`, `[1,2]`},
		{`{"a":1}`, `{"a":2}`},
		{`{"a":1}`, `{"b":1}`},
		{`{"a":1}`, `{"a":1,"b":null}`},
		{`{"a":1,"a":2}`, `{"a":2,"a":1}`},
		{`{"a":1,"a":1}`, `{"a":1}`},
		{`{"a":{"b":1},"c":2}`, `{"a":{"b":1,"c":2}}`},
		{`{"a":{},"b":[]}`, `{"a":[],"b":{}}`},
		{`{"ab":1}`, `{"a":"b1"}`},
		{`"\ud800"`, `"\ud801"`},
		{`"\ud800"`, `"\ufffd"`},
		{`"\ud800"`, `"�"`},
		{`"\ude00\ud83d"`, `"\ud83d\ude00"`},
		{`"\u0000"`, `""`},
		{`"é"`, `"e\u0301"`},
		{`1`, `-1`},
		{`1`, `1.0000000000000000000000000000000000001`},
		{`1e400`, `1e401`},
		{`1e-400`, `0`},
		{`9223372036854775808`, `9223372036854775807`},
		{`100000000000000000000000001`, `100000000000000000000000000`},
		{`1e999999999999999999`, `1e-999999999999999999`},
		{`1e999999999999999999`, `0.1e999999999999999999`},
	} {
		if jsonscan.Equal([]byte(c[0]), []byte(c[1])) || jsonscan.Equal([]byte(c[1]), []byte(c[0])) {
			t.Errorf("%s and %s are said to be equal", c[0], c[1])
		}
	}
}

// What is not JSON that the gateway takes never panics, and equals only itself.
func TestEqualOfWhatIsNotValid(t *testing.T) {
	texts := []string{"", "-", "[1,", `{"a":-}`, "1e", "nul", "[1] 2", nested(65, "[", "1", "]"), nested(65, "[", "1.0", "]"), strings.Repeat("[", 10_000_000)}
	for i, a := range texts {
		for j, b := range texts {
			if got := jsonscan.Equal([]byte(a), []byte(b)); got != (i == j) {
				t.Errorf("%.20q and %.20q: %v", a, b, got)
			}
		}
	}
}

// An object of 100,000 members in the opposite order, and one that is in
// another order on each level, cost little more than their size.
func TestEqualOnHostileInput(t *testing.T) {
	const members = 100_000
	var up, down strings.Builder
	for i := range members {
		fmt.Fprintf(&up, `,"%d":[%d]`, i, i)
		fmt.Fprintf(&down, `,"%d":[%d.0]`, members-1-i, members-1-i)
	}
	deepUp, deepDown := `"`+strings.Repeat("x", 1<<20)+`"`, `"\u0078`+strings.Repeat("x", 1<<20-1)+`"`
	for range 62 {
		deepUp, deepDown = `{"a":`+deepUp+`,"b":1}`, `{"b":1,"a":`+deepDown+`}`
	}
	zeros := "[" + strings.Repeat("0,", 1<<20) + "0]"
	for name, c := range map[string]struct{ a, b string }{
		"members": {"{" + up.String()[1:] + "}", "{" + down.String()[1:] + "}"},
		"levels":  {deepUp, deepDown},
		"zeros":   {zeros, strings.Replace(zeros, "0", "-0", 1)},
		"digits":  {strings.Repeat("7", 1<<20) + "0", strings.Repeat("7", 1<<20) + "e1"},
		"escapes": {`"` + strings.Repeat(`\u0041`, 1<<18) + `"`, `"` + strings.Repeat(`A`, 1<<18) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := []byte(c.a), []byte(c.b)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			equal := jsonscan.Equal(a, b)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			memory := after.TotalAlloc - before.TotalAlloc
			if !equal {
				t.Fatal("not equal")
			}
			// Anything quadratic would take minutes.
			if took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if memory > uint64(64*(len(a)+len(b))) {
				t.Errorf("%d bytes of memory for %d of text", memory, len(a)+len(b))
			}
			t.Logf("%d bytes: %v, %d bytes of memory", len(a)+len(b), took, memory)
		})
	}
}

func TestWideNumber(t *testing.T) {
	for text, want := range map[string]bool{
		`0`:                                 false,
		`{"a":[1,2.5,-3e2],"b":"1e999999"}`: false,
		`12345678`:                          false,
		`123456789`:                         true,
		`-123456789`:                        true,
		`0.00000001`:                        false,
		`0.000000001`:                       true,
		`1.2345678`:                         false,
		`1.23456789`:                        true,
		`1e7`:                               false,
		`1e8`:                               true,
		`1e-8`:                              false,
		`1e-9`:                              true,
		`0e999999999999999999`:              false,
		`1e999999999999999999`:              true,
		`[[[{"a":[0,1e400,0]}]]]`:           true,
		`{"a":1e400,"b":1}`:                 true,
		`100000000000e-11`:                  false,
		`-`:                                 true,
		`[1,`:                               true,
	} {
		if got := jsonscan.WideNumber([]byte(text), 8); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if !jsonscan.WideNumber([]byte(strings.Repeat("[", 10_000_000)), 8) {
		t.Error("10 million levels")
	}
}
