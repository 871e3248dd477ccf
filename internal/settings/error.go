package settings

import "fmt"

// Error is one thing wrong with the settings, in one line. It holds no secret.
type Error struct {
	// Source is where the value came from: file:line, an environment variable, a
	// flag, or "default".
	Source string
	// Setting is the name in the file; empty when the source alone says it.
	Setting string
	// Detail says what is wrong and what to do.
	Detail string
}

// Error is the line.
func (e *Error) Error() string {
	if e.Setting == "" {
		return fmt.Sprintf("%s: %s", e.Source, e.Detail)
	}
	return fmt.Sprintf("%s: %s: %s", e.Source, e.Setting, e.Detail)
}

// origin is where a value came from.
type origin struct {
	source string
	// named says that the source is the name of the setting itself.
	named bool
}

var fromDefault = origin{source: "default"}

// wrong makes an error about a setting of that origin.
func (o origin) wrong(setting, format string, args ...any) error {
	if o.named {
		setting = ""
	}
	return &Error{Source: o.source, Setting: setting, Detail: fmt.Sprintf(format, args...)}
}
