package faultkit

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wiremock/go-wiremock"
)

// Reply is what a consumer answers. It is go-wiremock's: delays and headers are
// put on with its methods, for instance
//
//	faultkit.Reference().WithLogNormalRandomDelay(80*time.Millisecond, 0.4)
//	faultkit.Reference().WithUniformRandomDelay(10*time.Millisecond, time.Second)
//	faultkit.Reference().WithChunkedDribbleDelay(5, 2*time.Second)
type Reply = wiremock.Response

// Fault is a way in which a connection ends instead of an answer.
type Fault = wiremock.Fault

// The faults of WireMock. In each of them the request was read whole.
const (
	EmptyResponse       = wiremock.FaultEmptyResponse          // the connection ends without an octet
	MalformedChunk      = wiremock.FaultMalformedResponseChunk // a status 200 without headers, garbage, then an end or a reset
	RandomDataThenClose = wiremock.FaultRandomDataThenClose    // no HTTP at all
	ConnectionReset     = wiremock.FaultConnectionResetByPeer  // a reset
)

// Faults are all of them, for tests that go through them.
var Faults = []Fault{EmptyResponse, MalformedChunk, RandomDataThenClose, ConnectionReset}

// template is the answer to a key; keys that are quoted, as structured headers are,
// lose their quotes. Without a key there is no number.
const template = `{{#if request.headers.Idempotency-Key}}` +
	`{"referenceNumber":"R-{{{replace request.headers.Idempotency-Key '"' ''}}}"}` +
	`{{else}}{"error":"Idempotency-Key is missing"}{{/if}}`

// Reference is the good answer: 201 with a reference number that is a function of
// the request's Idempotency-Key and of nothing else, so the same key has the same
// answer in every life of the server. [ReferenceNumber] is that function.
func Reference() Reply {
	return Status(http.StatusCreated, template).WithHeader("Content-Type", "application/json").WithTransformers("response-template")
}

// ReferenceNumber is what [Reference] answers to a key.
func ReferenceNumber(key string) string { return "R-" + strings.ReplaceAll(key, `"`, "") }

// Status is any status with any body.
func Status(status int, body string) Reply {
	return wiremock.NewResponse().WithStatus(int64(status)).WithBody(body)
}

// Break ends the connection in place of an answer.
func Break(kind Fault) Reply { return wiremock.NewResponse().WithFault(kind) }

// ServerError is 500 with a page of the kind that servers have for it.
func ServerError() Reply {
	return Status(http.StatusInternalServerError, "<html><body>Internal Server Error</body></html>").WithHeader("Content-Type", "text/html")
}

// TooMany is 429 with Retry-After in whole seconds.
func TooMany(after time.Duration) Reply {
	return Status(http.StatusTooManyRequests, `{"error":"too many requests"}`).
		WithHeader("Content-Type", "application/json").WithHeader("Retry-After", strconv.Itoa(int(after.Round(time.Second)/time.Second)))
}

// Garbage is 200 with a body that claims to be JSON and is not.
func Garbage() Reply {
	return wiremock.OK().WithHeader("Content-Type", "application/json").WithBinaryBody([]byte("\x00\xff\xfe{\"referenceNumber\":\"R-1"))
}

// WrongReference is 201 with this JSON value as the reference number, where a text
// belongs: 42, null, [], "".
func WrongReference(value string) Reply {
	return Status(http.StatusCreated, `{"referenceNumber":`+value+`}`).WithHeader("Content-Type", "application/json")
}

// Huge is 201 with a reference number and so many octets beside it.
func Huge(octets int) Reply {
	return Status(http.StatusCreated, `{"referenceNumber":"R-huge","padding":"`+strings.Repeat("x", octets)+`"}`).
		WithHeader("Content-Type", "application/json")
}

// Redirect is 307, which a client follows with the same method and body if it
// follows at all.
func Redirect(to string) Reply {
	return Status(http.StatusTemporaryRedirect, "").WithHeader("Location", to)
}

// HangTime is how long [Hang] is silent: longer than any client should wait.
const HangTime = 10 * time.Minute

// Hang takes the request and is silent, then answers as [Reference]. Up to 250
// requests can hang on a server at once.
func Hang() Reply { return Reference().WithFixedDelay(HangTime) }
