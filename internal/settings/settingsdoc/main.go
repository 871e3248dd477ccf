// Command settingsdoc writes the reference of the settings to the file it is
// given; go generate runs it.
package main

import (
	"fmt"
	"os"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: settingsdoc FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(settings.Reference()), 0o644); err != nil { //nolint:gosec // a page of documentation
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
