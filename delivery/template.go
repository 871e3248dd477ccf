package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode"
	"unicode/utf8"
)

// Place is where a template's text stands; it says how values are escaped. Whatever a device has sent stays a value there.
type Place int

// The places.
const (
	InURL    Place = iota // percent-encoded (RFC 3986): no value adds a segment or a parameter
	InHeader              // control characters are refused
	InJSON                // a JSON value, texts with their quotes
	InText                // as it is
	InName                // of a file: letters, digits and . _ -, everything else as _
)

// Template makes a text of a call. In the places that escape, every value is: {{.id}} is enough.
type Template struct {
	t     *template.Template
	place Place
}

// ErrValue: a value can't stand in its place.
var ErrValue = errors.New("delivery: a value can't stand there")

// maxExpanded bounds what a template makes, in bytes.
const maxExpanded = 64 << 20

// ParseTemplate reads a template of text/template.
func ParseTemplate(name, text string, place Place) (*Template, error) {
	t, err := template.New(name).Option("missingkey=zero").Funcs(functions(place)).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "template: "))
	}
	if err := checkTemplate(t); err != nil {
		return nil, err
	}
	for _, each := range t.Templates() {
		if each.Tree != nil && each.Root != nil {
			escapeAll(each.Root)
		}
	}
	return &Template{t, place}, nil
}

// example has every member of a call, and what kind of value it is.
var example = map[string]any{
	"id": "00000000-0000-7000-8000-000000000000", "key": "00000000-0000-7000-8000-000000000000:x", "stream": "", "seq": json.Number("1"), "type": "x", "schema": json.Number("1"),
	"occurredAt": "", "entity": map[string]any{}, "orderKey": "", "payload": map[string]any{}, "attachments": []any{}, "context": map[string]any{},
	"references": map[string]any{}, "prior": map[string]any{}, "epoch": json.Number("1"), "consumer": "x", "attempt": int64(1), "referenceNumber": "", "file": map[string]any{},
}

const escaper = "_escape"

func functions(place Place) template.FuncMap {
	return template.FuncMap{
		escaper: func(v any) (string, error) { return escape(place, v) },
		"json":  func(v any) (string, error) { return jsonOf(v) },
		"default": func(otherwise, v any) any {
			if v == nil || v == "" {
				return otherwise
			}
			return v
		},
		"lower": cased(strings.ToLower), "upper": cased(strings.ToUpper),
	}
}

// cased takes every value, one that is not there too.
func cased(change func(string) string) func(any) (string, error) {
	return func(v any) (string, error) {
		text, err := plain(v)
		return change(text), err
	}
}

// escapeAll ends every action with the escaper, as html/template does.
func escapeAll(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			escapeAll(child)
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(escaper)}})
		}
	case *parse.IfNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	case *parse.RangeNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	case *parse.WithNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	}
}

func jsonOf(v any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// plain is a value as people write it: nothing for null, JSON for objects and lists.
func plain(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number, int64, int, bool, float64:
		return fmt.Sprint(v), nil
	}
	return jsonOf(v)
}

func escape(place Place, v any) (string, error) {
	if place == InJSON {
		return jsonOf(v)
	}
	text, err := plain(v)
	if err != nil {
		return "", err
	}
	switch place {
	case InURL:
		// A dot segment would be taken away by who reads the URL (RFC 3986, 5.2.4).
		if text == "." || text == ".." {
			return "", fmt.Errorf("%w: . and .. in a URL", ErrValue)
		}
		return strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), nil
	case InHeader:
		for _, r := range text {
			if unicode.IsControl(r) && r != '\t' || r == utf8.RuneError {
				return "", fmt.Errorf("%w: a control character in a header", ErrValue)
			}
		}
	case InName:
		return fileName(text), nil
	}
	return text, nil
}

// fileName keeps what every file system takes.
func fileName(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, text)
}

// Example is the text of a call whose values are the shortest of their kinds.
func (t *Template) Example() (string, error) { return t.Expand(example) }

// Expand makes the text of a call.
func (t *Template) Expand(data map[string]any) (string, error) {
	var out limited
	if err := t.t.Execute(&out, data); err != nil {
		return "", fmt.Errorf("%w: %s", ErrValue, reason(err))
	}
	return out.String(), nil
}

// reason says what is wrong with an expansion without repeating a value.
func reason(err error) string {
	if errors.Is(err, errLarge) {
		return errLarge.Error()
	}
	text := err.Error()
	if i := strings.Index(text, ErrValue.Error()); i >= 0 {
		return strings.TrimPrefix(text[i+len(ErrValue.Error()):], ": ")
	}
	return "the template does not fit the transaction"
}

var errLarge = errors.New("the text is larger than 64 MiB")

type limited struct{ bytes.Buffer }

// Write refuses what is too much.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxExpanded {
		return 0, errLarge
	}
	return l.Buffer.Write(p)
}
