package audit

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// Store is what the audit log asks of a database.
type Store interface {
	store.Audit
	store.Segments
	store.Retention
}

// Archive is one object store site, in which sealed segments are kept.
type Archive interface {
	// Put keeps an object for ever; putting the same octets again is no error, others are [ErrOccupied].
	Put(ctx context.Context, name string, octets []byte) error
	// Get reads one; [ErrNoObject] when there is none.
	Get(ctx context.Context, name string) ([]byte, error)
}

// What an [Archive] may say.
var (
	ErrNoObject = errors.New("audit: no such object")
	ErrOccupied = errors.New("audit: the name is taken by something else")
)

// Zones tells a store's time zone.
type Zones struct {
	Default *time.Location // nil: UTC
	Shops   map[string]*time.Location
}

func (z Zones) of(shop string) *time.Location {
	if zone := z.Shops[shop]; zone != nil {
		return zone
	}
	if z.Default != nil {
		return z.Default
	}
	return time.UTC
}

// Redact masks text that goes into an event's details.
type Redact func(dst, text []byte) []byte

// Config is what a [Log] works with.
type Config struct {
	Store  Store
	Zones  Zones
	Node   string
	Redact Redact
	Now    func() time.Time // nil: time.Now
	Logger logrus.FieldLogger
}

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Store == nil || c.Redact == nil || c.Logger == nil {
		return errors.New("audit: a store, a redaction and a logger are needed")
	}
	return nil
}

// Log answers questions.
type Log struct{ Config }

// New makes one.
func New(c Config) (*Log, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Log{c}, nil
}

// unavailable translates a store's errors into those that callers are told.
func unavailable(err error) error {
	var own *holdfast.Error
	if err == nil || errors.As(err, &own) || errors.Is(err, context.Canceled) {
		return err
	}
	return &holdfast.Error{
		Code: holdfast.CodeBackendUnavailable, Detail: "The database can't be asked now.", RetryAfter: 2 * time.Second, Err: err,
	}
}
