package prefetch

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/holdfast-sync/holdfast"
)

// pieceBytes is how much is verified at a time: what a reader holds in memory, and what reading one byte costs.
const pieceBytes = 64 << 10

// errDamaged is a file in the cache that is not what its name says.
var errDamaged = errors.New("prefetch: a file in the cache is damaged")

// summer hashes what is written to it, as a whole and in pieces.
type summer struct {
	whole, piece hash.Hash
	sums         []holdfast.Hash
	size         int64
}

func newSummer() *summer { return &summer{whole: sha256.New(), piece: sha256.New()} }

// Write never fails.
func (s *summer) Write(p []byte) (int, error) {
	_, _ = s.whole.Write(p)
	for rest := p; len(rest) > 0; {
		n := min(pieceBytes-int(s.size%pieceBytes), len(rest))
		_, _ = s.piece.Write(rest[:n])
		s.size += int64(n)
		rest = rest[n:]
		if s.size%pieceBytes == 0 {
			s.cut()
		}
	}
	return len(p), nil
}

func (s *summer) cut() {
	s.sums = append(s.sums, holdfast.Hash(s.piece.Sum(nil)))
	s.piece.Reset()
}

// done is the digest of the whole and those of the pieces; nothing is written after it.
func (s *summer) done() (holdfast.Hash, []holdfast.Hash) {
	if s.size%pieceBytes != 0 {
		s.cut()
	}
	return holdfast.Hash(s.whole.Sum(nil)), s.sums
}

// reader reads a file of the cache and gives nothing that is not verified. It is for one goroutine.
type reader struct {
	f       *os.File
	size    int64
	sums    []holdfast.Hash
	at      int64
	loaded  int64  // the piece in buffer, -1: none
	buffer  []byte // made by the first Read
	damaged func() // told before the error is given
}

// Read gives octets of one piece.
func (r *reader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.load(r.at / pieceBytes); err != nil {
		return 0, err
	}
	n := copy(p, r.buffer[r.at%pieceBytes:])
	r.at += int64(n)
	return n, nil
}

// load reads a piece and compares its digest. A disk that can't read is as bad as one that reads something else.
func (r *reader) load(piece int64) error {
	if r.loaded == piece {
		return nil
	}
	if r.buffer == nil {
		r.buffer = make([]byte, min(pieceBytes, r.size))
	}
	r.loaded = -1
	start := piece * pieceBytes
	r.buffer = r.buffer[:min(pieceBytes, r.size-start)]
	_, err := r.f.ReadAt(r.buffer, start)
	if errors.Is(err, os.ErrClosed) {
		return err
	}
	if err != nil && !errors.Is(err, io.EOF) || holdfast.HashOf(r.buffer) != r.sums[piece] {
		r.damaged()
		return errDamaged
	}
	r.loaded = piece
	return nil
}

// Seek moves; beyond the end there is nothing to read.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	default:
		return 0, fmt.Errorf("prefetch: there is no whence %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("prefetch: nothing is before the beginning")
	}
	r.at = offset
	return offset, nil
}

// Close closes the file.
func (r *reader) Close() error { return r.f.Close() }
