package redact

import "bytes"

// Stream masks lines that follow each other, so that a private key block that goes
// over many of them is masked to its end. It is for one goroutine.
type Stream struct {
	Scanner *Scanner
	inKey   int // lines of a key block that may still come
}

// maxKeyLines bounds a key block whose end never comes.
const maxKeyLines = 200

// Append appends one line, which does not contain its line feed, to dst.
func (s *Stream) Append(dst, line []byte) []byte {
	if s.inKey > 0 {
		s.inKey--
		end := bytes.Index(line, []byte("-----END"))
		switch {
		case end >= 0:
			s.inKey = 0
			tail := bytes.LastIndex(line, []byte("-----"))
			return s.Scanner.Append(append(dst, "[REDACTED]"...), line[tail+len("-----"):])
		case keyLine(line):
			return append(dst, "[REDACTED]"...)
		}
		s.inKey = 0
	}
	if begin := bytes.Index(line, []byte("-----BEGIN")); begin >= 0 {
		head := line[begin:min(len(line), begin+80)]
		if containsFold(head, "private") && !bytes.Contains(line[begin:], []byte("-----END")) {
			s.inKey = maxKeyLines
		}
	}
	return s.Scanner.Append(dst, line)
}

// keyLine says whether a line can belong to a key block: base64, perhaps behind a
// prefix such as a log's, a header of the block, or nothing.
func keyLine(line []byte) bool {
	line = bytes.TrimSpace(line)
	if i := bytes.LastIndexByte(line, ' '); i >= 0 && bytes.IndexByte(line, ':') < 0 {
		line = line[i+1:]
	}
	if len(line) == 0 || hasFold(line, "proc-type:") || hasFold(line, "dek-info:") || hasFold(line, "comment:") || hasFold(line, "version:") {
		return true
	}
	return run(line, 0, len(line), isBase64) == len(line)
}
