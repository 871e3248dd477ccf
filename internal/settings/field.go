package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// field is one setting, as its struct tags describe it.
type field struct {
	key      string // for example limits.maxBytes
	env      string // HOLDFAST_LIMITS_MAX_BYTES; empty for lists
	fallback string
	doc      string
	enum     []string
	min, max string
	secret   bool
	index    []int
	kind     reflect.Type
}

const envPrefix = "HOLDFAST_"

// fields are all settings, in the order of the struct.
var fields = fieldsOf(reflect.TypeFor[Settings](), "", nil)

var byKey = func() map[string]*field {
	m := make(map[string]*field, len(fields))
	for i := range fields {
		m[fields[i].key] = &fields[i]
	}
	return m
}()

func fieldsOf(t reflect.Type, prefix string, index []int) []field {
	var found []field
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("koanf")
		if name == "" || name == "-" {
			continue
		}
		at := append(slices.Clone(index), i)
		if f.Type.Kind() == reflect.Struct {
			found = append(found, fieldsOf(f.Type, prefix+name+".", at)...)
			continue
		}
		found = append(found, fieldOf(f, prefix+name, at))
	}
	return found
}

func fieldOf(f reflect.StructField, key string, index []int) field {
	out := field{
		key: key, env: f.Tag.Get("env"), fallback: f.Tag.Get("default"), doc: f.Tag.Get("doc"),
		min: f.Tag.Get("min"), max: f.Tag.Get("max"), secret: f.Tag.Get("secret") == "true",
		index: index, kind: f.Type,
	}
	if list := f.Tag.Get("enum"); list != "" {
		out.enum = strings.Split(list, ",")
	}
	if out.env == "" && f.Type.Kind() != reflect.Slice {
		out.env = envPrefix + upperSnake(key)
	}
	return out
}

// upperSnake turns limits.maxBytes into LIMITS_MAX_BYTES.
func upperSnake(key string) string {
	var out strings.Builder
	for _, r := range key {
		switch {
		case r == '.':
			out.WriteByte('_')
		case unicode.IsUpper(r):
			out.WriteByte('_')
			out.WriteRune(r)
		default:
			out.WriteRune(unicode.ToUpper(r))
		}
	}
	return out.String()
}

// parse reads a value and checks it alone. The error says what is asked for.
func (f *field) parse(text string) (any, error) {
	value, err := parseAs(f.kind, text)
	if err != nil {
		return nil, err
	}
	if f.enum != nil && !slices.Contains(f.enum, text) {
		return nil, fmt.Errorf("must be one of %s, not %q", strings.Join(f.enum, ", "), text)
	}
	for _, bound := range []struct {
		text string
		sign int
		word string
	}{{f.min, -1, "at least"}, {f.max, 1, "at most"}} {
		if bound.text == "" {
			continue
		}
		limit, err := parseAs(f.kind, bound.text)
		if err != nil {
			return nil, err
		}
		if compare(value, limit) == bound.sign {
			return nil, fmt.Errorf("must be %s %s", bound.word, bound.text)
		}
	}
	return value, nil
}

func parseAs(kind reflect.Type, text string) (any, error) {
	switch kind {
	case reflect.TypeFor[Size]():
		return ParseSize(text)
	case reflect.TypeFor[Rate]():
		return parseRate(text)
	case reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("must be a duration, for example 500ms, 30s or 5m")
		}
		return d, nil
	case reflect.TypeFor[int64]():
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("must be a whole number")
		}
		return n, nil
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return nil, fmt.Errorf("must not hold control characters")
	}
	return text, nil
}

func compare(a, b any) int {
	x, y := reflect.ValueOf(a).Int(), reflect.ValueOf(b).Int()
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// suggest is the known name that is closest to an unknown one, as "; did you
// mean …?", or nothing when none is close.
func suggest(name string, known []string) string {
	best, least := "", len(name)/3+1
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= least {
			best, least = k, d-1
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
