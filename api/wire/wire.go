// Package wire is generated from the OpenAPI document: its routes, parameters
// and documents. Nothing in it is written by hand but this.
package wire

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config oapi-codegen.yaml ../../openapi/bundle.gen.yaml
