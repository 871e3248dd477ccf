package redact

import (
	"bytes"
	"io"
	"sync"

	"github.com/sirupsen/logrus"
)

// Formatter masks what another formatter made of an entry: it works on the final
// bytes, so nothing that is formatted, nested or escaped gets around it. What it
// writes is one line.
type Formatter struct {
	Inner   logrus.Formatter
	Scanner *Scanner
}

// Format formats with the inner formatter and masks.
func (f *Formatter) Format(e *logrus.Entry) ([]byte, error) {
	line, err := f.Inner.Format(e)
	if err != nil {
		return nil, err
	}
	body := bytes.TrimSuffix(line, []byte("\n"))
	if f.Scanner.Clean(body) {
		return line, nil
	}
	return append(f.Scanner.Append(make([]byte, 0, len(line)+64), body), '\n'), nil
}

// Writer masks line by line what is written to it: the guard behind the
// formatter, for whatever writes without one. What is no whole line waits for its
// end, or for Close, and is cut at maxPartial.
type Writer struct {
	mu     sync.Mutex
	w      io.Writer
	stream Stream
	part   []byte
	out    []byte
}

// maxPartial bounds a line whose end has not come.
const maxPartial = 1 << 20

// NewWriter guards w.
func NewWriter(w io.Writer, s *Scanner) *Writer {
	return &Writer{w: w, stream: Stream{Scanner: s}}
}

// Write takes all of p, or reports what w said.
func (g *Writer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out = g.out[:0]
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			g.part = append(g.part, rest...)
			break
		}
		line := rest[:i]
		if len(g.part) > 0 {
			g.part = append(g.part, line...)
			line = g.part
		}
		g.out = append(g.stream.Append(g.out, line), '\n')
		g.part, rest = g.part[:0], rest[i+1:]
	}
	if len(g.part) > maxPartial {
		g.out = append(g.stream.Append(g.out, g.part), '\n')
		g.part = g.part[:0]
	}
	if len(g.out) == 0 {
		return len(p), nil
	}
	if _, err := g.w.Write(g.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what waits for its end.
func (g *Writer) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.part) == 0 {
		return nil
	}
	_, err := g.w.Write(append(g.stream.Append(nil, g.part), '\n'))
	g.part = nil
	return err
}
