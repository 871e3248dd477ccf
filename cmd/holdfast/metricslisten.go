package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/metrics"
	"github.com/holdfast-sync/holdfast/middleware"
)

// listenForMetrics serves GET /metrics on an address of its own, when the
// settings ask for one, until the node ends.
func (n *node) listenForMetrics() error {
	if n.settings.Metrics.Listen == "" {
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", n.settings.Metrics.Listen)
	if err != nil {
		return n.settings.Wrong("metrics.listen", fmt.Sprintf("%s can't be listened on (%v); choose another", n.settings.Metrics.Listen, listenReason(err)))
	}
	server := &http.Server{
		Handler: n.metricsHandler(), ErrorLog: httpErrors(n.log),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readHeaderTimeout, WriteTimeout: 30 * time.Second,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	n.atEnd(func(context.Context) error { return server.Close() })
	wrapped := middleware.WrapListener(ln, middleware.ListenerConfig{MaxConnections: maxScrapers})
	go func() { _ = server.Serve(wrapped) }()
	n.log.WithField("address", ln.Addr().String()).Info("listening for scrapes of the metrics")
	return nil
}

// maxScrapers at once; a scrape takes some milliseconds.
const maxScrapers = 32

// pushMetrics begins to push to Graphite, when the settings name one.
func (n *node) pushMetrics() error {
	s := n.settings.Metrics.Graphite
	if s.Address == "" {
		return nil
	}
	g, err := metrics.NewGraphite(metrics.GraphiteConfig{
		Address: s.Address, Prefix: s.Prefix, Interval: s.Interval, Gatherer: n.metrics.Gatherer(), Report: n.reportGraphite,
	})
	if err != nil {
		return err
	}
	n.atEnd(func(context.Context) error { return g.Close() })
	return nil
}

func (n *node) reportGraphite(err error) {
	if err != nil {
		n.log.WithError(err).Warn("metrics can't be pushed to Graphite")
		return
	}
	n.log.Warn("metrics are pushed to Graphite again")
}

func (n *node) metricsHandler() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Protocol, middleware.Recover(n.log), middleware.HeaderLimits(0, 0))
	r.NotFound(api.NotFound)
	r.MethodNotAllowed(api.MethodNotAllowed(r))
	serve := withToken(n.settings.Metrics.Token, n.serveMetrics)
	r.Get("/metrics", serve)
	r.Head("/metrics", serve)
	return r
}

func (n *node) serveMetrics(w http.ResponseWriter, r *http.Request) {
	api.WriteMetrics(w, r, n.metrics)
}

// withToken asks for a bearer token, unless it is empty. The comparison takes as
// long for any wrong one.
func withToken(token string, next http.HandlerFunc) http.HandlerFunc {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte(token))
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(sent)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeUnauthenticated, Detail: "The token of metrics.token is needed."})
			return
		}
		next(w, r)
	}
}
