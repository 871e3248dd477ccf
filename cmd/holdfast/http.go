package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/auth"
	"github.com/holdfast-sync/holdfast/internal/health"
	"github.com/holdfast-sync/holdfast/middleware"
)

// The times of a connection. A request has 10 s for its headers and 30 s for its
// body, and is answered within 10 s of that; the rest is for slow readers.
const (
	readHeaderTimeout = 10 * time.Second
	writeTimeout      = 75 * time.Second
	idleTimeout       = 2 * time.Minute
	// maxHeaderBytes is where net/http stops reading; the limit that clients are
	// told about is lower, and answered with more words.
	maxHeaderBytes = 2 * middleware.DefaultMaxHeaderBytes
)

func (n *node) makeServer() error {
	handler, err := n.makeHandler()
	if err != nil {
		return err
	}
	n.server = &http.Server{
		Handler: handler, ConnState: middleware.ConnState, ErrorLog: httpErrors(n.log),
		ReadHeaderTimeout: readHeaderTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // OPTIONS * is answered by us, like all else
	}
	n.atEnd(func(context.Context) error { return n.server.Close() })
	return nil
}

// makeHandler puts the middlewares around the routes, in the order that package
// middleware describes.
func (n *node) makeHandler() (http.Handler, error) {
	authenticator, err := n.makeAuthenticator()
	if err != nil {
		return nil, err
	}
	limits := n.settings.Limits
	bodies, err := middleware.NewBodies(middleware.BodyLimits{
		MaxBytes: int64(limits.MaxBytes), MaxTransactions: limits.MaxTransactions, MaxMemory: int64(limits.InFlightBytes),
	})
	if err != nil {
		return nil, err
	}
	admission, err := n.makeAdmission()
	if err != nil {
		return nil, err
	}
	uploads, err := n.uploads()
	if err != nil {
		return nil, err
	}
	server, err := api.New(api.Config{
		Attachments: attachmentsPort{n.attachments}, Uploads: uploads,
		Desk: n.desk, Prefetch: n.prefetch, Stopping: n.stopping,
		Streams: countedStreams{n.gateway, n.metrics}, Audit: n.auditLog, Admission: countedAdmission{admission, n.metrics}, Metrics: n.metrics, Health: healthPort{n}, Logger: n.log,
		Limits: api.Limits{
			MaxBytes: int64(limits.MaxBytes), MaxTransactions: int(limits.MaxTransactions), MaxFileBytes: int64(n.settings.Attachments.MaxBytes),
			MaxPutBytes: int64(n.settings.Attachments.MaxPutBytes), FileTypes: n.settings.Attachments.FileTypes(),
		},
	})
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Use(
		middleware.Protocol, middleware.ClientAddress(n.settings.Proxies()...), middleware.RequestContext,
		unless(isWatcher, n.traceRequests), middleware.Observe(requestWatcher{n}, time.Now),
		unless(isProbe, middleware.AccessLog(n.log, time.Now)), unless(isProbe, middleware.Audit(n.recorder)), middleware.Recover(n.log), middleware.HeaderLimits(0, 0), n.drain.Handler,
	)
	r.NotFound(api.NotFound)
	r.MethodNotAllowed(api.MethodNotAllowed(r))
	r.Group(func(r chi.Router) {
		r.Use(
			unless(waitsLong, middleware.InFlight(int(limits.Requests))), middleware.Authenticate(countedAuthenticator{authenticator, n.metrics}, server.Access),
			unless(withoutBody(server), middleware.JSONBody), unless(withoutBody(server), bodies.Handler),
		)
		server.Register(r)
	})
	return r, nil
}

// unless leaves a middleware out for some requests.
func unless(some func(*http.Request) bool, mw func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		wrapped := mw(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if some(r) {
				next.ServeHTTP(w, r)
				return
			}
			wrapped.ServeHTTP(w, r)
		})
	}
}

