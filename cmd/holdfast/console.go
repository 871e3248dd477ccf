package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// console is what a command sees of the process that it runs in.
type console struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	now      func() time.Time
	// terminal and errTerminal say whether out and err are one.
	terminal, errTerminal bool
	// guard masks what the runtime writes to the error output; nil in tests.
	guard func(options ...string) (*os.File, error)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// outputFlag is how a command writes its result.
type outputFlag struct {
	Output string `enum:"text,json" default:"text" help:"How to write the result: text or json."`
}

// write puts out the result: as JSON, or by calling text.
func (o outputFlag) write(con *console, result any, text func(w io.Writer)) error {
	if o.Output == "json" {
		return writeJSON(con.out, result)
	}
	text(con.out)
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes rows under a heading, in columns.
func table(w io.Writer, heading []any, rows [][]any) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer func() { _ = t.Flush() }()
	for _, row := range append([][]any{heading}, rows...) {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, cell)
		}
		fmt.Fprintln(t)
	}
}
