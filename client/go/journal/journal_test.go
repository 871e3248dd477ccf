package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	client "github.com/holdfast-sync/holdfast/client/go"
)

const (
	streamA = "0192f3c0-0000-7000-8000-00000000000a"
	streamB = "0192f3c0-0000-7000-8000-00000000000b"
)

func envelope(stream string, seq int, extra string) string {
	return fmt.Sprintf(`{"stream":%q,"store":"0042","device":"d","user":"u","session":"s","appVersion":"1",%s"transaction":%s}`,
		stream, extra, raw(stream, seq))
}

func raw(stream string, seq int) string {
	return fmt.Sprintf(`{"id":"0192f3c0-0000-7000-80%s-%012x","seq": %d, "type":"t","occurredAt":"2026-11-20T10:15:00.250+01:00","payload":{"n":1e400,"s":"日本 \u00e9 }{"}}`,
		stream[34:], seq, seq)
}

func read(t *testing.T, text string) (*Journal, error) {
	t.Helper()
	return Read(strings.NewReader(text), nil)
}

func TestAFileOfSeveralStreams(t *testing.T) {
	second := strings.Replace(envelope(streamA, 2, ""), `"user":"u"`, `"user":"v"`, 1)
	text := "\n" + envelope(streamA, 1, "") + "\r\n" + envelope(streamB, 1, "") + "\n \n" + second
	var reported int64
	j, err := Read(strings.NewReader(text), func(n int64) { reported = n })
	if err != nil {
		t.Fatal(err)
	}
	if j.Count() != 3 || len(j.Streams()) != 2 || reported != int64(len(text)) {
		t.Fatalf("%d transactions, %d streams, %d bytes", j.Count(), len(j.Streams()), reported)
	}
	a, b := j.Streams()[0], j.Streams()[1]
	if a.ID.String() != streamA || a.Last() != 2 || b.Last() != 1 {
		t.Fatalf("%s has %d, %s has %d", a.ID, a.Last(), b.ID, b.Last())
	}
	got, err := a.Transaction(2)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Raw) != raw(streamA, 2) {
		t.Errorf("the octets are %s", got.Raw)
	}
	if want := (client.Origin{Store: "0042", Device: "d", User: "v", Session: "s", AppVersion: "1"}); got.Origin != want {
		t.Errorf("the origin is %+v", got.Origin)
	}
	if want := time.Date(2026, 11, 20, 9, 15, 0, 250e6, time.UTC); !got.OccurredAt.Equal(want) {
		t.Errorf("it occurred at %s", got.OccurredAt)
	}
	if got.ID.String() != "0192f3c0-0000-7000-800a-000000000002" {
		t.Errorf("the id is %s", got.ID)
	}
	if a.Line(2) != 5 || a.Line(3) != 0 || b.Line(1) != 3 {
		t.Errorf("lines %d %d %d", a.Line(2), a.Line(3), b.Line(1))
	}
	if _, err := a.Transaction(3); err == nil {
		t.Error("gives what it has not")
	}
}

func TestAnEmptyFileIsAJournalOfNothing(t *testing.T) {
	j, err := read(t, "")
	if err != nil || j.Count() != 0 || len(j.Streams()) != 0 {
		t.Fatalf("%+v, %v", j, err)
	}
}

func TestABadLineIsNamed(t *testing.T) {
	good := envelope(streamA, 1, "")
	change := func(old, now string) string {
		changed := strings.Replace(good, old, now, 1)
		if changed == good {
			t.Fatalf("%q is not in the line", old)
		}
		return changed
	}
	for want, bad := range map[string]string{
		"not valid JSON at byte 1":                            "x",
		"not valid JSON at byte 31: invalid":                  good[:30],
		"not a JSON object":                                   "[1]",
		"line 2: not a JSON object":                           "null",
		"not valid UTF-8":                                     change(`"user":"u"`, "\"user\":\"\xff\""),
		`an envelope has no member "stor"`:                    change(`"store"`, `"stor"`),
		`an envelope has no member "Store"`:                   change(`"store"`, `"Store"`),
		"device is not a string":                              change(`"device":"d"`, `"device":3`),
		"stream: not a UUID":                                  change(streamA, "7"),
		"X-User-Id has a character":                           change(`"user":"u"`, `"user":"zoë"`),
		"X-User-Id is longer":                                 change(`"user":"u"`, `"user":"`+strings.Repeat("u", 129)+`"`),
		"there is no transaction":                             `{"stream":"` + streamA + `"}`,
		"transaction: not a JSON object":                      `{"stream":"` + streamA + `","transaction":[]}`,
		"transaction: id is missing":                          change(`"id":`, `"Id":`),
		"transaction: id: not a UUID":                         change(`"id":"0192`, `"id":"x192`),
		"transaction: seq is not of its type":                 change(`"seq": 1`, `"seq": 1.0`),
		"seq is 3, and stream " + streamA + " goes on with 1": change(`"seq": 1`, `"seq": 3`),
		"transaction: type is not of its type":                change(`"type":"t"`, `"type":null`),
		"transaction: type is empty":                          change(`"type":"t"`, `"type":""`),
		"transaction: occurredAt is not a time":               change("2026-11-20T", "2026-11-20 "),
		"transaction: payload is not an object":               change(`"payload":{`, `"payload":[],"p":{`),
	} {
		_, err := read(t, envelope(streamB, 1, "")+"\n"+bad+"\n")
		var at *LineError
		if !errors.As(err, &at) || at.Line != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want line 2: %s", err, want)
		}
	}
}

