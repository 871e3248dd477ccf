// Bundle puts the parts of the OpenAPI document into one file. Run it in the
// folder openapi; go generate does. An argument names another file to write.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	to := "bundle.gen.yaml"
	if len(os.Args) > 1 {
		to = os.Args[1]
	}
	if err := write("openapi.yaml", to); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func write(from, to string) error {
	document, err := read(from)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString("# Made of openapi.yaml, paths/ and components/ by go generate. Do not edit.\n")
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return os.WriteFile(to, out.Bytes(), 0o644) //nolint:gosec // a file of the repository
}

// read reads a file and puts in the files that it refers to.
func read(path string) (*yaml.Node, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	root := document.Content[0]
	return root, include(root, filepath.Dir(path))
}

func include(n *yaml.Node, dir string) error {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "$ref" && !strings.HasPrefix(n.Content[1].Value, "#") {
		part, err := read(filepath.Join(dir, n.Content[1].Value))
		if err != nil {
			return err
		}
		*n = *part
		return nil
	}
	for _, child := range n.Content {
		if err := include(child, dir); err != nil {
			return err
		}
	}
	return nil
}
