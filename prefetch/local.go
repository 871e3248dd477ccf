package prefetch

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

var (
	errIrregular = errors.New("prefetch: it is no regular file")
	errChanging  = errors.New("prefetch: it is being changed; it is taken when it is not")
)

// settle is how old a change must be: a file that is just being copied there would be taken half.
const settle = time.Second

// file refreshes a resource from its file.
func (l *Library) file(r Resource) func(context.Context) error {
	return func(ctx context.Context) error {
		fresh, err := l.copyFile(ctx, r, false, func() (*os.File, error) {
			return os.OpenFile(r.File, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not make us wait
		})
		l.noteLocal(ctx, r.Name, fresh, err)
		return err
	}
}

// noteLocal notes failures, and successes only when there is something to tell: files are looked at often.
func (l *Library) noteLocal(ctx context.Context, name string, fresh bool, err error) {
	switch {
	case ctx.Err() != nil: // nobody failed: we are stopped
	case errors.Is(err, errChanging): // as every file is that is just being put there
		l.record(name, err)
	case err != nil:
		l.note(name, Failed, shownDisk(err))
	case fresh:
		l.note(name, Fresh, nil)
	default:
		l.well(name)
	}
}

// copyFile takes a file into the cache unless it looks as when it was taken last. It says whether the octets are others.
func (l *Library) copyFile(ctx context.Context, r Resource, directory bool, open func() (*os.File, error)) (bool, error) {
	f, err := open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	held, known := l.current(r.Name)
	found := taken{Entry: Entry{Name: r.Name, Size: info.Size()}, directory: directory, print: info}
	switch age := time.Since(info.ModTime()); {
	case !info.Mode().IsRegular():
		return false, errIrregular
	case alike(known.print, info) && known.gone.IsZero() && known.directory == directory:
		return false, nil
	case info.Size() > l.cfg.MaxBytes:
		return false, errTooLarge
	case age >= 0 && age < settle:
		return false, errChanging
	}
	return l.copyOpen(ctx, f, r, held, found)
}

// copyOpen takes what is read, if the file is the same behind it as before.
func (l *Library) copyOpen(ctx context.Context, f *os.File, r Resource, held Entry, found taken) (bool, error) {
	same, err := l.stillHeld(ctx, f, r, held, found)
	if same || err != nil {
		return false, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	d, err := l.shelf.write(ctx, f, l.cfg.MaxBytes)
	if err != nil {
		return false, err
	}
	if after, err := f.Stat(); err != nil || !alike(found.print, after) || d.size != found.Size {
		l.shelf.discard(d)
		return false, errors.Join(errChanging, err)
	}
	found.SHA256 = d.digest
	found.Entry = r.labelled(found.Entry, "")
	return d.digest != held.SHA256 || held.Name == "", l.publish(d, found)
}

// stillHeld hashes a file that may be what is held, as all are after a restart: that writes nothing.
func (l *Library) stillHeld(ctx context.Context, f *os.File, r Resource, held Entry, found taken) (bool, error) {
	if held.Name == "" || held.Size != found.Size {
		return false, nil
	}
	sum := newSummer()
	if _, err := io.Copy(sum, interruptible{ctx, f}); err != nil {
		return false, err
	}
	after, err := f.Stat()
	digest, _ := sum.done()
	if err != nil || digest != held.SHA256 || !alike(found.print, after) {
		return false, err
	}
	found.SHA256 = digest
	found.Entry = r.labelled(found.Entry, "")
	return l.confirm(found)
}

// openBelow opens a file of a folder, and nothing outside, wherever links lead.
func openBelow(root *os.Root, name string) func() (*os.File, error) {
	return func() (*os.File, error) { return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) }
}

// visible says whether a folder's entry can be a resource, or hold some.
func visible(d fs.DirEntry) bool { return d.Name()[0] != '.' || d.Name() == directoryName }
