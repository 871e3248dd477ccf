package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-sync/holdfast/client/go/journal"
)

// input is the file that is sent; standard input is first written to a
// temporary file, because it is read again whenever something is sent again.
type input struct {
	*os.File
	ctx       context.Context
	temporary bool
}

func openInput(ctx context.Context, name string, stdin io.Reader) (*input, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			_ = f.Close()
			return nil, fmt.Errorf("%s is not a regular file; to send what another program writes, pipe it in and name the file -", name)
		}
		return &input{File: f, ctx: ctx}, nil
	}
	if stdin == nil {
		stdin = os.Stdin
	}
	f, err := os.CreateTemp("", "holdfast-send-*.jsonl")
	if err != nil {
		return nil, err
	}
	in := &input{File: f, ctx: ctx, temporary: true}
	if _, err = io.Copy(f, contextReader{ctx, stdin}); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return in, nil
}

// Read ends with the context.
func (in *input) Read(p []byte) (int, error) { return contextReader{in.ctx, in.File}.Read(p) }

// Close closes the file, and removes a temporary one.
func (in *input) Close() {
	_ = in.File.Close()
	if in.temporary {
		_ = os.Remove(in.Name())
	}
}

// read checks the whole file.
func (in *input) read(show *progress) (*journal.Journal, error) {
	size := int64(0)
	if info, err := in.Stat(); err == nil {
		size = info.Size()
	}
	return journal.Read(in, func(done int64) { show.reading(done, size) })
}

type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
