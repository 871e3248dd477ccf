package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readFile turns a YAML document into values by key. Every name must be known,
// and each place is remembered.
func readFile(path string, content []byte) (layer, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) { // empty, or comments only
		return layer{}, nil
	}
	if err != nil {
		return nil, &Error{Source: path, Detail: "is not YAML: " + strings.TrimPrefix(firstLine(err), "yaml: ")}
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &Error{Source: path, Detail: "must hold one document and nothing behind it"}
	}
	f := file{path: path, values: layer{}}
	if root := doc.Content[0]; !isNull(root) {
		if root.Kind != yaml.MappingNode {
			return nil, f.at(root).wrong("", "must be names with values, for example listen: 127.0.0.1:8080")
		}
		err = f.section("", root)
	}
	return f.values, err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

type file struct {
	path   string
	values layer
}

func (f *file) at(n *yaml.Node) origin { return origin{source: fmt.Sprintf("%s:%d", f.path, n.Line)} }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// section reads the names below prefix, which is empty or ends in a dot.
func (f *file) section(prefix string, n *yaml.Node) error {
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		key := prefix + name.Value
		if seen[name.Value] {
			return f.at(name).wrong(key, "is given twice; remove one")
		}
		seen[name.Value] = true
		if err := f.entry(key, name, value); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) entry(key string, name, value *yaml.Node) error {
	if key == "auth" && value.Kind == yaml.ScalarNode && !isNull(value) {
		key = "auth.mode"
	}
	switch known := byKey[key]; {
	case known == nil && isSection(key):
		if isNull(value) {
			return nil
		}
		if value.Kind != yaml.MappingNode {
			return f.at(value).wrong(key, "must be a section with names below it")
		}
		return f.section(key+".", value)
	case known == nil:
		return f.at(name).wrong(key, "is no setting%s", suggest(key, keys()))
	case known.env == "":
		return f.list(key, value)
	case value.Kind != yaml.ScalarNode:
		return f.at(value).wrong(key, "must be one value")
	case isNull(value):
		return f.at(value).wrong(key, "has no value; remove the line or give one")
	default:
		f.values[key] = given{text: value.Value, origin: f.at(value)}
		return nil
	}
}

func isSection(key string) bool {
	for i := range fields {
		if strings.HasPrefix(fields[i].key, key+".") {
			return true
		}
	}
	return false
}

func keys() []string {
	out := make([]string, len(fields))
	for i := range fields {
		out[i] = fields[i].key
	}
	return out
}

// list reads a setting that is a list.
func (f *file) list(key string, n *yaml.Node) error {
	var err error
	var all any
	switch key {
	case "consumers":
		all, err = listOf[Consumer](f, key, n)
	case "prefetch.resources":
		all, err = listOf[PrefetchResource](f, key, n)
	default:
		return f.schemaTypes(key, n)
	}
	f.values[key] = given{list: all, origin: f.at(n)}
	return err
}

func (f *file) schemaTypes(key string, n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return f.at(n).wrong(key, "must be a list of type, version and file")
	}
	types := make([]SchemaType, 0, len(n.Content))
	for i, item := range n.Content {
		t, err := f.schemaType(fmt.Sprintf("%s[%d]", key, i), item)
		if err != nil {
			return err
		}
		types = append(types, t)
	}
	f.values[key] = given{list: types, origin: f.at(n)}
	return nil
}

func (f *file) schemaType(key string, n *yaml.Node) (SchemaType, error) {
	var t SchemaType
	if n.Kind != yaml.MappingNode {
		return t, f.at(n).wrong(key, "must have the names type, version and file")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if value.Kind != yaml.ScalarNode || isNull(value) {
			return t, f.at(value).wrong(key+"."+name.Value, "must be one value")
		}
		switch name.Value {
		case "type":
			t.Type = value.Value
		case "file":
			t.File = value.Value
		case "version":
			if err := value.Decode(&t.Version); err != nil || t.Version < 0 {
				return t, f.at(value).wrong(key+".version", "must be a whole number from 0")
			}
		default:
			return t, f.at(name).wrong(key+"."+name.Value, "is no setting%s", suggest(name.Value, []string{"type", "version", "file"}))
		}
	}
	if t.Type == "" || t.File == "" {
		return t, f.at(n).wrong(key, "must have a type and a file")
	}
	return t, nil
}
