package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxFile bounds a schema file, in bytes.
const maxFile = 4 << 20

// scheme of the addresses that files have inside the compiler.
const scheme = "holdfast-schema"

// files reads schemas below one folder and nowhere else; symbolic links that
// lead out of it are not followed.
type files struct {
	dir  string
	root *os.Root
	docs map[string]any    // by address
	ids  map[string]string // $id of a registered file → its address
}

func openFiles(dir string) (*files, error) {
	if dir == "" {
		dir = "."
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &files{dir: dir, root: root, docs: make(map[string]any), ids: make(map[string]string)}, nil
}

func (f *files) close() { _ = f.root.Close() }

// add reads a registered file and returns its address.
func (f *files) add(name string) (string, error) {
	if filepath.IsAbs(name) {
		relative, err := filepath.Rel(f.dir, name)
		if err != nil {
			return "", err
		}
		name = relative
	}
	name = path.Clean(filepath.ToSlash(name))
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", fmt.Errorf("is not below %s, the folder of the configuration file", f.dir)
	}
	address := (&url.URL{Scheme: scheme, Path: "/" + name}).String()
	doc, err := f.read(address)
	if err != nil {
		return "", err
	}
	if object, ok := doc.(map[string]any); ok {
		if id, ok := object["$id"].(string); ok {
			f.ids[strings.TrimSuffix(id, "#")] = address
		}
	}
	return address, nil
}

// read answers for an address of ours or the $id of a registered file.
func (f *files) read(address string) (any, error) {
	if own, ok := f.ids[address]; ok {
		address = own
	}
	if doc, ok := f.docs[address]; ok {
		return doc, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != scheme {
		return nil, errors.New("refers to what is neither a file below the configuration's folder nor the $id of a registered schema; the network is never asked")
	}
	doc, err := f.readFile(strings.TrimPrefix(u.Path, "/"))
	if err == nil {
		f.docs[address] = doc
	}
	return doc, err
}

func (f *files) readFile(name string) (any, error) {
	file, err := f.root.Open(filepath.FromSlash(name))
	if err != nil {
		var reason *fs.PathError
		if errors.As(err, &reason) {
			err = reason.Err
		}
		return nil, fmt.Errorf("can't be read: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("can't be read: %w", err)
	case len(content) > maxFile:
		return nil, fmt.Errorf("is larger than %d bytes", maxFile)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	if reason := outOfReach(content); reason != "" {
		return nil, errors.New(reason)
	}
	return doc, nil
}

// loader hands the compiler of one schema its files, and notes the names of
// members that these files know.
type loader struct {
	files *files
	names names
}

func newLoader(f *files) *loader { return &loader{files: f, names: make(names)} }

// Load implements [jsonschema.URLLoader].
func (l *loader) Load(address string) (any, error) {
	doc, err := l.files.read(address)
	if err == nil {
		l.names.learn(doc)
	}
	return doc, err
}

// oneLine shortens the compiler's report, which is a tree, to its first two lines.
func oneLine(err error) string {
	var missing *jsonschema.LoadURLError
	if errors.As(err, &missing) {
		return fmt.Sprintf("$ref %s: %v", strings.TrimPrefix(missing.URL, scheme+":///"), missing.Err)
	}
	lines := strings.Split(strings.ReplaceAll(err.Error(), scheme+":///", ""), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines[i]), "- "))
	}
	if len(lines) > 2 {
		lines = lines[:2]
	}
	return strings.Join(lines, ": ")
}
