package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/sirupsen/logrus"
)

// ErrURL says that the address of Redis can't be read. Its text never holds the
// address, which may hold a password.
var ErrURL = errors.New("not an address of Redis: want redis://[user:password@]host:port[/number], or rediss:// for TLS")

// NewClient makes a client for an address such as redis://host:6379/0, for the
// hints and for everything else that must not wait for Redis: nothing is
// tried twice, connections are kept ready, and a deadline holds. Redis need not be
// there yet. What the library has to say goes to log at debug; the library
// has one logger for the process, so the last client's is used.
func NewClient(address string, log logrus.FieldLogger) (*goredis.Client, error) {
	opts, err := goredis.ParseURL(address)
	if err != nil {
		return nil, ErrURL
	}
	opts.ClientName = "holdfast"
	opts.MaxRetries = -1
	opts.DialTimeout = time.Second
	opts.DialerRetries = 1
	opts.ReadTimeout = time.Second
	opts.WriteTimeout = time.Second
	opts.PoolTimeout = time.Second
	opts.MinIdleConns = 2
	opts.ContextTimeoutEnabled = true
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	goredis.SetLogger(debugLogger{log})
	return goredis.NewClient(opts), nil
}

type debugLogger struct{ log logrus.FieldLogger }

// Printf is what the library calls.
func (l debugLogger) Printf(_ context.Context, format string, args ...any) {
	l.log.WithField("from", "go-redis").Debug(fmt.Sprintf(format, args...))
}
