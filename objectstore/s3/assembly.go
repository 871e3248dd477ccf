package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// MinPart is what every such service asks for: 5 MiB.
func (*Store) MinPart() int64 { return 5 << 20 }

func (s *Store) core() minio.Core { return minio.Core{Client: s.client} }

// Begin initiates a multipart upload.
func (s *Store) Begin(ctx context.Context, name string) (string, error) {
	if err := objectstore.CheckName(name); err != nil {
		return "", err
	}
	id, err := s.core().NewMultipartUpload(ctx, s.bucket, s.prefix+name, minio.PutObjectOptions{ContentType: "application/octet-stream"})
	return id, translate(err)
}

// PutPart uploads a part; its octets are not kept in memory.
func (s *Store) PutPart(ctx context.Context, name, id string, number int, size int64, digest objectstore.Digest, octets io.Reader) (objectstore.Part, error) {
	if err := objectstore.CheckName(name); err != nil {
		return objectstore.Part{}, err
	}
	if number < 1 || number > 10_000 {
		return objectstore.Part{}, fmt.Errorf("%w: a part has a number from 1 to 10000", objectstore.ErrName)
	}
	part, err := s.core().PutObjectPart(ctx, s.bucket, s.prefix+name, id, number, objectstore.Checked(octets, size, digest), size,
		minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(digest[:]), DisableContentSha256: true}) // as in Put
	return objectstore.Part{Number: number, Size: size, Tag: part.ETag}, translate(err)
}

// Complete asks for the object, looks before whether the name is taken (not every service heeds the
// condition on completing), and after whether all of it is there.
func (s *Store) Complete(ctx context.Context, name, id string, parts []objectstore.Part) error {
	if _, err := s.Stat(ctx, name); err == nil {
		_ = s.Abort(ctx, name, id)
		return objectstore.ErrExists
	} else if !errors.Is(err, objectstore.ErrNotFound) {
		return err
	}
	var size int64
	all := make([]minio.CompletePart, len(parts))
	for i, p := range parts {
		all[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.Tag}
		size += p.Size
	}
	options := minio.PutObjectOptions{}
	options.SetMatchETagExcept("*")
	_, err := s.core().CompleteMultipartUpload(ctx, s.bucket, s.prefix+name, id, all, options)
	if err = translate(err); err != nil {
		if errors.Is(err, objectstore.ErrExists) {
			_ = s.Abort(ctx, name, id)
		}
		return err
	}
	return s.made(ctx, name, size)
}

// made looks whether an object is there as it should be: a service that has said 200 may have failed all the same, and says
// so in the answer's body (Amazon S3, CopyObject and CompleteMultipartUpload).
func (s *Store) made(ctx context.Context, name string, size int64) error {
	info, err := s.Stat(ctx, name)
	switch {
	case errors.Is(err, objectstore.ErrNotFound):
		return fmt.Errorf("%w: the service did not make the object", objectstore.ErrUnavailable)
	case err == nil && info.Size != size:
		return fmt.Errorf("%w: the service made an object of %d bytes out of %d", objectstore.ErrUnavailable, info.Size, size)
	}
	return err
}

// Abort drops the multipart upload.
func (s *Store) Abort(ctx context.Context, name, id string) error {
	if err := objectstore.CheckName(name); err != nil {
		return err
	}
	err := translate(s.core().AbortMultipartUpload(ctx, s.bucket, s.prefix+name, id))
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	return err
}

// listedAtOnce is how many multipart uploads are asked for at a time.
const listedAtOnce = 1000

// Assemblies lists multipart uploads.
func (s *Store) Assemblies(ctx context.Context, prefix string) iter.Seq2[objectstore.Assembly, error] {
	return func(yield func(objectstore.Assembly, error) bool) {
		key, id := "", ""
		for {
			page, err := s.core().ListMultipartUploads(ctx, s.bucket, s.prefix+prefix, key, id, "", listedAtOnce)
			if err != nil {
				yield(objectstore.Assembly{}, translate(err))
				return
			}
			for _, u := range page.Uploads {
				name, ours := strings.CutPrefix(u.Key, s.prefix+prefix)
				if ours && !yield(objectstore.Assembly{Name: prefix + name, ID: u.UploadID, Began: u.Initiated.UTC()}, nil) {
					return
				}
			}
			if !page.IsTruncated || page.NextKeyMarker == "" || page.NextKeyMarker == key && page.NextUploadIDMarker == id {
				return
			}
			key, id = page.NextKeyMarker, page.NextUploadIDMarker
		}
	}
}

// Remove deletes a transient object.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := objectstore.CheckName(name); err != nil {
		return err
	}
	if !strings.HasPrefix(name, objectstore.Transient) {
		return fmt.Errorf("%w: only transient objects are taken away", objectstore.ErrName)
	}
	err := translate(s.client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}))
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	return err
}

// copyMost is the largest object that a service copies in one request.
const copyMost = 5 << 30

// Adopt has the service copy the object; the octets do not come here. The name is looked at before, and
// the copy is made under a condition that some services heed: two at once may copy the same octets twice.
func (s *Store) Adopt(ctx context.Context, from, to string) error {
	if !strings.HasPrefix(from, objectstore.Transient) || strings.HasPrefix(to, objectstore.Transient) || objectstore.CheckName(to) != nil {
		return fmt.Errorf("%w: only transient objects are adopted", objectstore.ErrName)
	}
	if _, err := s.Stat(ctx, to); err == nil {
		return objectstore.ErrExists
	} else if !errors.Is(err, objectstore.ErrNotFound) {
		return err
	}
	info, err := s.Stat(ctx, from)
	if err != nil {
		return err
	}
	if info.Size > copyMost {
		_, err = s.client.ComposeObject(ctx, minio.CopyDestOptions{Bucket: s.bucket, Object: s.prefix + to}, minio.CopySrcOptions{Bucket: s.bucket, Object: s.prefix + from})
		if err != nil {
			return translate(err)
		}
		return s.made(ctx, to, info.Size)
	}
	_, err = s.core().CopyObject(ctx, s.bucket, s.prefix+from, s.bucket, s.prefix+to, map[string]string{"If-None-Match": "*"},
		minio.CopySrcOptions{Bucket: s.bucket, Object: s.prefix + from}, minio.PutObjectOptions{})
	if status := minio.ToErrorResponse(err).StatusCode; status == http.StatusNotImplemented {
		_, err = s.core().CopyObject(ctx, s.bucket, s.prefix+from, s.bucket, s.prefix+to, nil,
			minio.CopySrcOptions{Bucket: s.bucket, Object: s.prefix + from}, minio.PutObjectOptions{})
	}
	if err != nil {
		return translate(err)
	}
	return s.made(ctx, to, info.Size)
}
