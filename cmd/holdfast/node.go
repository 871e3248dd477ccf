package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/attachment"
	"github.com/holdfast-sync/holdfast/audit"
	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/fastpath/memory"
	"github.com/holdfast-sync/holdfast/fastpath/redis"
	"github.com/holdfast-sync/holdfast/internal/health"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/metrics"
	"github.com/holdfast-sync/holdfast/middleware"
	"github.com/holdfast-sync/holdfast/objectstore/sites"
	"github.com/holdfast-sync/holdfast/redact"
	"github.com/holdfast-sync/holdfast/store"
	gateway "github.com/holdfast-sync/holdfast/sync"
	"github.com/holdfast-sync/holdfast/tracing"
)

// node is everything that one gateway runs.
type node struct {
	id       string
	settings *settings.Settings
	log      *logrus.Logger
	store    *lateStore
	watched  *watchedStore // store, as all parts use it
	metrics  *metrics.Metrics
	tracer   *tracing.Tracer // nil without
	redis    *goredis.Client // nil without
	gateway  *gateway.Gateway
	scanner  *redact.Scanner
	auditLog *audit.Log
	recorder *audit.Recorder
	sites    *sites.Sites

	attachments *attachment.Service
	schemas     gateway.Schemas
	deliveries  *delivery.Machine
	desk        *delivery.Desk
	prefetch    api.Prefetch // nil without
	// listening is what hears of the database's notices.
	listening sync.WaitGroup
	health    *health.Checker
	drain     *middleware.Drain
	server    *http.Server
	// headsDropped counts what was not sent to Redis; nil without.
	headsDropped func() int64
	// ends are undone in reverse by close.
	ends []func(context.Context) error
	// life is done when the node is to end.
	life context.Context //nolint:containedctx // it is the node's own life
	end  context.CancelFunc
	// stopping is done when no request is taken any more.
	stopping context.Context //nolint:containedctx // as life
	stop     context.CancelFunc
}

// newNode makes the parts and starts what works in the background. The database
// is opened later, by openDatabase.
func newNode(s *settings.Settings, logger *logrus.Logger) (*node, error) {
	scanner, err := newScanner(s)
	if err != nil {
		return nil, err
	}
	n := &node{id: newNodeID(), settings: s, log: logger, scanner: scanner, store: &lateStore{}, drain: &middleware.Drain{}}
	n.watched = &watchedStore{lateStore: n.store, n: n}
	n.life, n.end = context.WithCancel(context.Background())
	n.stopping, n.stop = context.WithCancel(n.life)
	for _, make := range []func() error{n.makeTracer, n.makeMetrics, n.makeAudit, n.makeGateway, n.makeHealth, n.makeAttachments, n.makeDeliveries, n.makePrefetch, n.makeServer, n.pushMetrics} {
		if err := make(); err != nil {
			n.close()
			return nil, err
		}
	}
	return n, nil
}

// newNodeID tells this process from others, for example 8c13a2@holdfast.
func newNodeID() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:]) + "@holdfast"
}

// atEnd has something done when the node ends, last come first served.
func (n *node) atEnd(end func(context.Context) error) { n.ends = append(n.ends, end) }

func (n *node) makeGateway() error {
	registry, err := openSchemas(n.settings)
	if err != nil {
		return n.settings.Wrong("schemas.types", err.Error())
	}
	hints, err := n.makeHints()
	if err != nil {
		return err
	}
	n.schemas = registry
	n.gateway, err = gateway.New(gateway.Config{
		Store: n.watched, Hints: hints, Hinted: n.hinted, Schemas: registry, Logger: n.log, Recorder: n.recorder, Redact: n.scanner.Append, Node: n.id,
		Copies: int(n.settings.Attachments.Copies), Delivering: func() bool { return len(n.deliveries.Names()) > 0 }, MaxWaiting: int(n.settings.Changes.MaxWaiting),
	})
	if err != nil {
		return err
	}
	n.gateway.Start()
	n.atEnd(func(ctx context.Context) error { n.gateway.Stop(ctx); return nil })
	return nil
}

