package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/openapi"
)

// document is the part of the OpenAPI document that is needed at run time: who
// may call what, and the reference page.
type document struct {
	Info struct {
		Title, Version, Summary, Description string
	}
	Tags []struct{ Name, Description string }
	// Paths keep the document's order.
	Paths      orderedMap[map[string]yaml.Node]
	Components struct {
		Parameters map[string]parameter
		Headers    map[string]header
		Responses  map[string]response
		Schemas    orderedMap[schema]
	}
}

// OperationObject is one method of a path, as the document has it.
type OperationObject struct {
	OperationID string `yaml:"operationId"`
	Tags        []string
	Summary     string
	Description string
	Security    *[]map[string][]string
	Parameters  []parameter
	RequestBody *struct {
		Description string
		Content     orderedMap[media]
	} `yaml:"requestBody"`
	Responses orderedMap[response]
}

type parameter struct {
	Ref         string `yaml:"$ref"`
	Name, In    string
	Required    bool
	Description string
	Schema      schema
}

type header struct {
	Ref         string `yaml:"$ref"`
	Description string
}

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Headers     orderedMap[header]
	Content     orderedMap[media]
}

type media struct {
	Schema  schema
	Example yaml.Node
}

type schema struct {
	Ref         string `yaml:"$ref"`
	Type        string
	Format      string
	Pattern     string
	Const       string
	Description string
	Enum        []string
	Required    []string
	Minimum     *int64
	MinLength   *int `yaml:"minLength"`
	MaxLength   *int `yaml:"maxLength"`
	MinItems    *int `yaml:"minItems"`
	MaxItems    *int `yaml:"maxItems"`
	Properties  orderedMap[schema]
	Items       *schema
	// Additional says what the members of a map are.
	Additional *schema `yaml:"additionalProperties"`
}

// orderedMap is a YAML mapping in the order in which it is written.
type orderedMap[T any] []entry[T]

type entry[T any] struct {
	Key   string
	Value T
}

// UnmarshalYAML reads a mapping.
func (m *orderedMap[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a mapping was expected", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		e := entry[T]{Key: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&e.Value); err != nil {
			return err
		}
		*m = append(*m, e)
	}
	return nil
}

func readDocument() (*document, error) {
	var d document
	if err := yaml.Unmarshal(openapi.Bundle, &d); err != nil {
		return nil, fmt.Errorf("the embedded OpenAPI document: %w", err)
	}
	return &d, nil
}

// pathOperation is an operation with its place.
type pathOperation struct {
	OperationObject
	Method, Path string
	Shared       []parameter // of the path
}

// each lists the operations in the document's order.
func (d *document) each() ([]pathOperation, error) {
	var all []pathOperation
	for _, path := range d.Paths {
		var shared []parameter
		if n, ok := path.Value["parameters"]; ok {
			if err := n.Decode(&shared); err != nil {
				return nil, err
			}
		}
		for _, method := range []string{"head", "get", "post", "put", "patch", "delete", "options"} {
			n, ok := path.Value[method]
			if !ok {
				continue
			}
			op := pathOperation{Method: strings.ToUpper(method), Path: path.Key, Shared: shared}
			if err := n.Decode(&op.OperationObject); err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path.Key, err)
			}
			all = append(all, op)
		}
	}
	return all, nil
}

// scopes that may call an operation; none for everybody.
func (op *OperationObject) scopes() (public bool, scopes []holdfast.Scope) {
	if op.Security == nil {
		return false, nil
	}
	for _, requirement := range *op.Security {
		for _, names := range requirement {
			for _, name := range names {
				scopes = append(scopes, holdfast.Scope(name))
			}
		}
	}
	return len(*op.Security) == 0, scopes
}

// Operation is what a middleware may want to know of one.
type Operation struct {
	Public  bool // needs no credentials
	Scopes  []holdfast.Scope
	HasBody bool // of JSON, to be read before the handler is asked
}

// Operation finds an operation by its method and route pattern. One that is not
// in the document is nobody's: no scope may call it.
func (s *Server) Operation(method, pattern string) Operation {
	if op, own := s.operations[method+" "+pattern]; own || method != http.MethodHead {
		return op
	}
	return s.operations[http.MethodGet+" "+pattern]
}

// Access is [Server.Operation] as the authentication asks it.
func (s *Server) Access(method, pattern string) (public bool, scopes []holdfast.Scope) {
	op := s.Operation(method, pattern)
	return op.Public, op.Scopes
}

func (d *document) operations() (map[string]Operation, error) {
	all, err := d.each()
	if err != nil {
		return nil, err
	}
	table := make(map[string]Operation, len(all))
	for i := range all {
		op := Operation{}
		if body := all[i].RequestBody; body != nil {
			op.HasBody = slices.ContainsFunc(body.Content, func(c entry[media]) bool { return c.Key == "application/json" })
		}
		op.Public, op.Scopes = all[i].scopes()
		table[all[i].Method+" "+all[i].Path] = op
	}
	return table, nil
}
