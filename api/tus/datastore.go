package tus

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/holdfast-sync/holdfast"
)

// dataStore gives tusd our uploads. The errors of [Uploads] go past tusd: it only sees that there was one.
type dataStore struct{ uploads Uploads }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// failed tells the answer what happened.
func failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if t := toldOf(ctx); t.err == nil { // tusd may ask on; the first one counts
		t.err = err
	}
	return handler.NewError("ERR_HOLDFAST", "see the problem document", http.StatusInternalServerError)
}

// NewUpload begins one.
func (d dataStore) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	u := holdfast.Upload{Size: info.Size, ContentType: info.MetaData["filetype"], Metadata: handler.SerializeMetadataHeader(info.MetaData)}
	u.Announced, _ = holdfast.ParseHash(info.MetaData["sha256"])
	u, err := d.uploads.Create(ctx, u)
	if err != nil {
		return nil, failed(ctx, err)
	}
	toldOf(ctx).upload = &u
	return &upload{d.uploads, u}, nil
}

// GetUpload finds one.
func (d dataStore) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	parsed, err := holdfast.ParseID(id)
	if err != nil {
		return nil, handler.ErrNotFound
	}
	u, err := d.uploads.Upload(ctx, parsed)
	if err != nil {
		return nil, failed(ctx, err)
	}
	toldOf(ctx).upload = &u
	return &upload{d.uploads, u}, nil
}

// AsTerminatableUpload is for DELETE.
func (d dataStore) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	one, _ := u.(*upload)
	return one
}

type upload struct {
	uploads Uploads
	holdfast.Upload
}

func (u *upload) finished() bool { return u.Finished != (holdfast.Hash{}) }

// GetInfo tells where the upload stands. One that is finished takes a PATCH from any offset: a client that
// does not know yet that the file is held learns it from the answer.
func (u *upload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	info := handler.FileInfo{ID: u.ID.String(), Size: u.Size, Offset: u.Offset, MetaData: handler.ParseMetadataHeader(u.Metadata)}
	if at, ok := ctx.Value(offsetKey{}).(int64); ok && u.finished() && at <= u.Size {
		info.Offset = at
	}
	return info, nil
}

// WriteChunk takes octets.
func (u *upload) WriteChunk(ctx context.Context, offset int64, octets io.Reader) (int64, error) {
	if u.finished() {
		return u.Size - offset, nil
	}
	now, kept, err := u.uploads.Append(ctx, u.ID, offset, octets)
	if err == nil || kept > 0 {
		u.Upload = now
		toldOf(ctx).upload = &now
	}
	if err == nil && u.finished() {
		return u.Size - offset, nil
	}
	return kept, failed(ctx, err)
}

// GetReader is not for clients: finished files are read under their digest.
func (*upload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, handler.ErrNotImplemented
}

// FinishUpload finishes an upload of nothing; all others are finished by their last octets.
func (u *upload) FinishUpload(ctx context.Context) error {
	if u.finished() {
		return nil
	}
	now, _, err := u.uploads.Append(ctx, u.ID, u.Offset, strings.NewReader(""))
	if err == nil {
		u.Upload = now
		toldOf(ctx).upload = &now
		if !u.finished() {
			err = errors.New("tus: an upload that is whole is not finished")
		}
	}
	return failed(ctx, err)
}

// Terminate forgets it.
func (u *upload) Terminate(ctx context.Context) error {
	return failed(ctx, u.uploads.End(ctx, u.ID))
}
