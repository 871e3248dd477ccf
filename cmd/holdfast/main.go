package main

import (
	"os"
	"time"
)

// version is set by the linker; see [buildVersion].
var version string

func main() {
	os.Exit(run(os.Args[1:], &console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), now: time.Now,
		terminal: isTerminal(os.Stdout), errTerminal: isTerminal(os.Stderr), guard: guardStderr,
	}))
}
