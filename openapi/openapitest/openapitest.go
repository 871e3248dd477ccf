// Package openapitest holds exchanges against the OpenAPI document: what a
// gateway answers must be what the document says it answers.
package openapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/holdfast-sync/holdfast/openapi"
)

var load = sync.OnceValues(func() (routers.Router, error) {
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	for name := range octets {
		openapi3filter.RegisterBodyDecoder(name, func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
			b, err := io.ReadAll(body)
			return string(b), err
		})
	}
	for _, kind := range []string{"application/x-ndjson", "text/html"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.RegisteredBodyDecoder("text/plain"))
	}
	openapi3filter.RegisterBodyDecoder("application/vnd.holdfast.transaction+json", openapi3filter.RegisteredBodyDecoder("application/json"))
	return gorillamux.NewRouter(doc)
})

// octets are media types whose bodies are text to the document.
var octets = map[string]bool{"application/yaml": true, "text/html": true}

// Document is the whole document, valid.
func Document() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi.Bundle)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
}

// Answer checks an answer to a request. A request that leads nowhere in the
// document must have been answered with a problem document of 404 or 405. HEAD is
// held to the headers of GET.
func Answer(r *http.Request, status int, header http.Header, body []byte) error {
	router, err := load()
	if err != nil {
		return err
	}
	head := r.Method == http.MethodHead // like GET, without the body, unless there is a HEAD of its own
	route, parameters, err := router.FindRoute(r)
	if head && err != nil {
		r = r.Clone(r.Context())
		r.Method = http.MethodGet
		route, parameters, err = router.FindRoute(r)
	}
	if err != nil {
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
			return unrouted(status, head, header, body)
		}
		return fmt.Errorf("%s %s answers %d and is not in the document: %w", r.Method, r.URL.Path, status, err)
	}
	if route.Operation.Responses.Status(status) == nil {
		return fmt.Errorf("%s %s answers %d, which is not in the document", r.Method, r.URL.Path, status)
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route},
		Status:                 status, Header: header, Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: head, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		return fmt.Errorf("%s %s answers %d: %w", r.Method, r.URL.Path, status, err)
	}
	return nil
}

// unrouted wants a problem document where the document has no operation.
func unrouted(status int, head bool, header http.Header, body []byte) error {
	if header.Get("Content-Type") != "application/problem+json" || header.Get("Holdfast-Protocol") != "1" {
		return fmt.Errorf("an answer of %d is no problem document: %v", status, header)
	}
	if status == http.StatusMethodNotAllowed && header.Get("Allow") == "" {
		return errors.New("405 without Allow")
	}
	if head {
		return nil
	}
	var d struct {
		Status int
		Code   string
	}
	if err := json.Unmarshal(body, &d); err != nil || d.Status != status || d.Code == "" {
		return fmt.Errorf("an answer of %d is no problem document: %s", status, body)
	}
	return nil
}

var document = sync.OnceValues(Document)

// Batch says whether a body is what the document calls a batch.
func Batch(body any) error {
	doc, err := document()
	if err != nil {
		return err
	}
	schema := doc.Components.Schemas["Batch"]
	if schema == nil {
		return errors.New("the document has no Batch")
	}
	return schema.Value.VisitJSON(body)
}

// Transport validates every answer that passes through; fail is told of each
// that is not as the document says.
func Transport(base http.RoundTripper, fail func(error)) http.RoundTripper {
	return transport{base, fail}
}

type transport struct {
	base http.RoundTripper
	fail func(error)
}

// RoundTrip reads the answer whole, so that it can be checked.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := Answer(r, res.StatusCode, res.Header, body); err != nil {
		t.fail(err)
	}
	return res, nil
}
