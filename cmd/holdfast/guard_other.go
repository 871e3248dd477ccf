//go:build !unix

package main

import (
	"errors"
	"os"
)

// guardStderr can't be done here: what the Go runtime writes when the program dies
// is not masked.
func guardStderr(...string) (*os.File, error) {
	return nil, errors.New("not on this operating system")
}
