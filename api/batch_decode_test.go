package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast"
)

const (
	idOne = "0192f3c0-7a1b-7c3d-8e4f-000000000001"
	idTwo = "0192f3c0-7a1b-7c3d-8e4f-000000000002"
	hash  = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// set is the members of a transaction, in order, with some replaced, added, or
// (by an empty value) taken away.
func set(changes ...string) string {
	members := [][2]string{
		{"id", `"` + idOne + `"`},
		{"seq", "42"},
		{"type", `"pick.completed"`},
		{"occurredAt", `"2026-11-20T10:15:00.123Z"`},
		{"payload", `{"any":"JSON object"}`},
	}
	for i := 0; i < len(changes); i += 2 {
		name, value := changes[i], changes[i+1]
		at := slices.IndexFunc(members, func(m [2]string) bool { return m[0] == name })
		switch {
		case at < 0:
			members = append(members, [2]string{name, value})
		case value == "":
			members = slices.Delete(members, at, at+1)
		default:
			members[at][1] = value
		}
	}
	var parts []string
	for _, m := range members {
		parts = append(parts, fmt.Sprintf("%q:%s", m[0], m[1]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func batchOf(transactions ...string) string {
	return `{"epoch":7,"transactions":[` + strings.Join(transactions, ",") + `]}`
}

func decode(text string) (*holdfast.Batch, error) { return decodeBatch([]byte(text), DefaultLimits()) }

func TestDecodeBatchReadsEverything(t *testing.T) {
	first := `{ "id": "0192F3C0-7A1B-7C3D-8E4F-000000000001", "seq": 42, "type": "pick.completed", "schema": 3,
	  "entity": { "type": "order", "id": "A-17", "more": [1] }, "orderKey": "order/A-17", "occurredAt": "2026-11-20T10:15:00.123+01:00",
	  "payload": { "any": "JSON object", "n": 1e400 }, "newer": {"than": ["the", "gateway"]},
	  "attachments": [ { "sha256": "` + strings.ToUpper(hash) + `", "size": 183442, "contentType": "image/jpeg", "name": "dock.jpg", "x": 1 },
	                   { "sha256": "` + hash + `", "size": 0, "contentType": "a/b" } ] }`
	second := set("id", `"`+idTwo+`"`, "seq", "43", "type", `"pack.\u0063ompleted"`)
	prior := `{ "` + idOne + `": { "referenceNumber": "R-1001" } }`
	b, err := decode(` { "newer" : [null] , "epoch": 7, "transactions": [ ` + first + ` , ` + second + ` ], "prior": ` + prior + ` } `)
	if err != nil {
		t.Fatal(err)
	}
	if b.Epoch != 7 || string(b.Prior) != prior || len(b.Transactions) != 2 {
		t.Fatalf("%+v", b)
	}
	one, two := b.Transactions[0], b.Transactions[1]
	if one.ID.String() != idOne || one.Seq != 42 || one.Type != "pick.completed" || one.Schema != 3 {
		t.Errorf("%+v", one)
	}
	if string(one.Payload) != `{ "any": "JSON object", "n": 1e400 }` || string(one.Raw) != first || one.Hash != holdfast.HashOf([]byte(first)) {
		t.Errorf("payload %s, raw %s", one.Payload, one.Raw)
	}
	if two.ID.String() != idTwo || two.Seq != 43 || two.Type != "pack.completed" || two.Schema != 0 || string(two.Raw) != second {
		t.Errorf("%+v", two)
	}
}

func TestDecodeBatchTakes(t *testing.T) {
	many := make([]string, 1000)
	for i := range many { // ids fall, so that none is proved different by order alone
		many[i] = set("id", fmt.Sprintf(`"0192f3c0-7a1b-7c3d-8e4f-%012x"`, 5000-i), "seq", fmt.Sprint(i+1))
	}
	attachments := strings.Repeat(`{"sha256":"`+hash+`","size":1,"contentType":"a/b"},`, 100)
	for name, text := range map[string]string{
		"no epoch":               `{"transactions":[` + set() + `]}`,
		"epoch 0":                `{"epoch":0,"transactions":[` + set() + `]}`,
		"greatest epoch":         `{"epoch":9223372036854775807,"transactions":[` + set() + `]}`,
		"escaped names":          `{"\u0065poch":7,"transaction\u0073":[` + strings.Replace(set(), `"id"`, `"\u0069\u0064"`, 1) + `]}`,
		"escaped id":             batchOf(set("id", `"\u0030192f3c0-7a1b-7c3d-8e4f-000000000001"`)),
		"a thousand":             batchOf(many...),
		"other case of a name":   batchOf(set("Seq", `"no"`, "ID", "1")),
		"unknown member twice":   `{"x":1,"x":2,"transactions":[` + strings.Replace(set(), "{", `{"x":1,"x":2,`, 1) + `]}`,
		"duplicates in payload":  batchOf(set("payload", `{"id":1,"id":2,"seq":{"a":1,"a":1}}`)),
		"unusual payload":        batchOf(set("payload", `{"a":1e400,"b":9223372036854775808,"c":"\u0000","d":"\ud800","e":1e-999999999999999999,"":-0}`)),
		"payload of 61 levels":   batchOf(set("payload", strings.Repeat(`{"a":`, 61)+"1"+strings.Repeat("}", 61))),
		"longest type":           batchOf(set("type", `"`+strings.Repeat("é", 128)+`"`)),
		"greatest schema":        batchOf(set("schema", "9223372036854775807")),
		"greatest seq":           batchOf(set("seq", "9223372036854775807")),
		"longest order key":      batchOf(set("orderKey", `"`+strings.Repeat("x", 512)+`"`)),
		"line feed in order key": batchOf(set("orderKey", `"a\nb"`)),
		"longest entity":         batchOf(set("entity", `{"type":"`+strings.Repeat("x", 128)+`","id":"`+strings.Repeat("x", 256)+`"}`)),
		"100 attachments":        batchOf(set("attachments", "["+attachments[:len(attachments)-1]+"]")),
		"no attachments":         batchOf(set("attachments", "[]")),
		"empty prior":            `{"transactions":[` + set() + `],"prior":{}}`,
		"prior, id in capitals":  `{"transactions":[` + set() + `],"prior":{"` + strings.ToUpper(idOne) + `":{}}}`,
		"prior of another":       `{"transactions":[` + set() + `],"prior":{"` + idTwo + `":{"a":[]}}}`,
		"prior before":           `{"prior":{"\u0030` + idOne[1:] + `":{}},"transactions":[` + set() + `]}`,
		"white space around":     "\r\n\t " + batchOf(set()) + "\r\n\t ",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decode(text); err != nil {
				t.Fatalf("%v: %+v", err, refusal(err).Fields)
			}
		})
	}
}

func TestDecodeBatchTimes(t *testing.T) {
	for text, taken := range map[string]bool{
		"2026-11-20T10:15:00Z":              true,
		"2026-11-20T10:15:00.1Z":            true,
		"2026-11-20T10:15:00.123456789012Z": true,
		"2026-11-20t10:15:00z":              true,
		"2026-11-20T10:15:00+14:00":         true,
		"2026-11-20T10:15:00.5-00:00":       true,
		"2024-02-29T00:00:00Z":              true,
		"2016-12-31T23:59:60Z":              true, // a leap second
		"2017-01-01T05:29:60.5+05:30":       true,
		"2017-01-01T05:59:60.5+06:00":       true,
		"2026-11-20T10:15:60Z":              true,
		"2026-11-20T10:59:61Z":              false,
		"2026-11-20T10:15:00":               false, // no zone
		"2026-11-20":                        false,
		"2026-11-20 10:15:00Z":              false,
		"2026-11-20T10:15Z":                 false,
		"2026-11-20T10:15:00+23:59":         true,
		"0000-01-01T00:00:00Z":              true,
		"2000-02-29T23:59:59.9Z":            true,
		"1900-02-29T00:00:00Z":              false,
		"2026-00-10T00:00:00Z":              false,
		"2026-04-31T00:00:00Z":              false,
		"2026-04-00T00:00:00Z":              false,
		"2026-11-20T10:60:00Z":              false,
		"2026-11-20T10:15:00+01:60":         false,
		"2026-11-20T10:15:00+01:0":          false,
		"2026-11-20T10:15:00+01-00":         false,
		"2026-11-20T10:15:00*01:00":         false,
		"2026-11-20T10:15:00ZZ":             false,
		"2026-11-20T10:15:00.5":             false,
		"2026-11-2 T10:15:00Z":              false,
		"2026/11/20T10:15:00Z":              false,
		"2026-11-20T10.15.00Z":              false,
		"2026-11-20T1:15:00Z":               false,
		"2026-11-20T10:15:00,5Z":            false,
		"2026-11-20T10:15:00.Z":             false,
		"2026-11-20T24:00:00Z":              false,
		"2026-02-29T00:00:00Z":              false,
		"2026-13-01T00:00:00Z":              false,
		"2026-11-20T10:15:00+24:00":         false,
		"2026-11-20T10:15:00+0100":          false,
		"2026-11-20T10:15:00 Europe/Berlin": false,
		"+12026-11-20T10:15:00Z":            false,
		"1763633700":                        false,
		"":                                  false,
		"Z":                                 false,
		"2026-11-20T10:15:00." + strings.Repeat("0", 100) + "Z": false,
	} {
		_, err := decode(batchOf(set("occurredAt", `"`+text+`"`)))
		if (err == nil) != taken {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil {
			wantFields(t, err, "/transactions/0/occurredAt")
		}
	}
}

// refusal is the *holdfast.Error that err must be.
func refusal(err error) *holdfast.Error {
	var e *holdfast.Error
	if !errors.As(err, &e) {
		panic(fmt.Sprintf("not a *holdfast.Error: %v", err))
	}
	return e
}

// wantFields checks the code, and the pointers in order.
func wantFields(t *testing.T, err error, pointers ...string) {
	t.Helper()
	var e *holdfast.Error
	if !errors.As(err, &e) || e.Code != holdfast.CodeInvalidRequest {
		t.Fatalf("got %v, want invalid-request", err)
	}
	var got []string
	for _, f := range e.Fields {
		if !f.HasPointer || f.Detail == "" || f.Header != "" || f.Parameter != "" {
			t.Errorf("not a pointer with a detail: %+v", f)
		}
		got = append(got, f.Pointer)
	}
	if !slices.Equal(got, pointers) {
		t.Errorf("pointers %q, want %q", got, pointers)
	}
}

func TestDecodeBatchRefuses(t *testing.T) {
	const tx = "/transactions/0"
	batch := func(members string) string { return `{"transactions":[` + set() + `],` + members + `}` }
	attachment := func(members string) string { return batchOf(set("attachments", "[{},"+members+"]")) }
	noAttachment := []string{tx + "/attachments/0/sha256", tx + "/attachments/0/size", tx + "/attachments/0/contentType"}
	// Whatever is in the list stands at the place named first; further places follow.
	type texts map[string]string
	for pointers, cases := range map[string]texts{
		"": {"array": "[]", "null": "null", "string": `"a"`, "number": "1"},
		"/transactions": {
			"missing": `{}`, "null": `{"transactions":null}`, "object": `{"transactions":{}}`, "string": `{"transactions":"a"}`, "empty": `{"transactions":[]}`,
			"twice": batch(`"transactions":[` + set() + `]`), "twice, escaped": batch(`"transaction\u0073":null`),
		},
		"/epoch": {
			"null": batch(`"epoch":null`), "string": batch(`"epoch":"7"`), "negative": batch(`"epoch":-1`), "fraction": batch(`"epoch":7.0`), "exponent": batch(`"epoch":7e0`),
			"2^63": batch(`"epoch":9223372036854775808`), "1e400": batch(`"epoch":1e400`), "bool": batch(`"epoch":true`), "object": batch(`"epoch":{}`),
			"twice": batch(`"epoch":7,"epoch":7`), "twice, escaped": batch(`"epoch":7,"\u0065poch":7`),
		},
		"/prior": {
			"null": batch(`"prior":null`), "array": batch(`"prior":[]`), "string": batch(`"prior":"a"`), "no UUIDs": batch(`"prior":{"a":{},"b":{}}`),
			"no object": batch(`"prior":{"` + idOne + `":1}`), "twice": batch(`"prior":{},"prior":{}`),
		},
		tx: {"number": batchOf("1"), "null": batchOf("null"), "array": batchOf("[]"), "string": batchOf(`"a"`)},
		tx + "/id": {
			"missing": batchOf(set("id", "")), "null": batchOf(set("id", "null")), "number": batchOf(set("id", "1")), "empty": batchOf(set("id", `""`)),
			"short": batchOf(set("id", `"0192f3c0"`)), "no hyphens": batchOf(set("id", `"`+strings.ReplaceAll(idOne, "-", "")+`"`)),
			"braces": batchOf(set("id", `"{`+idOne+`}"`)), "not hex": batchOf(set("id", `"`+idOne[:35]+`g"`)), "lone surrogate": batchOf(set("id", `"\ud800"`)),
			"twice": batchOf(strings.Replace(set(), "{", `{"id":"`+idOne+`",`, 1)), "twice, escaped": batchOf(strings.Replace(set(), ",", `,"i\u0064":1,`, 1)),
		},
		tx + "/seq": {
			"missing": batchOf(set("seq", "")), "null": batchOf(set("seq", "null")), "string": batchOf(set("seq", `"42"`)), "0": batchOf(set("seq", "0")),
			"-0": batchOf(set("seq", "-0")), "negative": batchOf(set("seq", "-1")), "fraction": batchOf(set("seq", "1.0")), "exponent": batchOf(set("seq", "1e0")),
			"2^63": batchOf(set("seq", "9223372036854775808")), "1e400": batchOf(set("seq", "1e400")), "array": batchOf(set("seq", "[1]")),
			"twice": batchOf(strings.Replace(set(), "{", `{"seq":42,`, 1)),
		},
		tx + "/type": {
			"missing": batchOf(set("type", "")), "null": batchOf(set("type", "null")), "number": batchOf(set("type", "1")), "empty": batchOf(set("type", `""`)),
			"129 characters": batchOf(set("type", `"`+strings.Repeat("é", 129)+`"`)), "line feed": batchOf(set("type", `"a\nb"`)), "DEL": batchOf(set("type", "\"a\x7f\"")),
			"C1 control": batchOf(set("type", "\"a\u0085\"")), "U+0000": batchOf(set("type", `"\u0000"`)), "lone surrogate": batchOf(set("type", `"a\ud800"`)),
			"twice": batchOf(strings.Replace(set(), "{", `{"type":"a",`, 1)),
		},
		tx + "/schema": {
			"null": batchOf(set("schema", "null")), "0": batchOf(set("schema", "0")), "string": batchOf(set("schema", `"3"`)), "fraction": batchOf(set("schema", "3.5")),
			"twice": batchOf(strings.Replace(set(), "{", `{"schema":1,"schema":1,`, 1)),
		},
		tx + "/orderKey": {
			"null": batchOf(set("orderKey", "null")), "empty": batchOf(set("orderKey", `""`)), "number": batchOf(set("orderKey", "1")),
			"513 characters": batchOf(set("orderKey", `"`+strings.Repeat("x", 513)+`"`)), "U+0000": batchOf(set("orderKey", `"a\u0000"`)),
			"lone surrogate": batchOf(set("orderKey", `"\udc00"`)), "twice": batchOf(strings.Replace(set(), "{", `{"orderKey":"a","orderKey":"a",`, 1)),
		},
		tx + "/occurredAt": {
			"missing": batchOf(set("occurredAt", "")), "null": batchOf(set("occurredAt", "null")), "number": batchOf(set("occurredAt", "1763633700")),
			"twice": batchOf(strings.Replace(set(), "{", `{"occurredAt":"2026-11-20T10:15:00Z",`, 1)),
		},
		tx + "/payload": {
			"missing": batchOf(set("payload", "")), "null": batchOf(set("payload", "null")), "array": batchOf(set("payload", "[]")), "string": batchOf(set("payload", `"{}"`)),
			"number": batchOf(set("payload", "1")), "twice": batchOf(strings.Replace(set(), "{", `{"payload":{},`, 1)),
		},
		tx + "/entity": {
			"null": batchOf(set("entity", "null")), "string": batchOf(set("entity", `"order/1"`)), "array": batchOf(set("entity", `[]`)),
			"twice": batchOf(strings.Replace(set(), "{", `{"entity":{"type":"a","id":"b"},"entity":{},`, 1)),
		},
		tx + "/entity/type": {
			"missing": batchOf(set("entity", `{"id":"1"}`)), "null": batchOf(set("entity", `{"id":"1","type":null}`)), "empty": batchOf(set("entity", `{"id":"1","type":""}`)),
			"too long": batchOf(set("entity", `{"id":"1","type":"`+strings.Repeat("x", 129)+`"}`)), "U+0000": batchOf(set("entity", `{"id":"1","type":"\u0000"}`)),
			"twice": batchOf(set("entity", `{"id":"1","type":"a","type":"a"}`)),
		},
		tx + "/entity/id": {
			"missing": batchOf(set("entity", `{"type":"a"}`)), "number": batchOf(set("entity", `{"type":"a","id":1}`)), "empty": batchOf(set("entity", `{"type":"a","id":""}`)),
			"too long": batchOf(set("entity", `{"type":"a","id":"`+strings.Repeat("x", 257)+`"}`)), "twice": batchOf(set("entity", `{"type":"a","id":"1","\u0069d":"1"}`)),
		},
		tx + "/entity/type " + tx + "/entity/id": {"both": batchOf(set("entity", `{}`))},
		tx + "/attachments": {
			"null": batchOf(set("attachments", "null")), "object": batchOf(set("attachments", "{}")),
			"101":   batchOf(set("attachments", "["+strings.Repeat(`{"sha256":"`+hash+`","size":1,"contentType":"a/b"},`, 100)+"1]")),
			"twice": batchOf(strings.Replace(set(), "{", `{"attachments":[],"attachments":[1],`, 1)),
		},
		strings.Join(noAttachment, " "): {"nothing": batchOf(set("attachments", "[{}]"))},
		strings.Join(append(noAttachment, tx+"/attachments/1"), " "): {
			"number": attachment("1"), "null": attachment("null"), "array": attachment("[]"),
		},
		strings.Join(append(noAttachment, tx+"/attachments/1/sha256"), " "): {
			"missing": attachment(`{"size":1,"contentType":"a/b"}`), "short": attachment(`{"sha256":"00","size":1,"contentType":"a/b"}`), "null": attachment(`{"sha256":null,"size":1,"contentType":"a/b"}`),
			"not hex": attachment(`{"sha256":"` + hash[:63] + `g","size":1,"contentType":"a/b"}`), "long": attachment(`{"sha256":"` + hash + `0","size":1,"contentType":"a/b"}`),
			"twice": attachment(`{"sha256":"` + hash + `","sha256":"` + hash + `","size":1,"contentType":"a/b"}`),
		},
		strings.Join(append(noAttachment, tx+"/attachments/1/size"), " "): {
			"missing": attachment(`{"sha256":"` + hash + `","contentType":"a/b"}`), "negative": attachment(`{"sha256":"` + hash + `","size":-1,"contentType":"a/b"}`),
			"string": attachment(`{"sha256":"` + hash + `","size":"1","contentType":"a/b"}`), "twice": attachment(`{"sha256":"` + hash + `","size":1,"size":1,"contentType":"a/b"}`),
		},
		strings.Join(append(noAttachment, tx+"/attachments/1/contentType"), " "): {
			"missing": attachment(`{"sha256":"` + hash + `","size":1}`), "empty": attachment(`{"sha256":"` + hash + `","size":1,"contentType":""}`),
			"control": attachment(`{"sha256":"` + hash + `","size":1,"contentType":"a/b\r\nX: y"}`), "long": attachment(`{"sha256":"` + hash + `","size":1,"contentType":"` + strings.Repeat("x", 129) + `"}`),
			"twice": attachment(`{"sha256":"` + hash + `","size":1,"contentType":"a/b","contentType":"a/b"}`),
		},
		strings.Join(append(noAttachment, tx+"/attachments/1/name"), " "): {
			"null": attachment(`{"sha256":"` + hash + `","size":1,"contentType":"a/b","name":null}`), "U+0000": attachment(`{"sha256":"` + hash + `","size":1,"contentType":"a/b","name":"\u0000"}`),
			"long":  attachment(`{"sha256":"` + hash + `","size":1,"contentType":"a/b","name":"` + strings.Repeat("x", 257) + `"}`),
			"twice": attachment(`{"sha256":"` + hash + `","size":1,"contentType":"a/b","name":"a","name":"a"}`),
		},
		"/transactions/1/seq": {
			"gap": batchOf(set(), set("id", `"`+idTwo+`"`, "seq", "44")), "same": batchOf(set(), set("id", `"`+idTwo+`"`, "seq", "42")),
			"backwards":   batchOf(set(), set("id", `"`+idTwo+`"`, "seq", "41")),
			"behind 2^63": batchOf(set("seq", "9223372036854775807"), set("id", `"`+idTwo+`"`, "seq", "1")),
		},
		"/transactions/1/id": {
			"same id": batchOf(set(), set("seq", "43")), "same id in capitals": batchOf(set(), set("seq", "43", "id", `"`+strings.ToUpper(idOne)+`"`)),
			"nil UUID": batchOf(set("id", `"00000000-0000-0000-0000-000000000000"`), set("id", `"00000000-0000-0000-0000-000000000000"`, "seq", "43")),
		},
		"/transactions/2/id": {"same id apart": batchOf(set(), set("id", `"`+idTwo+`"`, "seq", "43"), set("seq", "44"))},
		"/transactions/1/id /transactions/2/id": {
			"one unread, two same": batchOf(set(), set("id", "1", "seq", "43"), set("seq", "44")),
		},
		"/transactions/1/id /transactions/2/id /transactions/3/id": {
			"unread ones are not the same": batchOf(set("id", `"00000000-0000-0000-0000-000000000000"`), set("id", "1", "seq", "43"), set("id", "", "seq", "44"), set("id", `""`, "seq", "45")),
		},
		"/epoch /transactions/0/seq /transactions/0/schema /transactions/1 /transactions/2/type /transactions/3/seq /transactions/3/id": {
			"everything at once": `{"epoch":-1,"transactions":[` + set("seq", "0", "schema", "0") + `,7,` + set("id", `"`+idTwo+`"`, "type", "1", "seq", "44") + `,` + set("seq", "46") + `]}`,
		},
		tx + "/id " + tx + "/seq " + tx + "/type " + tx + "/occurredAt " + tx + "/payload": {"nothing in it": batchOf("{}")},
	} {
		for name, text := range cases {
			t.Run(strings.ReplaceAll(pointers, "/", ".")+" "+name, func(t *testing.T) {
				_, err := decode(text)
				wantFields(t, err, strings.Split(pointers, " ")...)
			})
		}
	}
}

func TestDecodeBatchSyntax(t *testing.T) {
	tx := set()
	for name, c := range map[string]struct {
		text   string
		offset int
	}{
		"nothing":                    {"", 0},
		"white space":                {" ", 1},
		"byte order mark":            {"\ufeff" + batchOf(tx), 0},
		"cut":                        {batchOf(tx)[:40], 40},
		"garbage behind":             {batchOf(tx) + "x", len(batchOf(tx))},
		"garbage behind a non-batch": {"[] []", 3},
		"trailing comma":             {batchOf(tx)[:len(batchOf(tx))-2] + ",]}", len(batchOf(tx)) - 1},
		"NaN in a payload":           {`{"transactions":[{"payload":{"a":NaN}}]}`, 33},
		"invalid UTF-8 in a payload": {"{\"transactions\":[{\"payload\":{\"a\":\"\xff\"}}]}", 34},
		"overlong UTF-8":             {"{\"x\":\"\xc0\x80\"}", 6},
		"surrogate in UTF-8":         {"{\"x\":\"\xed\xa0\x80\"}", 6},
		"10,000 levels":              {`{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}", 5 + 63},
		"payload of 62 levels":       {`{"transactions":[{"payload":` + strings.Repeat(`{"a":`, 62) + "1" + strings.Repeat("}", 62) + `}]}`, 28 + 61*5},
		"exponent of 19 digits":      {`{"x":1e1000000000000000000}`, 5},
		"control character":          {"{\"x\":\"a\nb\"}", 7},
		"shape is wrong too":         {`{"epoch":"secret","transactions":[{}],}`, 38},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(c.text)
			wantFields(t, err, "")
			if detail, want := refusal(err).Detail, fmt.Sprintf("at byte %d.", c.offset); !strings.HasSuffix(detail, want) {
				t.Errorf("%q, want %q", detail, want)
			}
		})
	}
}

func TestDecodeBatchTooMany(t *testing.T) {
	limits := Limits{MaxBytes: 12345, MaxTransactions: 2}
	two := set() + "," + set("id", `"`+idTwo+`"`, "seq", "43")
	if _, err := decodeBatch([]byte(batchOf(two)), limits); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"one more":             batchOf(two, set("id", `"0192f3c0-7a1b-7c3d-8e4f-000000000003"`, "seq", "44")),
		"of the wrong shape":   batchOf("1", "2", "3"),
		"the last one wrong":   batchOf(two, "{}"),
		"something else wrong": `{"epoch":null,"transactions":[1,2,3],"prior":1}`,
	} {
		_, err := decodeBatch([]byte(text), limits)
		var e *holdfast.Error
		if !errors.As(err, &e) || e.Code != holdfast.CodeTooLarge || e.MaxBytes != 12345 || e.MaxTransactions != 2 || len(e.Fields) != 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	_, err := decodeBatch([]byte(`{"transactions":[1,2,3,]}`), limits)
	wantFields(t, err, "")
}

func TestDecodeBatchErrorsAreBounded(t *testing.T) {
	_, err := decode(batchOf(strings.Repeat("{},", 500) + "{}"))
	if n := len(refusal(err).Fields); n != maxFieldErrors {
		t.Errorf("%d errors", n)
	}
}

func TestDecodeBatchErrorsDoNotEcho(t *testing.T) {
	const secret = "hunter2"
	q := `"` + secret + `"`
	for _, text := range []string{
		q, `{"transactions":` + q + `}`, batchOf(q), batchOf(set("id", q, "seq", q, "type", `["`+secret+`"]`, "occurredAt", q, "payload", q)),
		batchOf(set("entity", q, "attachments", `[{"sha256":`+q+`,"size":`+q+`,"contentType":"`+secret+`\u0000"}]`)),
		`{"prior":{` + q + `:` + q + `}}`, `{` + q + secret, `{"a":` + secret + `}`, batchOf(set("orderKey", `"`+secret+`\ud800"`)),
	} {
		_, err := decode(text)
		if shown := fmt.Sprintf("%+v %v", refusal(err), err); strings.Contains(shown, secret) {
			t.Errorf("%s: %s", text, shown)
		}
	}
}

// The unusual is stored as sent.
func TestDecodeBatchKeepsTheUnusual(t *testing.T) {
	for _, payload := range []string{
		`{"a":1e400}`, `{"a":-1E+400}`, `{"a":9223372036854775808}`, `{"a":123456789012345678901234567890.000}`, `{"a":1,"a":2}`,
		`{"a":"\u0000"}`, `{"a":"\ud800"}`, `{"\udc00":"\uDBFF"}`, `{"a":"\u00e9é😀\/"}`, "{\t\"a\"\r\n: [ ] }", `{"__proto__":{"constructor":null}}`, `{"":""}`,
		"{\"a\":\"\u2028\u2029\ufeff\x7f\"}", `{"a":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`,
	} {
		raw := set("payload", payload, "x", payload)
		b, err := decode(batchOf(raw))
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		if string(b.Transactions[0].Raw) != raw || string(b.Transactions[0].Payload) != payload {
			t.Errorf("%s became %s", payload, b.Transactions[0].Payload)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add([]byte(batchOf(set(), set("id", `"`+idTwo+`"`, "seq", "43"))))
	f.Add([]byte(`{"epoch":0,"transactions":[` + set("entity", `{"type":"a","id":"b"}`, "orderKey", `"a"`, "schema", "1", "x", `"\ud800"`) + `],"prior":{"` + idOne + `":{}}}`))
	f.Add([]byte(batchOf(set("attachments", `[{"sha256":"`+hash+`","size":1,"contentType":"a/b","name":"\u0061"}]`))))
	f.Add([]byte(`{"transactions":[1,2,3,4,5,6]}`))
	f.Add([]byte(`{"epoch":null`))
	limits := Limits{MaxBytes: 1 << 20, MaxTransactions: 5}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		b, err := decodeBatch(body, limits)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		var e *holdfast.Error
		if err != nil {
			if b != nil || !errors.As(err, &e) || (e.Code != holdfast.CodeInvalidRequest && e.Code != holdfast.CodeTooLarge) || len(e.Fields) > maxFieldErrors {
				t.Fatalf("%+v", err)
			}
			return
		}
		checkBatch(t, body, b)
		again, err := decodeBatch(before, limits)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(b) {
			t.Fatalf("decoded again: %v, %v", again, err)
		}
	})
}

// checkBatch holds a batch that was taken against what the standard library reads.
func checkBatch(t *testing.T, body []byte, b *holdfast.Batch) {
	t.Helper()
	var want map[string]json.RawMessage // with a struct, names in other cases would count
	var raws []json.RawMessage
	if json.Unmarshal(body, &want) != nil || json.Unmarshal(want["transactions"], &raws) != nil || len(raws) != len(b.Transactions) {
		t.Fatalf("the standard library reads %d transactions", len(raws))
	}
	at := 0
	ids := map[holdfast.ID]bool{}
	for i, tx := range b.Transactions {
		if !bytes.Equal(tx.Raw, raws[i]) {
			t.Fatalf("raw %q, but the standard library reads %q", tx.Raw, raws[i])
		}
		found := bytes.Index(body[at:], tx.Raw)
		if found < 0 || !json.Valid(tx.Raw) || tx.Raw[0] != '{' || tx.Hash != holdfast.HashOf(tx.Raw) {
			t.Fatalf("raw %q", tx.Raw)
		}
		at += found + len(tx.Raw)
		if !bytes.Contains(tx.Raw, tx.Payload) || !json.Valid(tx.Payload) || tx.Payload[0] != '{' {
			t.Fatalf("payload %q", tx.Payload)
		}
		if tx.Seq != b.First()+int64(i) || tx.Seq < 1 || ids[tx.ID] || tx.Type == "" || tx.Schema < 0 {
			t.Fatalf("%+v", tx)
		}
		ids[tx.ID] = true
	}
	if len(b.Transactions) == 0 || b.Epoch < 0 || b.Prior != nil && !json.Valid(b.Prior) {
		t.Fatalf("%+v", b)
	}
}
