package faultkit_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// asked is a request at so many milliseconds: lane and number are its body, the
// status is the answer's.
func asked(at int, key, lane string, seq, status int) faultkit.Request {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return faultkit.Request{
		Method: "POST", URL: "/orders", Header: header, Body: []byte(lane + " " + strconv.Itoa(seq)), Status: status,
		Time: noon.Add(time.Duration(at) * time.Millisecond),
	}
}

func lane(r faultkit.Request) string { name, _, _ := strings.Cut(string(r.Body), " "); return name }

func seq(r faultkit.Request) int64 {
	_, number, _ := strings.Cut(string(r.Body), " ")
	n, _ := strconv.ParseInt(number, 10, 64)
	return n
}

func id(r faultkit.Request) string { return string(r.Body) }

// expect wants each of these texts in what was found, or nothing to be found.
func expect(t *testing.T, err error, texts ...string) {
	t.Helper()
	if len(texts) == 0 && err != nil {
		t.Errorf("found without a reason: %v", err)
	}
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("not found: %q in: %v", text, err)
		}
	}
}

func TestCheckOncePerKey(t *testing.T) {
	good := []faultkit.Request{asked(0, "a", "x", 1, 500), asked(5, "a", "x", 1, 201), asked(9, "b", "x", 2, 201)}
	expect(t, faultkit.CheckOncePerKey(good))
	expect(t, faultkit.CheckOncePerKey(append(good, asked(12, "a", "x", 1, 201))), "again after success at 12:00:00.005")
	expect(t, faultkit.CheckOncePerKey(append(good, asked(12, "", "x", 3, 201))), "without a key")
	broken := asked(0, "a", "x", 1, 200)
	broken.Fault = string(faultkit.EmptyResponse)
	expect(t, faultkit.CheckOncePerKey([]faultkit.Request{broken, asked(5, "a", "x", 1, 201)}))
	if keys := strings.Join(faultkit.Keys(good), " "); keys != "a b" {
		t.Error(keys)
	}
}

func TestCheckSameRequest(t *testing.T) {
	good := []faultkit.Request{asked(0, "a", "x", 1, 500), asked(5, "a", "x", 1, 201), asked(9, "b", "x", 2, 201)}
	expect(t, faultkit.CheckSameRequest(good))
	expect(t, faultkit.CheckSameRequest(append(good, asked(12, "a", "x", 7, 201))), `another request under the same key`, `"x 7"`)
	elsewhere := asked(12, "b", "x", 2, 201)
	elsewhere.URL = "/other"
	expect(t, faultkit.CheckSameRequest(append(good, elsewhere)), "/other")
}

func TestCheckSameKey(t *testing.T) {
	good := []faultkit.Request{asked(0, "a", "x", 1, 500), asked(5, "a", "x", 1, 201), asked(9, "b", "x", 2, 201)}
	expect(t, faultkit.CheckSameKey(good, id))
	expect(t, faultkit.CheckSameKey(append(good, asked(12, "c", "x", 2, 201)), id), `transaction x 2 had key "b" before`)
	expect(t, faultkit.CheckSameKey(append(good, asked(12, "a", "x", 3, 201)), id), "the key of transaction x 1 is now that of x 3")
	expect(t, faultkit.CheckSameKey(append(good, asked(12, "", "x", 3, 201)), id), "transaction x 3 without a key")
}

func TestCheckDelivered(t *testing.T) {
	requests := []faultkit.Request{asked(0, "a", "x", 1, 500), asked(5, "a", "x", 1, 201), asked(9, "b", "x", 2, 503)}
	expect(t, faultkit.CheckDelivered(requests[:2], id, "x 1"))
	expect(t, faultkit.CheckDelivered(requests, id, "x 1", "x 2"), "x 2 was not delivered")
	expect(t, faultkit.CheckDelivered(requests, id, "x 2"), "x 1 is not wanted")
}

func TestCheckOrder(t *testing.T) {
	check := func(requests ...faultkit.Request) error { return faultkit.CheckOrder(requests, lane, seq) }
	one, two, three := asked(0, "1", "x", 1, 201), asked(10, "2", "x", 2, 201), asked(20, "3", "x", 3, 201)
	expect(t, check(one, two, three))
	expect(t, check(one, two, asked(15, "1", "x", 1, 201), three)) // a repetition
	expect(t, check(asked(0, "1", "x", 1, 500), asked(5, "1", "x", 1, 201), two))
	expect(t, check(one, three))                                  // a gap
	expect(t, check(asked(0, "b", "y", 2, 500), one, two, three)) // lanes do not wait for each other
	expect(t, check(two, asked(20, "1", "x", 1, 201)), "lane x: 2 comes before 1 has succeeded")
	expect(t, check(asked(0, "1", "x", 1, 500), two, three), "2 comes before 1", "3 comes before 1")
	expect(t, check(asked(0, "1", "x", 1, 503), two, asked(20, "1", "x", 1, 201)), "2 comes before 1")
	expect(t, check(asked(0, "b", "y", 1, 500), one, two, asked(12, "c", "y", 2, 201)), "lane y: 2 comes before 1")

	slow := one
	slow.Delay = 500 * time.Millisecond
	expect(t, check(slow, two), "2 comes 490ms before the answer to 1")
	slow.Delay = 10 * time.Millisecond
	expect(t, check(slow, two))

	refused := asked(0, "1", "x", 1, 422)
	expect(t, check(refused, two), "2 comes before 1")
	parked := func(r faultkit.Request) bool { return r.OK() || r.Status == 422 }
	expect(t, faultkit.CheckOrderUntil([]faultkit.Request{refused, two}, lane, seq, parked))
}

func TestCheckFiles(t *testing.T) {
	want := map[string][]byte{"a": []byte("1"), "b": []byte("2")}
	expect(t, faultkit.CheckFiles(map[string][]byte{"a": []byte("1"), "b": []byte("2")}, want))
	expect(
		t, faultkit.CheckFiles(map[string][]byte{"a": []byte("10"), "c": nil}, want),
		"file a has 2 octets that are not the 1 wanted", "file b is missing", "file c is not wanted",
	)
	expect(t, faultkit.CheckNames(want, "b", "a"))
	expect(t, faultkit.CheckNames(want, "b"), "files [a b], not [b]")
}
