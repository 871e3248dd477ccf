package sftp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast-sync/holdfast/delivery"
)

// Send writes the transaction's files. ctx bounds all of it.
func (s *Sender) Send(ctx context.Context, c *delivery.Call) delivery.Result {
	name, body, err := s.expand(c)
	if err != nil {
		return delivery.Result{Verdict: delivery.Permanent, Code: "template", Detail: err.Error()}
	}
	err = s.with(ctx, func(client *sftp.Client) error {
		w := writer{s: s, client: client, call: c}
		w.lookForEarlier()
		if err := w.attachments(ctx); err != nil {
			return err
		}
		return w.file(name, body)
	})
	if err != nil {
		return failure(ctx, err)
	}
	return delivery.Result{Verdict: delivery.Confirmed}
}

func (s *Sender) expand(c *delivery.Call) (name string, body []byte, err error) {
	if name, err = s.file.Expand(c.Data()); err != nil {
		return "", nil, err
	}
	if err := checkName(name); err != nil {
		return "", nil, err
	}
	body = append(append(body, c.Envelope...), '\n')
	if s.body != nil {
		text, err := s.body.Expand(c.Data())
		if err != nil {
			return "", nil, err
		}
		body = []byte(text)
		if s.cfg.JSON && !json.Valid(body) {
			return "", nil, fmt.Errorf("%w: the body is no JSON", delivery.ErrValue)
		}
	}
	return name, body, nil
}

// checkName wants a plain name: what is hidden or would lead elsewhere is none.
func checkName(name string) error {
	if name == "" || name[0] == '.' || len(name) > 200 || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%w: a file's name is empty, longer than 200 characters, begins with a dot or holds a slash", delivery.ErrValue)
	}
	return nil
}

// writer writes what belongs to one transaction.
type writer struct {
	s      *Sender
	client *sftp.Client
	call   *delivery.Call
	before []string // temporary files of attempts that were cut off
}

// lookForEarlier finds what earlier attempts of this delivery could not remove; who may not list the directory leaves it.
func (w *writer) lookForEarlier() {
	if w.call.Generation <= 1 {
		return
	}
	all, err := w.client.ReadDir(w.s.cfg.Directory)
	if err != nil {
		return
	}
	for _, info := range all {
		if strings.HasPrefix(info.Name(), ".") && strings.HasSuffix(info.Name(), ".part") {
			w.before = append(w.before, info.Name())
		}
	}
}

// removeEarlier removes what is left of this file. An attempt that still writes has lost its lease and can't rename any more.
func (w *writer) removeEarlier(name string) {
	for _, other := range w.before {
		var generation int64
		rest, own := strings.CutPrefix(other, fmt.Sprintf(".%s.%d-", name, w.call.Position))
		if _, err := fmt.Sscanf(rest, "%d.part", &generation); own && err == nil && generation < w.call.Generation {
			_ = w.client.Remove(path.Join(w.s.cfg.Directory, other))
		}
	}
}

// attachments come first: whoever sees the file finds them.
func (w *writer) attachments(ctx context.Context) error {
	if w.s.each == nil {
		return nil
	}
	for _, f := range w.call.Files {
		data := make(map[string]any, len(w.call.Data())+1)
		for name, value := range w.call.Data() {
			data[name] = value
		}
		data["file"] = map[string]any{"sha256": f.SHA256, "name": f.Name, "contentType": f.ContentType, "size": f.Size}
		name, err := w.s.each.Expand(data)
		if err == nil {
			err = checkName(name)
		}
		if err != nil {
			return err
		}
		if err := w.attachment(ctx, name, f); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) attachment(ctx context.Context, name string, f delivery.File) error {
	return w.once(name, f.Size, f.Digest, func() (io.ReadCloser, error) {
		r, err := w.call.Open(ctx, f.Digest)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAttachment, err)
		}
		return r, nil
	})
}

// file is the transaction's own, with what is asked for behind it.
func (w *writer) file(name string, body []byte) error {
	if err := w.text(name, body); err != nil {
		return err
	}
	if w.s.cfg.SHA256 {
		sum := sha256.Sum256(body)
		if err := w.text(name+".sha256", fmt.Appendf(nil, "%s  %s\n", hex.EncodeToString(sum[:]), name)); err != nil {
			return err
		}
	}
	if w.s.cfg.Done {
		return w.text(name+".done", nil)
	}
	return nil
}

func (w *writer) text(name string, body []byte) error {
	return w.once(name, int64(len(body)), sha256.Sum256(body), func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(body))), nil
	})
}

var (
	errConflict   = errors.New("a file of this name with other content is there")
	errShort      = errors.New("the server holds another size than was written")
	errAttachment = errors.New("an attachment can't be read")
)

