package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-sync/holdfast/redact"
)

// RedactCmd is the filter of the product's own logs, for everybody's.
type RedactCmd struct {
	settingFlags
	Base64 bool `name:"base64" help:"Each line in is one base64-coded event, which may contain line breaks; each line out is that event in plain text."`
}

// Help is shown below the flags.
func (RedactCmd) Help() string {
	return `Reads the standard input, masks secrets and personal data, encodes what could forge a line, and writes one line for each.
Lines may be of any length. Keys and patterns of redaction.keys and redaction.patterns are masked as well. Exit code 1 when
a line of --base64 is none; its place is kept by a line that says so.

Examples:
  kubectl logs deploy/shop | holdfast redact
  base64 -w0 event.bin | holdfast redact --base64`
}

// chunk is how much of a line is held at once; a longer one is masked in parts
// that are cut at blanks.
const chunk = 16 << 20

// Run filters until the input ends.
func (c *RedactCmd) Run(con *console) error {
	s, err := c.load(con)
	if err != nil {
		return err
	}
	scanner, err := newScanner(s)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(con.out, 64<<10)
	f := &filter{stream: redact.Stream{Scanner: scanner}, out: out, base64: c.Base64}
	err = f.all(bufio.NewReaderSize(con.in, 256<<10))
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = failed("the output can't be written: %w", flushed)
	}
	if err == nil && f.wrong > 0 {
		err = failed("%d lines were not base64, the first is line %d", f.wrong, f.first)
	}
	return err
}

// filter writes one line for each line it reads.
type filter struct {
	stream redact.Stream
	out    *bufio.Writer
	base64 bool
	lines  int
	wrong  int
	first  int
	buf    []byte
}

func (f *filter) all(in *bufio.Reader) error {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			f.line(line[:len(line)-1])
			line = line[:0]
			if in.Buffered() == 0 { // a person may be watching
				if err := f.out.Flush(); err != nil {
					return failed("the output can't be written: %w", err)
				}
			}
		case errors.Is(err, bufio.ErrBufferFull):
			if len(line) >= chunk && !f.base64 {
				cut := bytes.LastIndexByte(line, ' ') + 1
				if cut == 0 {
					cut = len(line)
				}
				f.write(line[:cut])
				line = append(line[:0], line[cut:]...)
			}
		case errors.Is(err, io.EOF):
			if len(line) > 0 {
				f.line(line)
			}
			return nil
		default:
			return failed("the input can't be read: %w", err)
		}
	}
}

// line writes one line; what ended it in the input, CR LF or LF, ends it here.
func (f *filter) line(line []byte) {
	f.lines++
	end := "\n"
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line, end = line[:n-1], "\r\n"
	}
	if f.base64 {
		end = "\n"
		event := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
		n, err := base64.StdEncoding.Decode(event, line)
		if err != nil {
			f.wrong++
			if f.first == 0 {
				f.first = f.lines
			}
			fmt.Fprint(f.out, "[not base64]\n")
			return
		}
		line = event[:n]
	}
	f.write(line)
	_, _ = f.out.WriteString(end) // the error comes again with Flush
}

func (f *filter) write(line []byte) {
	f.buf = f.stream.Append(f.buf[:0], line)
	_, _ = f.out.Write(f.buf)
}
