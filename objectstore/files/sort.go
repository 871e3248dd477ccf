package files

import (
	"io/fs"
	"slices"
	"strings"
)

// sortEntries orders as whole names would be: a folder counts with its slash.
func sortEntries(entries []fs.DirEntry) {
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(key(a), key(b)) })
}
