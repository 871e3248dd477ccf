// Command store-day makes a store's day as a file for holdfast send: what the
// associates of one or more stores do on their devices, from opening to closing.
// The same flags make the same file, byte for byte.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "store-day:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	seed    uint64
	stores  int
	devices int
	date    time.Time
	bad     bool
}

func run(args []string, out, complaints io.Writer) error {
	var o options
	flags := flag.NewFlagSet("store-day", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.Uint64Var(&o.seed, "seed", 1, "another seed makes another day")
	flags.IntVar(&o.stores, "stores", 1, "how many stores, 1 to 1000")
	flags.IntVar(&o.devices, "devices", 9, "devices in each store, 1 to 99")
	date := flags.String("date", "2026-11-20", "the day")
	flags.BoolVar(&o.bad, "bad", false, "make the three transactions of bad.jsonl instead, two of which break their schemas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.date, err = time.Parse(time.DateOnly, *date); err != nil {
		return fmt.Errorf("--date: want a day like 2026-11-20")
	}
	if o.stores < 1 || o.stores > 1000 || o.devices < 1 || o.devices > 99 || flags.NArg() > 0 {
		return fmt.Errorf("want 1 to 1000 --stores, 1 to 99 --devices and nothing else")
	}
	w := bufio.NewWriter(out)
	if o.bad {
		err = writeBad(w, o)
	} else {
		err = writeDay(w, o)
	}
	if err != nil {
		return err
	}
	return w.Flush()
}
