package schemas

// names are those of members that a schema knows. Others may be personal: an
// app that uses a phone number as a member's name must not find it in a problem.
type names map[string]struct{}

// learn adds every name that stands in doc where a schema names members.
func (n names) learn(doc any) {
	switch doc := doc.(type) {
	case []any:
		for _, item := range doc {
			n.learn(item)
		}
	case map[string]any:
		for keyword, value := range doc {
			switch keyword {
			case "properties", "dependentRequired", "dependentSchemas", "dependencies":
				n.learnKeys(value)
			case "required":
				n.learnStrings(value)
			}
			n.learn(value)
		}
	}
}

func (n names) learnKeys(value any) {
	object, _ := value.(map[string]any)
	for name, inner := range object {
		n[name] = struct{}{}
		n.learnStrings(inner)
	}
}

func (n names) learnStrings(value any) {
	list, _ := value.([]any)
	for _, item := range list {
		if name, ok := item.(string); ok {
			n[name] = struct{}{}
		}
	}
}

// pointer is the JSON pointer of a place in the payload, below /payload, with
// "*" for members that the schema does not name. Indexes of arrays stay.
func (n names) pointer(location []string, payload any) string {
	out := []byte("/payload")
	at := payload
	for _, token := range location {
		out = append(out, '/')
		switch inner := at.(type) {
		case []any:
			out = append(out, token...)
			at = item(inner, token)
		case map[string]any:
			out = append(out, n.show(token)...)
			at = inner[token]
		default: // a place that should stand there, but doesn't
			out = append(out, n.show(token)...)
			at = nil
		}
	}
	return string(out)
}

func (n names) show(name string) string {
	if _, known := n[name]; !known {
		return "*"
	}
	return escaper.Replace(name)
}
