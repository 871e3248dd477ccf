package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast/openapi/openapitest"
)

// The decoder by hand and the document's schema take the same batches. Rules
// that no schema can say (contiguous seq, unique ids, members twice, the spelling
// of whole numbers, the details of RFC 3339) are kept by how batches are made here.
func TestTheDecoderAgreesWithTheDocument(t *testing.T) {
	good := map[string]string{
		"id": `"0192f3c0-7a1b-7c3d-8e4f-0000000000%02d"`, "seq": `%d`, "type": `"pick.completed"`, "occurredAt": `"2026-11-20T10:15:00.123Z"`, "payload": `{"a":[1,{}]}`,
	}
	spoiled := map[string][]string{
		"id":         {`""`, `42`, `null`, `"0192f3c0-7a1b-7c3d-8e4f-00000000000g"`, `"{0192f3c0-7a1b-7c3d-8e4f-000000000001}"`},
		"seq":        {`0`, `-1`, `"1"`, `null`, `[1]`},
		"type":       {`""`, `7`, `{}`, `"` + strings.Repeat("x", 129) + `"`, `null`},
		"occurredAt": {`""`, `1`, `"yesterday"`, `"2026-11-20"`, `null`},
		"payload":    {`[]`, `"x"`, `null`, `1`},
	}
	optional := map[string][]string{ // the first of each is good
		"schema":      {`3`, `0`, `"3"`, `null`, `-1`},
		"entity":      {`{"type":"order","id":"A","more":1}`, `{}`, `{"type":"order"}`, `{"type":"","id":"A"}`, `[]`, `null`, `{"type":1,"id":"A"}`},
		"orderKey":    {`"k"`, `""`, `1`, `null`, `"` + strings.Repeat("x", 513) + `"`},
		"attachments": {`[{"sha256":"` + hash + `","size":0,"contentType":"x","name":"n"}]`, `{}`, `[1]`, `[{}]`, `[{"sha256":"x","size":1,"contentType":"x"}]`, `[{"sha256":"` + hash + `","size":-1,"contentType":"x"}]`, `null`},
		"unknown":     {`{"kept":null}`},
	}
	rapid.Check(t, func(t *rapid.T) {
		var txs []string
		for i := range rapid.IntRange(0, 3).Draw(t, "transactions") {
			var members []string
			for _, name := range []string{"id", "seq", "type", "occurredAt", "payload"} {
				value := good[name]
				if strings.Contains(value, "%") {
					value = fmt.Sprintf(value, i+1)
				}
				switch rapid.IntRange(0, 24).Draw(t, name) {
				case 0:
					continue
				case 1:
					value = rapid.SampledFrom(spoiled[name]).Draw(t, "spoiled")
				}
				members = append(members, fmt.Sprintf("%q:%s", name, value))
			}
			for _, name := range []string{"schema", "entity", "orderKey", "attachments", "unknown"} {
				if rapid.Bool().Draw(t, "with") {
					value := optional[name][0]
					if rapid.IntRange(0, 14).Draw(t, name) == 0 {
						value = rapid.SampledFrom(optional[name]).Draw(t, "value")
					}
					members = append(members, fmt.Sprintf("%q:%s", name, value))
				}
			}
			txs = append(txs, "{"+strings.Join(members, ",")+"}")
		}
		body := `{"transactions":[` + strings.Join(txs, ",") + `]`
		body += rapid.SampledFrom([]string{"", "", "", `,"epoch":7`, `,"epoch":-1`, `,"epoch":"7"`, `,"prior":{}`, `,"prior":[]`, `,"prior":{"0192f3c0-7a1b-7c3d-8e4f-000000000001":{}}`, `,"prior":{"0192f3c0-7a1b-7c3d-8e4f-000000000001":1}`, `,"more":1`}).Draw(t, "more") + "}"
		var document any
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			t.Fatal(err)
		}
		_, mine := decode(body)
		theirs := openapitest.Batch(document)
		if (mine == nil) != (theirs == nil) {
			t.Fatalf("%s\ndecoder: %v\nschema: %v", body, mine, theirs)
		}
	})
}
