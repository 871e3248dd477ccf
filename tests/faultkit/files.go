package faultkit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// TemporaryName is the usual sign of a file that is not complete: a dot in front,
// or .tmp, .temp, .part, .partial or .filepart at the end.
func TemporaryName(name string) bool {
	base := filepath.Base(name)
	if strings.HasPrefix(base, ".") {
		return true
	}
	return slices.Contains([]string{".tmp", ".temp", ".part", ".partial", ".filepart"}, filepath.Ext(base))
}

// Files are the complete files and what is in them. Names are relative to Dir, with
// slashes.
func (s *SFTPServer) Files() map[string][]byte {
	s.tb.Helper()
	files := map[string][]byte{}
	for _, name := range s.names(false) {
		octets, err := os.ReadFile(filepath.Join(s.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			s.tb.Fatal(err)
		}
		files[name] = octets
	}
	return files
}

// Leftovers are the names of temporary files that are there, in order.
func (s *SFTPServer) Leftovers() []string {
	s.tb.Helper()
	return s.names(true)
}

// names walks the folder, which may change meanwhile.
func (s *SFTPServer) names(temporary bool) (names []string) {
	_ = filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // it is gone
		}
		name, err := filepath.Rel(s.Dir, path)
		if err == nil && s.Temporary(name) == temporary {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	return names
}

// complete is how many complete files there are; unlike Files it fails no test.
func (s *SFTPServer) complete() int { return len(s.names(false)) }

// CheckFiles finds files that are missing, that differ in any octet, and that nobody
// wanted.
func CheckFiles(files, want map[string][]byte) error {
	var found []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		octets, there := files[name]
		switch {
		case !there:
			found = append(found, fmt.Errorf("file %s is missing", name))
		case !bytes.Equal(octets, want[name]):
			found = append(found, fmt.Errorf("file %s has %d octets that are not the %d wanted", name, len(octets), len(want[name])))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, wanted := want[name]; !wanted {
			found = append(found, fmt.Errorf("file %s is not wanted", name))
		}
	}
	return errors.Join(found...)
}

// CheckNames says whether the files have these names and no others; what is in them
// is not looked at.
func CheckNames(files map[string][]byte, want ...string) error {
	names := slices.Sorted(maps.Keys(files))
	if want := slices.Sorted(slices.Values(want)); !slices.Equal(names, want) {
		return fmt.Errorf("files %v, not %v", names, want)
	}
	return nil
}
