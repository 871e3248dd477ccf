package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/holdfast-sync/holdfast"
	client "github.com/holdfast-sync/holdfast/client/go"
)

// MaxLine is the longest line that is read, in bytes: four times what a
// gateway takes in one request by default.
const MaxLine = 16 << 20

// LineError is a line that can't be sent. Line counts from 1.
type LineError struct {
	Line int64
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap is what is wrong with it.
func (e *LineError) Unwrap() error { return e.Err }

// File is what a journal is read from, once for all and later in pieces.
type File interface {
	io.Reader
	io.ReaderAt
}

// reader indexes a file.
type reader struct {
	file    File
	line    int64
	offset  int64
	byID    map[holdfast.ID]*building
	journal Journal
}

// building is a stream while it is read.
type building struct {
	*Stream
	origin map[client.Origin]uint32
	ids    []holdfast.ID
}

// Read reads a file from where it stands to its end. The error is a
// [LineError], or the file's own. report, when not nil, hears the bytes read so
// far, after each line.
func Read(file File, report func(bytes int64)) (*Journal, error) {
	r := &reader{file: file, byID: map[holdfast.ID]*building{}}
	lines := bufio.NewReaderSize(file, 1<<20)
	var long []byte
	for {
		text, err := next(lines, &long)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fail(r.line+1, err)
		}
		if len(text) > 0 {
			if err := r.take(text); err != nil {
				return nil, &LineError{Line: r.line, Err: err}
			}
			if report != nil {
				report(r.offset)
			}
		}
		if err != nil {
			return &r.journal, r.finish()
		}
	}
}

func fail(line int64, err error) error {
	if errors.Is(err, errTooLong) {
		return &LineError{Line: line, Err: err}
	}
	return fmt.Errorf("reading line %d: %w", line, err)
}

var errTooLong = fmt.Errorf("longer than %d bytes", MaxLine)

// next is the next line with its end. It is valid until the next call.
func next(lines *bufio.Reader, long *[]byte) ([]byte, error) {
	text, err := lines.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return text, err
	}
	*long = append((*long)[:0], text...)
	for errors.Is(err, bufio.ErrBufferFull) {
		text, err = lines.ReadSlice('\n')
		*long = append(*long, text...)
		if len(*long) > MaxLine {
			return nil, errTooLong
		}
	}
	return *long, err
}

// take adds a line. A blank one is passed over.
func (r *reader) take(text []byte) error {
	r.line++
	start := r.offset
	r.offset += int64(len(text))
	if r.line > math.MaxUint32 {
		return errors.New("a file has at most 4294967295 lines")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	l, err := readLine(text)
	if err != nil {
		return err
	}
	s := r.stream(l.stream)
	if want := s.Last() + 1; l.seq != want {
		return fmt.Errorf("seq is %d, and stream %s goes on with %d: a file has each stream from 1, in order, without gaps", l.seq, l.stream, want)
	}
	origin, ok := s.origin[l.origin]
	if !ok {
		origin = uint32(len(s.origins))
		s.origin[l.origin] = origin
		s.origins = append(s.origins, l.origin)
	}
	s.ids = append(s.ids, l.id)
	s.entries = append(s.entries, entry{
		offset: start + int64(locate(text, l.raw)), length: uint32(len(l.raw)), line: uint32(r.line),
		origin: origin, occurredAt: l.occurredAt.UnixMilli(),
	})
	r.journal.count++
	return nil
}

func (r *reader) stream(id holdfast.ID) *building {
	s := r.byID[id]
	if s == nil {
		s = &building{Stream: &Stream{ID: id, from: r.file}, origin: map[client.Origin]uint32{}}
		r.byID[id] = s
		r.journal.streams = append(r.journal.streams, s.Stream)
	}
	return s
}

// finish looks for an id that a stream has twice.
func (r *reader) finish() error {
	for _, s := range r.journal.streams {
		ids := r.byID[s.ID].ids
		order := make([]int32, len(ids))
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortFunc(order, func(a, b int32) int {
			if c := bytes.Compare(ids[a][:], ids[b][:]); c != 0 {
				return c
			}
			return int(a - b)
		})
		for i := 1; i < len(order); i++ {
			if a, b := order[i-1], order[i]; ids[a] == ids[b] {
				return &LineError{
					Line: int64(s.entries[b].line),
					Err:  fmt.Errorf("id %s is used before, in line %d", ids[b], s.entries[a].line),
				}
			}
		}
	}
	return nil
}
