package settings

import (
	"fmt"
	"strings"
)

const introduction = `# Settings

<!-- Made by go generate from the struct tags in internal/settings. Do not edit. -->

A value is taken from the first of these that gives one: a flag, the environment, the configuration file, the default.
` + "`holdfast config`" + ` prints the effective values with secrets masked and says where each came from; ` + "`holdfast doctor`" + ` tries
them out. A name that nobody knows, a value that can't be read and settings that contradict each other stop the program
with one line that says which, from where, and what to do.

The configuration file is YAML: ` + "`--config`" + `, else ` + "`HOLDFAST_CONFIG`" + `, else ` + "`holdfast.yaml`" + ` in the working directory if there. A dot
in a setting's name is a section of the file:

` + "```yaml" + `
listen: 0.0.0.0:8080
auth: token
limits:
  maxBytes: 8MiB
schemas:
  unregistered: quarantine
  types:
    - { type: pick.completed, version: 3, file: schemas/pick-completed-3.json }
` + "```" + `

Every setting but the lists ` + "`schemas.types`, `consumers` and `prefetch.resources`" + ` can also be given by ` + "`--set NAME=VALUE`" + `. A variable with an empty value counts as not
given. A secret can be kept in a file of its own: the variable's name with ` + "`_FILE`" + ` behind it names that file.

| setting | environment | default | meaning |
| --- | --- | --- | --- |
`

// Reference is the page docs/operate/settings.md.
func Reference() string {
	var out strings.Builder
	out.WriteString(introduction)
	for i := range fields {
		f := &fields[i]
		env := code(f.env)
		if f.secret {
			env += ", " + code(f.env+fileSuffix)
		}
		fallback := code(f.fallback)
		if f.fallback == "" {
			fallback = "empty"
		}
		_, _ = fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", f.key, env, fallback, strings.ReplaceAll(f.doc+f.bounds(), "|", "\\|"))
	}
	return out.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// bounds tells the bounds.
func (f *field) bounds() string {
	if f.min == "" {
		return ""
	}
	return fmt.Sprintf(" From %s to %s.", f.min, f.max)
}
