package prefetch

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/sirupsen/logrus"
)

// Resource is one that the settings name; exactly one of File and URL is given.
type Resource struct {
	Name string // segments with slashes between, as in a URL's path
	File string
	URL  string // http or https; user info and query may be secret and are never shown
	// Required says that an app should not go offline without it.
	Required bool
	// Version is shown to people; default the first 12 hex digits of the SHA-256. Octets are listed under the one
	// that was set when they were last fetched or confirmed.
	Version string
	// ContentType goes before what the upstream says and what the name ends in.
	ContentType string
	// Refresh of this one, if another than Config.Refresh.
	Refresh time.Duration
}

// Outcome is what a refresh came to.
type Outcome string

// The outcomes.
const (
	Fresh   Outcome = "fresh"   // other octets than before
	Same    Outcome = "same"    // an upstream was asked and has nothing new
	Failed  Outcome = "failed"  // what was held stays
	Damaged Outcome = "damaged" // a file in the cache is not what it was
	Gone    Outcome = "gone"    // a file left the folder
)

// Config says what to hold. Zero values mean the defaults.
type Config struct {
	// Directory is a folder; every regular file below it is a resource that is not required, named by its path. Not
	// those that are hidden or below a hidden folder; a link counts when it leads to a file below Directory, as the
	// links of a mounted ConfigMap do.
	Directory string
	// Resources go before files of Directory with the same name.
	Resources []Resource
	// Cache is a folder on a disk that survives restarts, with room for two versions of everything.
	Cache string
	// Refresh is how often an upstream is asked; default 5 min, least 1 s.
	Refresh time.Duration
	// Patience is how long an upstream may make no progress; default 10 s.
	Patience time.Duration
	// MaxBytes is the size of the largest resource; default 64 MiB.
	MaxBytes int64
	// Transport reaches upstreams; default: one that follows the environment's proxy.
	Transport http.RoundTripper
	// Logger is told when something changes, fails, and recovers; nil: nobody.
	Logger logrus.FieldLogger
	// Now is time.Now unless told.
	Now func() time.Time
	// Changed is told what each refresh came to; of local files only what is not [Same]. It is called by several
	// goroutines and must return at once.
	Changed func(name string, outcome Outcome)
}

// Validate says what can't be. It shows no URL.
func (c Config) Validate() error {
	switch {
	case c.Cache == "" && (c.Directory != "" || len(c.Resources) > 0):
		return errors.New("prefetch: a cache folder is needed")
	case c.Refresh != 0 && c.Refresh < time.Second:
		return errors.New("prefetch: refresh must be at least 1 s")
	case c.MaxBytes < 0 || c.Patience < 0:
		return errors.New("prefetch: sizes and times must not be negative")
	case c.Directory != "" && within(c.Directory, c.Cache):
		return errors.New("prefetch: the cache must not be in the directory, or it would hold itself")
	}
	seen := map[string]bool{}
	for _, r := range c.Resources {
		if err := r.validate(); err != nil {
			return fmt.Errorf("prefetch: resource %q: %w", r.Name, err)
		}
		if seen[r.Name] {
			return fmt.Errorf("prefetch: resource %q is named twice", r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

// within says whether a path is a folder or below it.
func within(folder, path string) bool {
	folder, first := filepath.Abs(folder)
	path, second := filepath.Abs(path)
	below, third := filepath.Rel(folder, path)
	return errors.Join(first, second, third) == nil && filepath.IsLocal(below)
}

func (r Resource) validate() error {
	_, _, badType := mime.ParseMediaType(r.ContentType)
	switch {
	case !validName(r.Name):
		return errors.New("a name is segments with slashes between, at most 500 bytes")
	case (r.File == "") == (r.URL == ""):
		return errors.New("it has either a file or a url")
	case r.URL != "" && !validURL(r.URL):
		return errors.New("the url must be http or https, with a host and without fragment")
	case r.Refresh != 0 && r.Refresh < time.Second:
		return errors.New("refresh must be at least 1 s")
	case len(r.Version) > 100 || strings.ContainsFunc(r.Version, unicode.IsControl):
		return errors.New("a version is at most 100 bytes of text")
	case r.ContentType != "" && badType != nil:
		return errors.New("the content type can't be one")
	}
	return nil
}

// validName says whether something can be the name of a resource; files whose names can't are left out.
func validName(name string) bool {
	return fs.ValidPath(name) && name != directoryName && len(name) <= 500 && !strings.ContainsFunc(name, unicode.IsControl)
}

func validURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Fragment == ""
}
