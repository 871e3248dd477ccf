package prefetch

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// maxFiles bounds a folder, which may be the wrong one.
const maxFiles = 10_000

const (
	errTooMany fault = "the directory has more than 10000 files"
	errNaming  fault = "the directory has files whose names can't be those of resources"
)

// directory refreshes all resources of the folder. Nothing is withdrawn by a look that could not see everything.
func (l *Library) directory(ctx context.Context) error {
	err := l.lookAround(ctx)
	if ctx.Err() == nil {
		l.noteLocal(ctx, directoryName, false, err)
	}
	return err
}

func (l *Library) lookAround(ctx context.Context) error {
	root, err := os.OpenRoot(l.cfg.Directory)
	if err != nil {
		return err
	}
	defer root.Close()
	names, misnamed, err := filesBelow(ctx, root)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, name := range names {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), l.tidy()) // what was seen is saved
		}
		if l.sources[name] == nil {
			l.takeBelow(ctx, root, name, seen)
		}
	}
	return errors.Join(l.withdraw(seen), misnamed)
}

// takeBelow takes one file; what is no regular one is passed over.
func (l *Library) takeBelow(ctx context.Context, root *os.Root, name string, seen map[string]bool) {
	fresh, err := l.copyFile(ctx, Resource{Name: name}, true, openBelow(root, name))
	if errors.Is(err, errIrregular) || errors.Is(err, fs.ErrNotExist) {
		return
	}
	seen[name] = true
	l.noteLocal(ctx, name, fresh, err)
}

// filesBelow are the names of what may be resources. Folders that links lead to are not followed. Names that can't be
// those of resources harm nothing but themselves.
func filesBelow(ctx context.Context, root *os.Root) (names []string, misnamed, err error) {
	err = fs.WalkDir(root.FS(), directoryName, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !visible(d) && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || !visible(d) || d.Type()&^fs.ModeSymlink != 0:
			return nil
		case !validName(name):
			misnamed = errNaming
			return nil
		case len(names) == maxFiles:
			return errTooMany
		}
		names = append(names, name)
		return nil
	})
	return names, misnamed, err
}
