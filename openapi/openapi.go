// Package openapi is the contract with clients: an OpenAPI 3.1 document, split
// by path (paths/, components/), and the one file that is made of it, which is
// served and from which the routes are generated.
//
// In the parts a reference to another file stands for that file's whole content,
// and a reference that begins with # is one into the finished document.
package openapi

import _ "embed"

//go:generate go run ./bundle

// Bundle is the whole document as YAML.
//
//go:embed bundle.gen.yaml
var Bundle []byte
