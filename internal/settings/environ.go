package settings

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// ConfigVariable names the configuration file.
const ConfigVariable = envPrefix + "CONFIG"

// fileSuffix of a secret's variable makes it name a file that holds the value.
const fileSuffix = "_FILE"

// clientVariables are read by the examples and by scripts around holdfast send;
// whoever has them in the environment may start a gateway all the same.
var clientVariables = []string{envPrefix + "URL", envPrefix + "TOKEN"}

// kubernetes puts variables like these into every container when a service is
// called holdfast; they are none of ours.
var kubernetes = regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// readEnviron takes the settings out of an environment of NAME=value. An empty
// value is one that was not given.
func readEnviron(environ []string) (layer, error) {
	values := layer{}
	variables := variables()
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, envPrefix) || text == "" || kubernetes.MatchString(name) {
			continue
		}
		key, known := variables[name]
		if !known {
			return nil, origin{source: name, named: true}.wrong("", "is no setting%s", suggest(name, names(variables)))
		}
		if key == "" {
			continue
		}
		at := origin{source: name, named: true}
		if earlier, twice := values[key]; twice && earlier.origin != at {
			plain := byKey[key].env
			return nil, at.wrong(key, "%s and %s are both given; remove one", plain, plain+fileSuffix)
		}
		if name != byKey[key].env {
			content, err := readSecret(text)
			if err != nil {
				return nil, at.wrong(key, "%v", err)
			}
			text = content
		}
		values[key] = given{text: text, origin: at}
	}
	return values, nil
}

// variables are the names that may be in the environment, with the key of their
// setting; those that are none have no key.
func variables() map[string]string {
	known := map[string]string{ConfigVariable: ""} // found before the others
	for _, name := range clientVariables {
		known[name] = ""
	}
	for i := range fields {
		f := &fields[i]
		if f.env == "" {
			continue
		}
		known[f.env] = f.key
		if f.secret {
			known[f.env+fileSuffix] = f.key
		}
	}
	return known
}

func names(variables map[string]string) []string {
	out := make([]string, 0, len(variables))
	for name := range variables {
		out = append(out, name)
	}
	return out
}

// maxSecret bounds a file that holds one value, in bytes.
const maxSecret = 64 << 10

// readSecret reads a file with one value; a line end behind it does not count.
func readSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("names a file that can't be read: %w", err)
	case len(content) > maxSecret:
		return "", fmt.Errorf("names a file of more than %d bytes", maxSecret)
	}
	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		return "", fmt.Errorf("names a file that is empty: %s", path)
	}
	return text, nil
}
