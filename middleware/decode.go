package middleware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/holdfast-sync/holdfast"
)

// maxWindow is the largest window of a zstd frame (RFC 9659).
const maxWindow = 8 << 20

// errTooLong says that there are more bytes than are allowed.
var errTooLong = errors.New("more bytes than allowed")

// growing reads all of src, at most limit bytes, into a fresh buffer that grows
// only after its share has. first is the size it begins with.
func growing(ctx context.Context, src io.Reader, s *share, first, limit int64) ([]byte, error) {
	if err := s.grow(ctx, first); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, first)
	for {
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, errTooLong
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		case len(buf) < cap(buf):
			continue
		}
		size := min(2*int64(cap(buf)), limit+1)
		if err := s.grow(ctx, size); err != nil {
			return nil, err
		}
		old := int64(cap(buf))
		buf = append(make([]byte, 0, size), buf...)
		s.give(old)
	}
}

var gzipReaders sync.Pool

// gunzip decodes all members of a gzip stream (RFC 1952, 2.2: they may be
// concatenated). What follows the last one and is no member is an error.
func gunzip(ctx context.Context, encoded []byte, s *share, limit int64) ([]byte, error) {
	src := bytes.NewReader(encoded)
	zr, _ := gzipReaders.Get().(*gzip.Reader)
	var err error
	if zr == nil {
		zr, err = gzip.NewReader(src)
	} else {
		err = zr.Reset(src)
	}
	if err != nil {
		return nil, broken("gzip", err)
	}
	defer func() {
		_ = zr.Reset(bytes.NewReader(nil)) // lets go of the body; it fails, and the next Reset begins anew
		gzipReaders.Put(zr)
	}()
	decoded, err := growing(ctx, zr, s, min(4*int64(len(encoded))+512, limit+1), limit)
	if err != nil && !errors.Is(err, errTooLong) && holdfast.CodeOf(err) == holdfast.CodeInternal {
		return nil, broken("gzip", err)
	}
	return decoded, err
}

// zstdDecoder decodes into a buffer of the caller and never beyond it, so that it
// needs no window of its own. It is safe for many callers; each takes one of
// the decoders inside, of which there are as many as processors.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
})

// unzstd decodes all frames of a zstd stream. The size that a frame announces is
// believed only as far as memory was taken for it; when it turns out too small,
// the decoding begins again with twice as much.
func unzstd(ctx context.Context, encoded []byte, s *share, limit int64) ([]byte, error) {
	dec, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	var head zstd.Header
	if err := head.Decode(encoded); err != nil {
		return nil, broken("zstd", err)
	}
	size := min(max(4*int64(len(encoded)), 4<<10), limit+1)
	if head.HasFCS && !head.Skippable {
		if head.FrameContentSize > uint64(limit) {
			return nil, errTooLong
		}
		size = int64(head.FrameContentSize)
	}
	for {
		if err := s.grow(ctx, size); err != nil {
			return nil, err
		}
		decoded, err := dec.DecodeAll(encoded, make([]byte, 0, size))
		switch {
		case err == nil && int64(len(decoded)) > limit:
			return nil, errTooLong
		case err == nil:
			return decoded, nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return nil, broken("zstd", err)
		case size > limit:
			return nil, errTooLong
		}
		s.give(size)
		size = min(max(2*size, 4<<10), limit+1)
	}
}

func broken(name string, err error) error {
	return &holdfast.Error{
		Code: holdfast.CodeInvalidRequest, Err: err,
		Detail: fmt.Sprintf("The body is not what its content coding says: it can't be decoded as %s.", name),
		Fields: []holdfast.FieldError{{Header: "Content-Encoding", Detail: "does not fit the body"}},
	}
}