// isProbe says whether whoever looks after the process asks. It must be answered
// however much there is to do, and comes too often to be logged.
func isProbe(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }

// waitsLong says whether a request is not counted among those that run: probes, and devices that wait for changes, which have
// a limit of their own.
func waitsLong(r *http.Request) bool {
	return isProbe(r) || strings.HasPrefix(r.URL.Path, "/v1/streams/") && strings.HasSuffix(r.URL.Path, "/changes")
}

// isWatcher says whether somebody asks who comes all the time and is in no trace.
func isWatcher(r *http.Request) bool { return isProbe(r) || r.URL.Path == "/metrics" }

// withoutBody finds requests whose operation takes no body.
func withoutBody(server *api.Server) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return !server.Operation(r.Method, chi.RouteContext(r.Context()).RoutePattern()).HasBody
	}
}

func (n *node) makeAuthenticator() (middleware.Authenticator, error) {
	switch n.settings.Auth.Mode {
	case "open":
		return auth.Open{}, nil
	case "token":
		return auth.NewTokens(auth.TokensConfig{Store: n.watched})
	case "oidc":
		return n.makeOIDC()
	}
	return nil, fmt.Errorf("no mode of authentication is called %s", n.settings.Auth.Mode)
}

func (n *node) makeOIDC() (middleware.Authenticator, error) {
	s := n.settings.Auth.OIDC
	provider, err := auth.NewOIDC(auth.OIDCConfig{
		Issuer: s.Issuer, Audience: s.Audience, Log: n.log,
		Claims: auth.Claims{
			Device: s.Claims.Device, Shop: s.Claims.Store, User: s.Claims.User, Scope: s.Claims.Scope, ScopePrefix: s.ScopePrefix,
		},
	})
	if err != nil {
		return nil, n.settings.Wrong("auth.oidc.issuer", err.Error())
	}
	n.atEnd(func(context.Context) error { return provider.Close() })
	return provider, nil
}

// makeAdmission limits the rate of devices, over Redis for all nodes together.
func (n *node) makeAdmission() (*middleware.Admission, error) {
	most := n.settings.RequestsPerMinute()
	if most == 0 {
		return middleware.NewAdmission(n.drain, nil), nil
	}
	cfg := middleware.RateConfig{Limit: int(most)}
	if n.redis != nil {
		cfg.Shared = middleware.NewRedisCounter(middleware.RedisCounterConfig{Client: n.redis, Log: n.log})
	}
	rate, err := middleware.NewRateLimiter(cfg)
	if err != nil {
		return nil, err
	}
	return middleware.NewAdmission(n.drain, rate), nil
}

// healthPort is what the routes ask of the node's health.
type healthPort struct{ n *node }

// Health is how the parts are.
func (h healthPort) Health() api.HealthReport {
	r := h.n.health.Report()
	objects, state := map[string]string{}, r.State
	for site, err := range h.n.sites.Health() {
		if objects[site] = string(health.Up); err != nil {
			objects[site] = string(health.Down)
			if state == health.Up {
				state = health.Degraded
			}
		}
	}
	consumers := map[string]string{}
	for name, err := range h.n.deliveries.Health() {
		if consumers[name] = string(health.Up); err != nil {
			consumers[name] = string(health.Down)
			if state == health.Up {
				state = health.Degraded
			}
		}
	}
	return api.HealthReport{
		State: string(state), Name: "holdfast", ID: h.n.id, Ring: h.n.settings.Ring,
		Database: string(r.Database), Cache: string(r.Cache),
		Objects: objects, Consumers: consumers,
	}
}

// Ready is nil while requests should come here.
func (h healthPort) Ready(context.Context) error {
	if err := h.n.drain.Err(); err != nil {
		return err
	}
	if !h.n.health.Ready() {
		return &holdfast.Error{Code: holdfast.CodeBackendUnavailable, Detail: "The database can't be reached.", RetryAfter: 2 * time.Second}
	}
	return nil
}
