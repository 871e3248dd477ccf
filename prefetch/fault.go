package prefetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// fault is what went wrong with an upstream, in words of ours: what net/http says may hold the URL, and what an
// upstream answers may hold anything.
type fault string

// Error gives the words.
func (f fault) Error() string { return "prefetch: " + string(f) }

const (
	errStalled   fault = "the upstream makes no progress"
	errSlow      fault = "the upstream takes too long"
	errCut       fault = "the upstream's answer was cut"
	errElsewhere fault = "the upstream redirects to another host, or too often"
	errUnclear   fault = "the upstream's answer makes no sense"
	errOpenEnd   fault = "the upstream's answer has no length: whether it was cut can't be known"
	errEncoded   fault = "the upstream's answer is encoded, which was not asked for"
	errUnasked   fault = "the upstream says 304, but nothing was held"
	errNoHost    fault = "the upstream's host can't be found"
	errTrust     fault = "the upstream's certificate is not trusted"
)

// plain is an error of an upstream without addresses.
func plain(ctx context.Context, err error) error {
	var own fault
	var lookup *net.DNSError
	var trust *tls.CertificateVerificationError
	var number syscall.Errno
	var late net.Error
	switch {
	case errors.As(context.Cause(ctx), &own), errors.As(err, &own):
		return own
	case ctx.Err() != nil:
		return ctx.Err() // we are stopped
	case errors.As(err, &lookup):
		return errNoHost
	case errors.As(err, &trust):
		return errTrust
	case errors.As(err, &number):
		return fault("the upstream can't be reached: " + number.Error())
	case errors.As(err, &late) && late.Timeout():
		return errStalled
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errCut
	}
	return errUnclear
}

// errCache marks what the cache folder is to blame for.
var errCache = errors.New("the cache can't be written")

func cacheError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errCache, err)
}

// shownDisk is an error of the disk without paths, which are nobody's business who asks for health.
func shownDisk(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	var what string
	switch {
	case errors.As(err, &path):
		what = path.Op + ": " + path.Err.Error()
	case errors.As(err, &link):
		what = link.Op + ": " + link.Err.Error()
	default:
		return err
	}
	if errors.Is(err, errCache) {
		what = errCache.Error() + ": " + what
	}
	return fault(what)
}