func TestAnIdUsedTwiceIsNamedWithBothLines(t *testing.T) {
	twice := strings.Replace(envelope(streamA, 3, ""), "-000000000003", "-000000000001", 1)
	_, err := read(t, envelope(streamA, 1, "")+"\n"+envelope(streamA, 2, "")+"\n"+twice+"\n")
	if err == nil || !strings.Contains(err.Error(), "line 3: id 0192f3c0-0000-7000-800a-000000000001 is used before, in line 1") {
		t.Fatalf("got %v", err)
	}
}

func TestALineLongerThanTheBufferAndOneLongerThanTheLimit(t *testing.T) {
	long := strings.Replace(envelope(streamA, 1, ""), "日本", strings.Repeat("日本", 400_000), 1)
	j, err := read(t, long+"\n"+envelope(streamA, 2, ""))
	if err != nil {
		t.Fatal(err)
	}
	got, err := j.Streams()[0].Transaction(1)
	if err != nil || len(got.Raw) < 2_400_000 || !strings.Contains(long, string(got.Raw)) {
		t.Fatalf("%d bytes, %v", len(got.Raw), err)
	}
	_, err = read(t, envelope(streamA, 1, "")+"\n"+strings.Repeat(" ", MaxLine+1<<20))
	var at *LineError
	if !errors.As(err, &at) || at.Line != 2 || !strings.Contains(err.Error(), "longer than 16777216 bytes") {
		t.Fatalf("got %v", err)
	}
}

func TestAFileThatChangesMeanwhileIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "day.jsonl")
	if err := os.WriteFile(path, []byte(envelope(streamA, 1, "")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	j, err := Read(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{"": "EOF", strings.Repeat("x", 1000): "has changed"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Streams()[0].Transaction(1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

type brokenFile struct{ *bytes.Reader }

func (brokenFile) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestAFileThatCannotBeRead(t *testing.T) {
	if _, err := Read(brokenFile{}, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

// However streams are mixed and whatever stands around them, each transaction
// is read back with its own octets.
func TestOctetsAreThoseOfTheFile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		next := map[string]int{streamA: 1, streamB: 1}
		want := map[string][]string{}
		var text strings.Builder
		for _, s := range rapid.SliceOf(rapid.SampledFrom([]string{streamA, streamB})).Draw(rt, "streams") {
			extra := rapid.SampledFrom([]string{"", " ", "\t"}).Draw(rt, "space")
			text.WriteString(extra + envelope(s, next[s], extra) + extra + rapid.SampledFrom([]string{"\n", "\r\n", "\n\n"}).Draw(rt, "end"))
			want[s] = append(want[s], raw(s, next[s]))
			next[s]++
		}
		j, err := Read(strings.NewReader(text.String()), nil)
		if err != nil {
			rt.Fatal(err)
		}
		for _, s := range j.Streams() {
			if int(s.Last()) != len(want[s.ID.String()]) {
				rt.Fatalf("%s has %d", s.ID, s.Last())
			}
			for seq := int64(1); seq <= s.Last(); seq++ {
				got, err := s.Transaction(seq)
				if err != nil || string(got.Raw) != want[s.ID.String()][seq-1] {
					rt.Fatalf("%d: %s, %v", seq, got.Raw, err)
				}
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(envelope(streamA, 1, "") + "\n" + envelope(streamA, 2, ""))
	f.Add("{}\n\n[")
	f.Fuzz(func(t *testing.T, text string) {
		j, err := Read(strings.NewReader(text), nil)
		if err != nil {
			return
		}
		for _, s := range j.Streams() {
			for seq := int64(1); seq <= s.Last(); seq++ {
				if _, err := s.Transaction(seq); err != nil {
					t.Errorf("what was read can't be read again: %v", err)
				}
			}
		}
	})
}
