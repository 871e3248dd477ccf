package attachment

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/holdfast-sync/holdfast"
)

// The size of parts: one that every S3 takes, and no more than 5000 of an upload.
const (
	leastPart = 5 << 20
	mostParts = 5000
)

// Append takes an upload over and keeps what comes from an offset on; the upload is as it is afterwards, and
// kept counts the octets. It fails with offset-mismatch when the upload stands elsewhere.
func (s *Service) Append(ctx context.Context, id holdfast.ID, offset int64, octets io.Reader) (u holdfast.Upload, kept int64, err error) {
	w, err := s.takeOver(ctx, id)
	if err != nil {
		return u, 0, err
	}
	if w.Finished == (holdfast.Hash{}) && w.Offset != offset {
		return w.Upload, 0, &holdfast.Error{Code: holdfast.CodeOffsetMismatch, Detail: fmt.Sprintf("The upload stands at %d, not at %d.", w.Offset, offset)}
	}
	kept, err = w.append(ctx, octets)
	return w.Upload, kept, err
}

// append keeps what comes and answers how many octets that were. An error of the client's connection
// ends it like the end of the octets: what came is kept. Only octets that make the upload whole and have the
// announced digest finish it; with another one it is forgotten, and digest-mismatch is answered.
func (w *session) append(ctx context.Context, octets io.Reader) (int64, error) {
	if w.Finished != (holdfast.Hash{}) {
		return 0, nil
	}
	if held, err := w.finishHeld(ctx, w.Announced); held || err != nil {
		return 0, err
	}
	var kept int64
	for {
		n, more, err := w.step(ctx, octets)
		kept += n
		if err != nil || !more {
			return kept, err
		}
	}
}

// finishHeld finishes an upload of what is held already.
func (w *session) finishHeld(ctx context.Context, digest holdfast.Hash) (bool, error) {
	if digest == (holdfast.Hash{}) {
		return false, nil
	}
	held, err := w.s.held(ctx, digest)
	if err != nil || !held {
		return false, explain(err)
	}
	a, err := w.s.Store.Attachment(ctx, digest)
	if err != nil {
		return false, explain(err)
	}
	if a.Size != w.Size {
		return true, w.refuse(ctx, &holdfast.Error{Code: holdfast.CodeDigestMismatch, Detail: fmt.Sprintf("The file with this SHA-256 has %d bytes, not %d.", a.Size, w.Size)})
	}
	return true, w.finished(ctx, a)
}

// step takes at most a part's octets and keeps them.
func (w *session) step(ctx context.Context, octets io.Reader) (kept int64, more bool, err error) {
	loose, part := w.state.loose(), max(leastPart, w.Size/mostParts)
	want := min(part-loose, w.Size-w.Offset)
	sp, err := w.s.Spool.take(ctx, loose+want)
	if err != nil {
		return 0, false, err
	}
	defer sp.drop()
	sum, err := w.cloneSum()
	if err != nil {
		return 0, false, explain(err)
	}
	got, failed := sp.fill(octets, loose, want, sum)
	if errors.Is(failed, errSpool) {
		return 0, false, full(failed)
	}
	if got == 0 && w.Size > 0 {
		return 0, false, nil
	}
	ctx, leave, err := w.s.lane(ctx, w.Size)
	if err != nil {
		return 0, false, err
	}
	defer leave()
	f := flush{session: w, spooled: sp, loose: loose, got: got, sum: sum}
	if w.Offset+got == w.Size {
		if err := f.finish(ctx); err != nil {
			return 0, false, err
		}
		return got, false, nil
	}
	if err := f.keep(ctx); err != nil {
		return 0, false, err
	}
	return got, failed == nil, nil
}

func (w *session) cloneSum() (hash.Hash, error) {
	if cloner, ok := w.sum.(hash.Cloner); ok {
		sum, err := cloner.Clone()
		return sum, err
	}
	return nil, errors.New("attachment: this SHA-256 can't be cloned")
}
