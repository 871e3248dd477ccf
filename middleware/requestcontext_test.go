package middleware

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast"
)

const (
	uuid1 = "0192f3c0-0000-7000-8000-000000000001"
	uuid2 = "0192f3c0-0000-7000-8000-000000000002"
	trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestRequestContextIsPutIntoTheContext(t *testing.T) {
	var got holdfast.RequestContext
	h := RequestContext(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = holdfast.RequestContextFrom(r.Context())
	}))
	do(h, request("GET", "/", "", "X-Store-Id", "s1", "X-User-Id", " u 1\t", "X-Device-Id", "d1", "X-Session-Id", "x1",
		"X-App-Version", "1.2.3 (4)", "Traceparent", trace, "Correlation-Id", strings.ToUpper(uuid1), "Holdfast-Epoch", "7"))
	want := holdfast.RequestContext{
		Correlation: uuid1, Shop: "s1", User: "u 1", Device: "d1", Session: "x1", AppVersion: "1.2.3 (4)",
		Traceparent: trace, SeenEpoch: 7,
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestContextValues(t *testing.T) {
	full := strings.Repeat("x", 128)
	for _, c := range []struct {
		name   string
		values []string
		want   string
		bad    bool
	}{
		{"none", nil, "", false},
		{"empty", []string{""}, "", false},
		{"only blanks", []string{" \t "}, "", false},
		{"one", []string{"a"}, "a", false},
		{"blanks around", []string{"\t a b "}, "a b", false},
		{"all printable", []string{"!~ ~!"}, "!~ ~!", false},
		{"128", []string{full}, full, false},
		{"129", []string{full + "x"}, "", true},
		{"not ASCII", []string{"é"}, "", true},
		{"control character", []string{"a\tb"}, "", true},
		{"DEL", []string{"a\x7f"}, "", true},
		{"twice the same", []string{"a", "a"}, "a", false},
		{"twice the same but for blanks", []string{"a", " a"}, "a", false},
		{"twice, one empty", []string{"", "a"}, "a", false},
		{"twice, different", []string{"a", "b"}, "", true},
		{"twice, in another case", []string{"a", "A"}, "", true},
	} {
		for _, name := range []string{"X-Store-Id", "X-User-Id", "X-Device-Id", "X-Session-Id", "X-App-Version"} {
			rc := readRequestContext(http.Header{name: c.values})
			got := map[string]string{
				"X-Store-Id": rc.Shop, "X-User-Id": rc.User, "X-Device-Id": rc.Device,
				"X-Session-Id": rc.Session, "X-App-Version": rc.AppVersion,
			}[name]
			bad := len(rc.Invalid) == 1 && rc.Invalid[0].Header == name && rc.Invalid[0].Detail != ""
			if got != c.want || bad != c.bad || len(rc.Invalid) > 1 {
				t.Errorf("%s, %s: got %q and %+v", name, c.name, got, rc.Invalid)
			}
		}
	}
}

func TestSeveralInvalidHeadersAreAllListed(t *testing.T) {
	rc := readRequestContext(header("X-User-Id", "\x01", "X-Device-Id", "d", "X-App-Version", "é", "Holdfast-Epoch", "1.0"))
	var names []string
	for _, f := range rc.Invalid {
		names = append(names, f.Header)
	}
	if want := []string{"X-User-Id", "X-App-Version", "Holdfast-Epoch"}; !reflect.DeepEqual(names, want) || rc.Device != "d" {
		t.Fatalf("got %v, want %v", names, want)
	}
}

func TestSeenEpoch(t *testing.T) {
	for value, want := range map[string]int64{"": 0, "0": 0, "1": 1, "007": 7, " 12 ": 12, "9223372036854775807": 1<<63 - 1} {
		if got, detail := seenEpoch([]string{value}); got != want || detail != "" {
			t.Errorf("%q: got %d, %q", value, got, detail)
		}
	}
	for _, bad := range []string{"-1", "+1", "1.0", "1e3", "0x1", "9223372036854775808", "one", "1 2", "٣"} {
		if got, detail := seenEpoch([]string{bad}); got != 0 || detail == "" {
			t.Errorf("%q is read as %d", bad, got)
		}
	}
}

func TestCorrelation(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.Header
		want string
	}{
		{"none", header(), ""},
		{"own", header("Correlation-Id", uuid1), uuid1},
		{"upper case", header("Correlation-Id", strings.ToUpper(uuid1)), uuid1},
		{"standard", header("Idempotency-Key", uuid1), uuid1},
		{"standard in quotes", header("Idempotency-Key", `"`+uuid1+`"`), uuid1},
		{"both agree", header("Correlation-Id", uuid1, "Idempotency-Key", `"`+strings.ToUpper(uuid1)+`"`), uuid1},
		{"both differ", header("Correlation-Id", uuid1, "Idempotency-Key", uuid2), ""},
		{"own in quotes", header("Correlation-Id", `"`+uuid1+`"`), ""},
		{"no UUID", header("Correlation-Id", "17"), ""},
		{"twice", header("Correlation-Id", uuid1, "Correlation-Id", uuid2), ""},
		{"half a quote", header("Idempotency-Key", `"`+uuid1), ""},
		{"one quote", header("Idempotency-Key", `"`), ""},
	} {
		if got := correlation(c.h); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTraceparent(t *testing.T) {
	const ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
	for _, c := range []struct{ name, value, want string }{
		{"level 1", trace, trace},
		{"not sampled", "00-" + ids + "-00", "00-" + ids + "-00"},
		{"unknown flags", "00-" + ids + "-ff", "00-" + ids + "-ff"},
		{"blanks around", " " + trace + "\t", trace},
		{"later version", "cc-" + ids + "-01", trace},
		{"later version with more", "cc-" + ids + "-03-what-comes", trace},
		{"later version, not sampled", "01-" + ids + "-02", "00-" + ids + "-00"},
		{"later version run together", "cc-" + ids + "-01more", ""},
		{"level 1 with more", trace + "-more", ""},
		{"version ff", "ff-" + ids + "-01", ""},
		{"upper case", strings.ToUpper(trace), ""},
		{"zero trace", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", ""},
		{"zero parent", "00-4bf92f3577b34da6a3ce929d0e0e4736-" + strings.Repeat("0", 16) + "-01", ""},
		{"not hexadecimal", strings.Replace(trace, "f", "g", 1), ""},
		{"short", trace[:54], ""},
		{"empty", "", ""},
		{"other separators", strings.ReplaceAll(trace, "-", "_"), ""},
	} {
		if got := traceparent([]string{c.value}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := traceparent([]string{trace, trace}); got != "" {
		t.Errorf("given twice: got %q", got)
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add(trace)
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-x")
	f.Fuzz(func(t *testing.T, value string) {
		got := traceparent([]string{value})
		if got == "" {
			return
		}
		if again := traceparent([]string{got}); again != got || len(got) != 55 {
			t.Fatalf("%q is read as %q, and that as %q", value, got, again)
		}
	})
}

func FuzzRequestContext(f *testing.F) {
	f.Add("d1", "d1", "7", uuid1, `"`+uuid1+`"`)
	f.Add("\x00", "é", "-1", "", `"`)
	f.Fuzz(func(t *testing.T, one, two, epoch, own, standard string) {
		rc := readRequestContext(header("X-Device-Id", one, "X-Device-Id", two, "X-User-Id", one, "Holdfast-Epoch", epoch,
			"Correlation-Id", own, "Idempotency-Key", standard))
		for _, v := range []string{rc.Device, rc.User} {
			if len(v) > 128 || strings.Trim(v, " \t") != v || strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				t.Fatalf("%q is taken", v)
			}
		}
		if _, err := holdfast.ParseID(rc.Correlation); rc.Correlation != "" && err != nil {
			t.Fatalf("the correlation id %q is taken", rc.Correlation)
		}
		if rc.SeenEpoch < 0 {
			t.Fatalf("epoch %d", rc.SeenEpoch)
		}
	})
}
