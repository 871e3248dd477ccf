// Package s3 keeps objects in a bucket of a service that speaks Amazon's S3. An
// object is put with If-None-Match: *, which such a service refuses when the name
// is taken (Amazon S3 since 2024, MinIO, Ceph, versitygw); Open tries whether it does.
package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// Store is a bucket. Nothing is asked of it before it is used.
type Store struct {
	client *minio.Client
	bucket string
	prefix string
}

// dialPatience bounds what a dead service costs; whoever calls bounds the rest, since some calls may take minutes.
const dialPatience = 3 * time.Second

// dial is another one in tests, where no name server knows the names of buckets.
var dial = (&net.Dialer{Timeout: dialPatience}).DialContext

// New makes a store of a location of kind s3.
func New(l objectstore.Location) (*Store, error) {
	transport := &http.Transport{
		DialContext: dial, TLSHandshakeTimeout: dialPatience,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	if l.CA != "" {
		roots, err := readCA(l.CA)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	client, err := minio.New(l.Host, &minio.Options{
		Creds: credentials.NewStaticV4(l.Key, l.Secret, ""), Secure: l.TLS, Region: l.Region, Transport: transport, MaxRetries: 1, // the sites above try again
		BucketLookup: styles[l.Style],
	})
	if err != nil {
		return nil, errors.New("objectstore: the host of site " + l.Site + " can't be one")
	}
	return &Store{client: client, bucket: l.Bucket, prefix: l.Prefix}, nil
}

// styles of addresses; a zero one is minio-go's choice.
var styles = map[string]minio.BucketLookupType{"path": minio.BucketLookupPath, "virtual": minio.BucketLookupDNS}

func readCA(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("objectstore: the file of ca can't be read: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("objectstore: %s holds no certificate in PEM", path)
	}
	return roots, nil
}

// Close does nothing: idle connections end by themselves.
func (*Store) Close() error { return nil }

// Ping looks whether the bucket is there.
func (s *Store) Ping(ctx context.Context) error {
	ok, err := s.client.BucketExists(ctx, s.bucket)
	if err == nil && !ok {
		return fmt.Errorf("%w: the bucket is not there", objectstore.ErrUnavailable)
	}
	return translate(err)
}

// PutsOnce tries whether the service refuses to overwrite, with an object of its own.
func (s *Store) PutsOnce(ctx context.Context) error {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	name := objectstore.Transient + "probe/" + hex.EncodeToString(random[:])
	defer func() { _ = s.Remove(context.WithoutCancel(ctx), name) }()
	for i, text := range []string{"once", "twice"} {
		err := s.Put(ctx, name, int64(len(text)), sha256.Sum256([]byte(text)), bytes.NewReader([]byte(text)))
		if i == 0 && err != nil {
			return err
		}
		if i == 1 && !errors.Is(err, objectstore.ErrExists) {
			return fmt.Errorf("%w: the service overwrites objects, it does not heed If-None-Match", objectstore.ErrUnavailable)
		}
	}
	return nil
}

// translate makes the contract's errors of the service's. None repeats a URL, a key or a header.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, objectstore.ErrMismatch) {
		return objectstore.ErrMismatch
	}
	answer := minio.ToErrorResponse(err)
	switch {
	case answer.Code == "NoSuchKey" || answer.Code == "NoSuchUpload" || answer.Code == "InvalidPart" || answer.StatusCode == http.StatusNotFound && answer.Code != "NoSuchBucket":
		return objectstore.ErrNotFound
	case answer.Code == "PreconditionFailed" || answer.StatusCode == http.StatusPreconditionFailed || answer.Code == "ConditionalRequestConflict":
		return objectstore.ErrExists
	case answer.Code == "InvalidRange":
		return objectstore.ErrRange
	case answer.Code != "":
		return fmt.Errorf("%w: the service says %s", objectstore.ErrUnavailable, answer.Code)
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return fmt.Errorf("%w: the service's certificate is not trusted", objectstore.ErrUnavailable)
	}
	return fmt.Errorf("%w: the service does not answer", objectstore.ErrUnavailable)
}

// Put puts under a condition; the service checks the digest before it shows the object.
func (s *Store) Put(ctx context.Context, name string, size int64, digest objectstore.Digest, octets io.Reader) error {
	if err := objectstore.CheckName(name); err != nil {
		return err
	}
	options := minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableContentSha256: true, // it is given: signing chunk by chunk would cost a megabyte of memory
		UserMetadata: map[string]string{"sha256": hex.EncodeToString(digest[:])},
	}
	options.SetMatchETagExcept("*")
	_, err := s.core().PutObject(ctx, s.bucket, s.prefix+name, objectstore.Checked(octets, size, digest), size, "", hex.EncodeToString(digest[:]), options)
	return translate(err)
}

// Stat asks for the head.
func (s *Store) Stat(ctx context.Context, name string) (objectstore.Info, error) {
	if err := objectstore.CheckName(name); err != nil {
		return objectstore.Info{}, err
	}
	info, err := s.client.StatObject(ctx, s.bucket, s.prefix+name, minio.StatObjectOptions{})
	return objectstore.Info{Name: name, Size: info.Size, ModTime: info.LastModified.UTC()}, translate(err)
}

// Get reads a range, in one request unless the range is empty.
func (s *Store) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, objectstore.Info, error) {
	if err := objectstore.CheckName(name); err != nil {
		return nil, objectstore.Info{}, err
	}
	if offset < 0 {
		return nil, objectstore.Info{}, objectstore.ErrRange
	}
	if length == 0 {
		return s.nothing(ctx, name, offset)
	}
	options := minio.GetObjectOptions{}
	if offset > 0 || length > 0 {
		last := int64(0) // to the end
		if length > 0 && length <= math.MaxInt64-offset {
			last = offset + length - 1
		}
		if err := options.SetRange(offset, last); err != nil {
			return nil, objectstore.Info{}, objectstore.ErrRange
		}
	}
	reader, found, header, err := s.core().GetObject(ctx, s.bucket, s.prefix+name, options)
	if err = translate(err); err != nil {
		if errors.Is(err, objectstore.ErrRange) { // at the end, or beyond
			return s.nothing(ctx, name, offset)
		}
		return nil, objectstore.Info{}, err
	}
	info := objectstore.Info{Name: name, Size: found.Size, ModTime: found.LastModified.UTC()}
	if _, whole, ranged := strings.Cut(header.Get("Content-Range"), "/"); ranged {
		if info.Size, err = strconv.ParseInt(whole, 10, 64); err != nil {
			_ = reader.Close()
			return nil, info, fmt.Errorf("%w: the service does not tell the size", objectstore.ErrUnavailable)
		}
	}
	return reader, info, nil
}

// nothing is what stands at an offset when it is not asked for, or when nothing follows.
func (s *Store) nothing(ctx context.Context, name string, offset int64) (io.ReadCloser, objectstore.Info, error) {
	info, err := s.Stat(ctx, name)
	if err == nil && offset > info.Size {
		err = objectstore.ErrRange
	}
	if err != nil {
		return nil, info, err
	}
	return io.NopCloser(bytes.NewReader(nil)), info, nil
}

// List asks for pages.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		options := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}
		if after != "" {
			options.StartAfter = s.prefix + after
		}
		for o := range s.client.ListObjectsIter(ctx, s.bucket, options) {
			if o.Err != nil {
				yield(objectstore.Info{}, translate(o.Err))
				return
			}
			if !yield(objectstore.Info{Name: o.Key[len(s.prefix):], Size: o.Size, ModTime: o.LastModified.UTC()}, nil) {
				return
			}
		}
	}
}
