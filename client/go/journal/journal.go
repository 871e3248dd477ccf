package journal

import (
	"fmt"
	"io"
	"time"

	"github.com/holdfast-sync/holdfast"
	client "github.com/holdfast-sync/holdfast/client/go"
)

// Journal is a file that was read once and found whole.
type Journal struct {
	streams []*Stream
	count   int64
}

// Streams are those of the file, in the order of their first lines.
func (j *Journal) Streams() []*Stream { return j.streams }

// Count is how many transactions all streams have.
func (j *Journal) Count() int64 { return j.count }

// Stream is one stream of a file; it is a [client.Source].
type Stream struct {
	ID holdfast.ID

	from    io.ReaderAt
	entries []entry
	origins []client.Origin // most streams have a handful
}

// entry is where a transaction stands.
type entry struct {
	offset     int64
	length     uint32
	line       uint32
	origin     uint32
	occurredAt int64 // milliseconds since 1970
}

var _ client.Source = (*Stream)(nil)

// Last is the number of transactions.
func (s *Stream) Last() int64 { return int64(len(s.entries)) }

// Line is the line of the file that a transaction stands in, 0 when there is none.
func (s *Stream) Line(seq int64) int64 {
	if seq < 1 || seq > s.Last() {
		return 0
	}
	return int64(s.entries[seq-1].line)
}

// Transaction reads one from the file and checks that it still is the one
// that was there.
func (s *Stream) Transaction(seq int64) (client.Transaction, error) {
	if seq < 1 || seq > s.Last() {
		return client.Transaction{}, fmt.Errorf("the file has no transaction %d of this stream", seq)
	}
	e := &s.entries[seq-1]
	raw := make([]byte, e.length)
	if _, err := s.from.ReadAt(raw, e.offset); err != nil {
		return client.Transaction{}, fmt.Errorf("line %d: %w", e.line, err)
	}
	t, err := readTransaction(raw)
	if err != nil || t.seq != seq {
		return client.Transaction{}, fmt.Errorf("line %d: the file has changed since it was read", e.line)
	}
	return client.Transaction{ID: t.id, Raw: raw, Origin: s.origins[e.origin], OccurredAt: time.UnixMilli(e.occurredAt)}, nil
}
