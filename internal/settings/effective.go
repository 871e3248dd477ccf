package settings

import (
	"fmt"
	"reflect"
	"strings"
)

// Value is an effective setting, fit to be shown.
type Value struct {
	Setting string `json:"setting"`
	// Value is as it could be written in the file, with secrets masked.
	Value string `json:"value"`
	// Source is where it came from.
	Source string `json:"source"`
}

// Effective lists every setting, in the order of the reference.
func (s *Settings) Effective() []Value {
	out := make([]Value, 0, len(fields))
	for i := range fields {
		f := &fields[i]
		from, known := s.origins[f.key]
		if !known {
			from = fromDefault
		}
		out = append(out, Value{Setting: f.key, Value: s.show(f), Source: from.source})
	}
	return out
}

func (s *Settings) show(f *field) string {
	value := reflect.ValueOf(s).Elem().FieldByIndex(f.index).Interface()
	if types, ok := value.([]SchemaType); ok {
		return showTypes(types)
	}
	switch list := value.(type) {
	case []Consumer:
		return shown(list, func(c Consumer) string { return c.Name + "(" + c.Kind + ")" })
	case []PrefetchResource:
		return shown(list, func(r PrefetchResource) string { return r.Name })
	}
	text := fmt.Sprint(value)
	switch {
	case !f.secret:
		return text
	case f.key == "objectStores":
		return maskStores(text)
	}
	return MaskURL(text)
}

func shown[T any](all []T, show func(T) string) string {
	parts := make([]string, len(all))
	for i := range all {
		parts[i] = show(all[i])
	}
	return strings.Join(parts, ",")
}

func showTypes(types []SchemaType) string {
	parts := make([]string, len(types))
	for i, t := range types {
		parts[i] = fmt.Sprintf("%s/%d=%s", t.Type, t.Version, t.File)
	}
	return strings.Join(parts, ",")
}
