package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// DefaultFile is read when no other is named and it is there.
const DefaultFile = "holdfast.yaml"

// given is a value as somebody gave it.
type given struct {
	text   string
	list   any // of a setting that is a list
	origin origin
}

// layer is what one source gives, by key.
type layer map[string]given

// Sources are the places that values come from.
type Sources struct {
	// Config is the --config flag; empty: the environment's, else [DefaultFile] if there.
	Config string
	// Flags are values by key, with the flag's name as it is written.
	Flags []Flag
	// Environ is like [os.Environ].
	Environ []string
}

// Flag is a setting given on the command line.
type Flag struct {
	Key  string // for example limits.maxBytes
	Name string // for example --listen
	Text string
}

// Load merges the sources and checks the result. An error is an [*Error] with
// the first thing that is wrong.
func Load(src Sources) (*Settings, error) {
	environ, err := readEnviron(src.Environ)
	if err != nil {
		return nil, err
	}
	path, content, err := src.file()
	if err != nil {
		return nil, err
	}
	file := layer{}
	if path != "" {
		if file, err = readFile(path, content); err != nil {
			return nil, err
		}
	}
	flags, err := readFlags(src.Flags)
	if err != nil {
		return nil, err
	}
	s, err := merge(defaults(), file, environ, flags)
	if err != nil {
		return nil, err
	}
	s.File = path
	return s, s.check()
}

// file finds the configuration file and reads it; no path: there is none.
func (src Sources) file() (path string, content []byte, err error) {
	path, source := src.Config, "--config"
	if path == "" {
		for _, line := range src.Environ {
			if value, ok := strings.CutPrefix(line, ConfigVariable+"="); ok {
				path, source = value, ConfigVariable
			}
		}
	}
	named := path != ""
	if !named {
		path, source = DefaultFile, DefaultFile
	}
	content, err = os.ReadFile(path)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, &Error{Source: source, Detail: fmt.Sprintf("the configuration file can't be read: %v", err)}
	}
	return path, content, nil
}

func defaults() layer {
	values := layer{}
	for i := range fields {
		if fields[i].env != "" {
			values[fields[i].key] = given{text: fields[i].fallback, origin: fromDefault}
		}
	}
	return values
}

func readFlags(flags []Flag) (layer, error) {
	values := layer{}
	for _, f := range flags {
		at := origin{source: f.Name, named: true}
		switch known := byKey[f.Key]; {
		case known == nil:
			return nil, at.wrong("", "%s is no setting%s", f.Key, suggest(f.Key, keys()))
		case known.env == "":
			return nil, at.wrong("", "%s can be given in the file only", f.Key)
		}
		if earlier, twice := values[f.Key]; twice {
			return nil, at.wrong("", "%s is given by %s already; remove one", f.Key, earlier.origin.source)
		}
		values[f.Key] = given{text: f.Text, origin: at}
	}
	return values, nil
}

// merge reads every value, also one that a later layer wins over: a wrong line is wrong.
func merge(layers ...layer) (*Settings, error) {
	k := koanf.New(".")
	s := &Settings{origins: make(map[string]origin)}
	for _, values := range layers {
		typed := make(map[string]any, len(values))
		for i := range fields { // in a fixed order, so that the first error is always the same
			f := &fields[i]
			v, is := values[f.key]
			if !is {
				continue
			}
			value, err := f.read(v)
			if err != nil {
				return nil, v.origin.wrong(f.key, "%v", err)
			}
			typed[f.key], s.origins[f.key] = value, v.origin
		}
		if err := k.Load(confmap.Provider(typed, "."), nil); err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
	}
	if err := k.Unmarshal("", s); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return s, nil
}

func (f *field) read(v given) (any, error) {
	if v.list != nil {
		return v.list, nil
	}
	return f.parse(v.text)
}

// wrong makes an error about a setting, with where its value came from.
func (s *Settings) wrong(key, format string, args ...any) error {
	from, known := s.origins[key]
	if !known {
		from = fromDefault
	}
	return from.wrong(key, format, args...)
}

// Wrong is for checks that need more than the settings themselves, such as a
// file that can't be read. The detail must not hold a secret.
func (s *Settings) Wrong(key, detail string) error { return s.wrong(key, "%s", detail) }