// once makes a file of this content be there, whatever happened before.
func (w *writer) once(name string, size int64, digest [sha256.Size]byte, open func() (io.ReadCloser, error)) error {
	final := path.Join(w.s.cfg.Directory, name)
	w.removeEarlier(name)
	if there, err := w.same(final, size, digest); there || err != nil {
		return err
	}
	temporary := path.Join(w.s.cfg.Directory, fmt.Sprintf(".%s.%d-%d.part", name, w.call.Position, w.call.Generation))
	if err := w.write(temporary, size, digest, open); err != nil {
		_ = w.client.Remove(temporary) // else it is left: its name says whose it was
		return err
	}
	if err := w.client.Rename(temporary, final); err != nil {
		_ = w.client.Remove(temporary)
		// The name may be taken by an attempt that is older than this one.
		if there, again := w.same(final, size, digest); there || errors.Is(again, errConflict) {
			return again
		}
		return err
	}
	return nil
}

// same says whether the file is there; with other content it is a conflict.
func (w *writer) same(final string, size int64, digest [sha256.Size]byte) (bool, error) {
	info, err := w.client.Stat(final)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Size() != size || !info.Mode().IsRegular() {
		return false, errConflict
	}
	f, err := w.client.Open(final)
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, size+1)); err != nil {
		return false, err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != digest {
		return false, errConflict
	}
	return true, nil
}

// write writes all octets, has them synced where the server can (fsync@openssh.com), and looks at the size.
func (w *writer) write(temporary string, size int64, digest [sha256.Size]byte, open func() (io.ReadCloser, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := w.client.Create(temporary)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(onlyWriter{f}, io.TeeReader(source{io.LimitReader(r, size+1)}, sum))
	if err == nil {
		if _, can := w.client.HasExtension("fsync@openssh.com"); can {
			err = f.Sync()
		}
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("%w: it has another size than was named", errAttachment)
	}
	if [sha256.Size]byte(sum.Sum(nil)) != digest {
		return fmt.Errorf("%w: it is another one than was named", errAttachment)
	}
	info, err := w.client.Stat(temporary)
	if err == nil && info.Size() != size {
		err = errShort
	}
	return err
}

// source marks what could not be read, so that it is not taken for the server's fault.
type source struct{ io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errAttachment, err)
	}
	return n, err
}

// onlyWriter hides ReadFrom, which would guess the size and write ahead.
type onlyWriter struct{ io.Writer }

// failure says what went wrong, without anything that the server said.
func failure(ctx context.Context, err error) delivery.Result {
	r := delivery.Result{Verdict: delivery.Passing, Down: true, Code: "connection", Detail: "The connection broke."}
	var noConnection connecting
	var known *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	var timeout net.Error
	var status *sftp.StatusError
	switch {
	case errors.Is(err, errConflict):
		r = delivery.Result{Verdict: delivery.Permanent, Code: "conflict", Detail: "A file of this name with other content is there."}
	case errors.Is(err, delivery.ErrValue):
		r = delivery.Result{Verdict: delivery.Permanent, Code: "template", Detail: err.Error()}
	case errors.Is(err, errAttachment):
		r.Down, r.Code, r.Detail = false, "attachment", "An attachment can't be read."
	case errors.Is(err, errHostKey), errors.As(err, &known), errors.As(err, &revoked):
		r.Code, r.Detail = "host-key", "The host's key is not the one that is pinned."
	case errors.Is(ctx.Err(), context.Canceled):
		r.Down, r.Code, r.Detail = false, "interrupted", "The gateway broke the attempt off."
	case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
		r.Code, r.Detail = "timeout", "The file was not there in time."
	case errors.As(err, &noConnection):
		r.Code, r.Detail = unconnected(noConnection.error)
	case errors.Is(err, errShort):
		r.Code, r.Detail = "size", "The server holds another size than was written."
	case errors.Is(err, fs.ErrPermission):
		r.Code, r.Detail = "permission", "The server does not permit it."
	case errors.Is(err, fs.ErrNotExist):
		r.Code, r.Detail = "no-directory", "The directory is not there."
	case errors.As(err, &status):
		r.Code, r.Detail = "refused", fmt.Sprintf("The server answered with status %d; its disk may be full.", status.Code)
	case errors.As(err, &timeout) && timeout.Timeout():
		r.Code, r.Detail = "timeout", "The server did not answer in time."
	}
	return r
}

// unconnected tells a login that was refused from a host that can't be reached.
func unconnected(err error) (code, detail string) {
	var op *net.OpError
	switch {
	case strings.Contains(err.Error(), "unable to authenticate"):
		return "login", "The login was refused."
	case errors.As(err, &op) && op.Op == "dial":
		return "unreachable", "No connection can be made."
	case strings.Contains(err.Error(), "File:") || errors.Is(err, fs.ErrNotExist):
		return "credentials", "The files of the credentials can't be read."
	}
	return "connection", "The connection broke before the login."
}
