package attachment

import (
	"context"
	"errors"
	"io"
	"mime"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

// Store is the part of a store that attachments need.
type Store interface {
	store.Attachments
	store.Uploads
}

// Sites is N object stores behaving as one ([github.com/holdfast-sync/holdfast/objectstore/sites]).
type Sites interface {
	// Names are all sites, the ring's own first.
	Names() []string
	// Order is Names with first in front, and those that are down last.
	Order(first ...string) []string
	Up(site string) bool
	// At is one site; its calls fail at once while it is known to be down.
	At(site string) (objectstore.Store, bool)
	// Open reads where places say, then everywhere else, and goes on elsewhere when a site fails.
	Open(ctx context.Context, name string, offset, length int64, places ...string) (io.ReadCloser, objectstore.Info, error)
	// Where tells which sites hold an object, and which could not be asked.
	Where(ctx context.Context, name string) (held map[string]objectstore.Info, unknown []string, err error)
	// CopyTo copies an object to a site.
	CopyTo(ctx context.Context, name string, size int64, digest objectstore.Digest, to string, from ...string) error
}

// Limits bound what clients may upload. Zero values mean the defaults.
type Limits struct {
	MaxBytes    int64         // of one file; default 1 GiB
	MaxPutBytes int64         // of a file in one request; default 64 MiB
	PerDevice   int           // unfinished uploads of one device; default 100
	Types       []string      // media types that are taken, such as image/* or application/pdf; empty: all
	Expiry      time.Duration // an upload ends that long after its last request; default 24 h
}

// maxAge bounds an upload's life, in times of its expiry: what is older in a site is nobody's.
const maxAge = 7

func (l Limits) withDefaults() Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = 1 << 30
	}
	if l.MaxPutBytes == 0 {
		l.MaxPutBytes = min(64<<20, l.MaxBytes)
	}
	if l.PerDevice == 0 {
		l.PerDevice = 100
	}
	if l.Expiry == 0 {
		l.Expiry = 24 * time.Hour
	}
	return l
}

// Takes says whether a media type may be uploaded.
func (l Limits) Takes(contentType string) bool {
	if len(l.Types) == 0 {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	for _, allowed := range l.Types {
		if family, all := strings.CutSuffix(allowed, "/*"); all && strings.HasPrefix(kind, family+"/") || kind == allowed {
			return true
		}
	}
	return false
}

// Config is what a [Service] works with.
type Config struct {
	Store  Store
	Sites  Sites
	Spool  *Spool
	Logger *logrus.Logger
	Limits Limits
	// Copies is how many sites are to hold each file; default 1.
	Copies int
	// Node names this gateway in audit events.
	Node string
	Now  func() time.Time // nil: time.Now
	// Counted is told what became of requests and of background work; nil: nobody.
	Counted func(Count)
	// Round is how often the background work looks for something to do; default 15 s.
	Round time.Duration
}

// Count is something that happened, for metrics.
type Count struct {
	What  string // stored, held, read, copied, expired, restarted, mismatch or damaged
	Site  string // which holds it; empty where none does
	Bytes int64
}

// Validate says what is missing.
func (c Config) Validate() error {
	switch {
	case c.Store == nil || c.Sites == nil || c.Spool == nil:
		return errors.New("attachment: no store, no sites or no spool")
	case c.Logger == nil:
		return errors.New("attachment: no logger")
	case c.Copies < 0 || c.Copies > len(c.Sites.Names()):
		return errors.New("attachment: more copies than sites")
	case c.Limits.MaxBytes < 0 || c.Limits.MaxPutBytes < 0 || c.Limits.PerDevice < 0 || c.Limits.Expiry < 0:
		return errors.New("attachment: a limit is negative")
	}
	return nil
}

// Service takes, keeps and gives files. It remembers nothing that another node would need.
type Service struct {
	Config
	end   context.CancelFunc
	ended sync.WaitGroup
	fresh chan holdfast.Hash // stored here a moment ago, to be copied
	lanes chan struct{}      // one is held by each request that gives octets to a site
}

// maxLanes bounds how many requests give octets to sites at once: each costs the memory of a connection, and
// the others lose nothing by waiting, since their octets are in the spool.
const maxLanes = 16

// laneWithin is how long a request waits for one.
const laneWithin = time.Minute

// flushWithin bounds the work on octets that have come, and copyRate adds to it for what a site may have to copy, in bytes
// a second. It goes on when the client has gone.
const (
	flushWithin = time.Minute
	copyRate    = 8 << 20
)

// lane waits for one, and gives the context of the work in it. What has come is worth keeping also when the client
// has gone: it comes back for the answer.
func (s *Service) lane(ctx context.Context, size int64) (work context.Context, leave func(), err error) {
	ctx = context.WithoutCancel(ctx)
	late := time.NewTimer(laneWithin)
	defer late.Stop()
	select {
	case s.lanes <- struct{}{}:
	case <-late.C:
		return nil, nil, &holdfast.Error{Code: holdfast.CodeOverloaded, RetryAfter: 10 * time.Second, Detail: "The object stores take octets more slowly than they come."}
	}
	work, cancel := context.WithTimeout(ctx, flushWithin+2*time.Duration(size*int64(time.Second)/copyRate))
	return work, func() { cancel(); <-s.lanes }, nil
}

// New makes a service; [Service.Start] begins its background work.
func New(c Config) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Limits = c.Limits.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Counted == nil {
		c.Counted = func(Count) {}
	}
	if c.Copies == 0 {
		c.Copies = 1
	}
	if c.Round == 0 {
		c.Round = 15 * time.Second
	}
	return &Service{Config: c, fresh: make(chan holdfast.Hash, 1024), lanes: make(chan struct{}, maxLanes)}, nil
}

// Prefix is where attachments stand in a site.
const Prefix = "attachments/"

// ObjectName is an attachment's in every site.
func ObjectName(digest holdfast.Hash) string {
	text := digest.String()
	return Prefix + text[:2] + "/" + text
}

// DigestOf is the attachment of an object's name.
func DigestOf(name string) (holdfast.Hash, bool) {
	rest, ok := strings.CutPrefix(name, Prefix)
	if !ok || len(rest) < 3 {
		return holdfast.Hash{}, false
	}
	digest, ok := holdfast.ParseHash(rest[3:])
	return digest, ok && ObjectName(digest) == name
}

// event is the audit event of an attachment.
func (s *Service) event(ctx context.Context, action holdfast.AuditAction, digest holdfast.Hash) holdfast.AuditEvent {
	e := holdfast.AuditEvent{
		ID: holdfast.NewID(s.Now()), Action: action, Outcome: holdfast.OutcomeSuccess, Actor: holdfast.ActorFrom(ctx),
		Target:  holdfast.AuditTarget{Kind: "attachment", ID: digest.String()},
		Context: holdfast.RequestContextFrom(ctx), Address: holdfast.AddressFrom(ctx), Node: s.Node,
	}
	if action == holdfast.ActionLost {
		e.Outcome = holdfast.OutcomeFailure
	}
	return e
}
