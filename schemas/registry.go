package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What to do with a type, or a version of it, that has no schema.
const (
	Accept     = "accept"
	Quarantine = "quarantine"
)

// Type registers one file for one version of a transaction type.
type Type struct {
	Type string
	// Version is the transaction's "schema"; 0 stands for transactions without one.
	Version int64
	// File is relative to [Config.Dir], or absolute and below it.
	File string
}

// Config says which schemas there are.
type Config struct {
	// Dir is the folder that every file must be in.
	Dir   string
	Types []Type
	// Unregistered is [Accept] (or empty) or [Quarantine].
	Unregistered string
}

// Validate says what is contradictory; it does not look at the files.
func (c Config) Validate() error {
	if c.Unregistered != "" && c.Unregistered != Accept && c.Unregistered != Quarantine {
		return fmt.Errorf("unregistered must be %s or %s", Accept, Quarantine)
	}
	seen := make(map[key]struct{}, len(c.Types))
	for _, t := range c.Types {
		k := key{t.Type, t.Version}
		_, twice := seen[k]
		switch {
		case t.Type == "":
			return errors.New("an entry has no type")
		case t.Version < 0:
			return fmt.Errorf("%s has a version below 0", t.Type)
		case t.File == "":
			return fmt.Errorf("%s version %d has no file", t.Type, t.Version)
		case twice:
			return fmt.Errorf("%s version %d is registered twice", t.Type, t.Version)
		}
		seen[k] = struct{}{}
	}
	return nil
}

type key struct {
	typ     string
	version int64
}

// registered is the compiled schema of one type and version.
type registered struct {
	schema *jsonschema.Schema
	names  names
}

// Registry holds the compiled schemas. It does not change, and any number of
// goroutines may use it.
type Registry struct {
	schemas    map[key]registered
	quarantine bool // what is not registered
	// large has a place for each large payload that may be checked at once.
	large chan struct{}
}

// Open reads and compiles every schema. An error is one line that names the file
// and what is wrong with it.
func Open(c Config) (*Registry, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	r := &Registry{
		schemas:    make(map[key]registered, len(c.Types)),
		quarantine: c.Unregistered == Quarantine,
		large:      make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	if len(c.Types) == 0 {
		return r, nil
	}
	files, err := openFiles(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	defer files.close()
	if err := r.compile(c, files); err != nil {
		return nil, err
	}
	return r, nil
}

// compile reads the registered files first, so that they may refer to each
// other's $id, whatever their order.
func (r *Registry) compile(c Config, files *files) error {
	urls := make([]string, len(c.Types))
	for i, t := range c.Types {
		url, err := files.add(t.File)
		if err != nil {
			return fmt.Errorf("schemas: %s: %w", t.File, err)
		}
		urls[i] = url
	}
	for i, t := range c.Types {
		entry, err := compileOne(files, urls[i])
		if err != nil {
			return fmt.Errorf("schemas: %s: %s", t.File, oneLine(err))
		}
		r.schemas[key{t.Type, t.Version}] = entry
	}
	return nil
}

func compileOne(files *files, url string) (registered, error) {
	seen := newLoader(files)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(seen)
	schema, err := c.Compile(url)
	if err != nil {
		return registered{}, err
	}
	return registered{schema: schema, names: seen.names}, nil
}

// largeFrom is the size in bytes from which payloads wait for each other: more
// of them at once than processors would only take more memory.
const largeFrom = 64 << 10

// Check returns nil for an acceptable payload, else a JSON problem object with
// the code schema-violation. Its pointers begin at the transaction. The payload
// must be valid JSON.
func (r *Registry) Check(typ string, version int64, payload []byte) (problem []byte) {
	entry, known := r.schemas[key{typ, version}]
	if !known {
		return r.unregistered(typ)
	}
	// Custody goes before judgement: a fault of the checker must not keep a
	// transaction from being held.
	defer func() {
		if recover() != nil {
			problem = violation("The payload could not be checked against its schema.", whole("could not be checked"))
		}
	}()
	if len(payload) >= largeFrom {
		r.large <- struct{}{}
		defer func() { <-r.large }()
	}
	return entry.check(payload)
}

func (r *Registry) unregistered(typ string) []byte {
	if !r.quarantine {
		return nil
	}
	for k := range r.schemas {
		if k.typ == typ {
			return violation("No schema is registered for this version of the type.", place{Pointer: "/schema", Detail: "is not registered"})
		}
	}
	return violation("No schema is registered for this type.", place{Pointer: "/type", Detail: "is not registered"})
}

func (e registered) check(payload []byte) []byte {
	if reason := outOfReach(payload); reason != "" {
		return violation("The payload is beyond what can be checked against a schema.", whole(reason))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return violation("The payload could not be read.", whole("is not one JSON value"))
	}
	err = e.schema.Validate(value)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return violation(broken, whole("breaks the schema"))
	}
	return violation(broken, places(invalid, value, e.names)...)
}