// makeHints remembers in Redis when there is one, else in memory.
func (n *node) makeHints() (gateway.Hints, error) {
	if n.settings.RedisURL == "" {
		return memory.New(0), nil
	}
	var err error
	if n.redis, err = redis.NewClient(n.settings.RedisURL, n.log); err != nil {
		return nil, n.settings.Wrong("redisUrl", err.Error())
	}
	n.atEnd(func(context.Context) error { return n.redis.Close() })
	if err := n.traceRedis(); err != nil {
		return nil, err
	}
	hints, err := redis.New(redis.Config{Client: n.redis, Log: n.log})
	if err != nil {
		return nil, err
	}
	n.atEnd(func(context.Context) error { return hints.Close() })
	n.headsDropped = hints.Dropped
	return hints, nil
}

func (n *node) makeHealth() error {
	cfg := health.Config{Log: n.log, Database: func(ctx context.Context) error {
		if !n.store.provided() {
			return health.ErrNotYet // openDatabase tells what it waits for
		}
		return n.watched.Ping(ctx)
	}}
	if n.redis != nil {
		cfg.Cache = func(ctx context.Context) error { return n.redis.Ping(ctx).Err() }
	}
	var err error
	if n.health, err = health.New(cfg); err != nil {
		return err
	}
	n.health.Start()
	n.atEnd(func(ctx context.Context) error { n.health.Stop(ctx); return nil })
	return nil
}

// openDatabase opens it in the background and tells the result once: nil when
// requests can be served, else why they never will. A database that can't be
// reached now is tried again until the node ends.
func (n *node) openDatabase(b backend) <-chan error {
	result := make(chan error, 1)
	go func() {
		for attempt := 0; ; attempt++ {
			opened, err := b.ready(n.life, b.open, n.log)
			if err == nil {
				err = n.store.provide(opened)
				freeStart()
				n.health.Soon()
				result <- err // one that came too late was closed; nobody waits for it
				return
			}
			if b.embedded || !errors.Is(err, store.ErrUnavailable) || n.life.Err() != nil {
				result <- n.databaseError(err)
				return
			}
			n.log.WithError(err).WithField("attempt", attempt+1).Warn("the database can't be reached yet")
			select {
			case <-time.After(openPause(attempt)):
			case <-n.life.Done():
				result <- n.life.Err()
				return
			}
		}
	}()
	return result
}

// openPause grows from 250 ms to 4 s: a failover takes some seconds, and nodes
// that wait together must not be late by more than one pause.
func openPause(attempt int) time.Duration { return 250 * time.Millisecond << min(attempt, 4) }

// databaseError says which setting leads to a database that can't be used.
func (n *node) databaseError(err error) error {
	if n.settings.Embedded() {
		return failed("%w", err)
	}
	return failed("%w (%s)", err, settings.MaskURL(n.settings.DatabaseURL))
}

// serve answers requests until stopServing.
func (n *node) serve(listener net.Listener) <-chan error {
	served := make(chan error, 1)
	wrapped := middleware.WrapListener(listener, middleware.ListenerConfig{MaxConnections: int(n.settings.Limits.Connections)})
	go func() { served <- n.server.Serve(wrapped) }()
	return served
}

// stopServing waits for requests that run, at most for so long; then it breaks
// them off and answers an error.
func (n *node) stopServing(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.server.Shutdown(ctx); err != nil {
		return errors.Join(err, n.server.Close())
	}
	return nil
}

// closeWithin is how long the parts may take to end.
const closeWithin = 10 * time.Second

// close ends every part, the last one made first.
func (n *node) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	n.end()
	defer n.listening.Wait()
	for i := len(n.ends) - 1; i >= 0; i-- {
		if err := n.ends[i](ctx); err != nil {
			n.log.WithError(err).Warn("a part did not end well")
		}
	}
	n.ends = nil
}
