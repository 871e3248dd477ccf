package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

const someID, otherID = "0192f3c0-4bf9-7f35-b34d-a3ce929d0e0e", "0192f3c0-4bf9-7f35-b34d-a3ce929d0e0f"

func TestCorrelation(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		bad    string // the header at fault
	}{
		"own":                   {http.Header{"Correlation-Id": {someID}}, ""},
		"upper case":            {http.Header{"Correlation-Id": {strings.ToUpper(someID)}}, ""},
		"standard":              {http.Header{"Idempotency-Key": {someID}}, ""},
		"standard, quoted":      {http.Header{"Idempotency-Key": {`"` + someID + `"`}}, ""},
		"both agree":            {http.Header{"Correlation-Id": {someID}, "Idempotency-Key": {`"` + someID + `"`}}, ""},
		"the same twice":        {http.Header{"Correlation-Id": {someID, someID}}, ""},
		"none":                  {http.Header{}, "Correlation-Id"},
		"both differ":           {http.Header{"Correlation-Id": {someID}, "Idempotency-Key": {otherID}}, "Idempotency-Key"},
		"two of its own":        {http.Header{"Correlation-Id": {someID, otherID}}, "Correlation-Id"},
		"own is not quoted":     {http.Header{"Correlation-Id": {`"` + someID + `"`}}, "Correlation-Id"},
		"no UUID":               {http.Header{"Correlation-Id": {"42"}}, "Correlation-Id"},
		"standard is no UUID":   {http.Header{"Idempotency-Key": {`"42"`}}, "Idempotency-Key"},
		"good and bad together": {http.Header{"Correlation-Id": {someID}, "Idempotency-Key": {"42"}}, "Idempotency-Key"},
	} {
		var s shape
		id := s.correlation(c.header)
		switch {
		case c.bad == "" && (id.String() != someID || s.err() != nil):
			t.Errorf("%s: %s %v", name, id, s.err())
		case c.bad != "" && (len(s.fields) != 1 || s.fields[0].Header != c.bad || !id.IsZero()):
			t.Errorf("%s: %s %+v", name, id, s.fields)
		}
	}
}

func TestQueueOf(t *testing.T) {
	want := holdfast.Queue{Depth: 12, Oldest: 340 * time.Second}
	for _, line := range []string{"depth=12, oldest=340", "oldest=340,depth=12", " depth=12 ,\toldest=340 ", "depth=12, oldest=340, later=x"} {
		if q, ok := queueOf(line); !ok || q != want {
			t.Errorf("%q: %+v %v", line, q, ok)
		}
	}
	for _, line := range []string{"", "depth=12", "oldest=1", "depth=-1, oldest=1", "depth=x, oldest=1", "depth=1.5, oldest=1", "depth=99999999999999999999, oldest=1", strings.Repeat("x", 200), "depth=1, oldest="} {
		if q, ok := queueOf(line); ok {
			t.Errorf("%q was read as %+v", line, q)
		}
	}
}

func TestPrefersReplicated(t *testing.T) {
	for line, want := range map[string]bool{
		"durability=replicated, wait=5": true, "wait=5, durability=replicated": true, `Durability="replicated"; x=y`: true, "respond-async,durability = replicated": true,
		"": false, "durability": false, "durability=local": false, "wait=5": false, "durability=local, durability=replicated": false, ",,;=": false,
	} {
		if got := prefersReplicated(http.Header{"Prefer": {line}}); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	if !prefersReplicated(http.Header{"Prefer": {"wait=5", "durability=replicated"}}) {
		t.Error("the second line counts as well")
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("depth=12, oldest=340")
	f.Add(`durability="replicated"; wait=5`)
	f.Add(`"` + someID + `"`)
	f.Add(" " + strings.ToUpper(someID) + "\t")
	f.Fuzz(func(t *testing.T, line string) {
		if q, ok := queueOf(line); ok && (q.Depth < 0 || q.Oldest < 0) {
			t.Fatalf("%q: %+v", line, q)
		}
		prefersReplicated(http.Header{"Prefer": {line}})
		var s shape
		id := s.correlation(http.Header{"Idempotency-Key": {line}})
		good := uuidLine.FindStringSubmatch(line)
		if (good != nil) != (s.err() == nil) {
			t.Fatalf("%q was read as %s: %v", line, id, s.err())
		}
		if good != nil && !strings.EqualFold(good[1]+good[2], id.String()) {
			t.Fatalf("%q was read as %s", line, id)
		}
	})
}

const uuidForm = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

// uuidLine is a UUID, bare or quoted.
var uuidLine = regexp.MustCompile(`^[ \t]*(?:(` + uuidForm + `)|"(` + uuidForm + `)")[ \t]*$`)

// An error without places is as wrong as one with them.
func TestABodyThatIsWrongAsAWhole(t *testing.T) {
	var s shape
	err := s.body(&holdfast.Error{Code: holdfast.CodeInvalidRequest, Detail: "The body could not be read."})
	if err != nil || s.err() == nil || s.fields[0].Detail != "The body could not be read." {
		t.Errorf("%v %v %+v", err, s.err(), s.fields)
	}
}
