package main

import (
	"net/http"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/extra/redisotel/v9"

	"github.com/holdfast-sync/holdfast/tracing"
)

// makeTracer comes before all that it traces, and so ends after it.
func (n *node) makeTracer() error {
	s := n.settings.Tracing
	if s.Endpoint == "" {
		return nil
	}
	var err error
	n.tracer, err = tracing.New(tracing.Config{
		Endpoint: s.Endpoint, Ratio: s.Ratio(), Version: buildVersion().Version, Node: n.id, Ring: n.settings.Ring, Report: n.reportTracing,
	})
	if err != nil {
		return n.settings.Wrong("tracing.endpoint", err.Error())
	}
	n.atEnd(n.tracer.Close)
	return nil
}

// reportTracing logs that traces are lost, and that they are no more.
func (n *node) reportTracing(err error) {
	if err != nil {
		n.log.WithError(err).Warn("traces can't be sent and are dropped")
		return
	}
	n.log.Warn("traces are sent again")
}

func (n *node) traceRequests(next http.Handler) http.Handler {
	if n.tracer == nil {
		return next
	}
	return n.tracer.Handler(next)
}

// tracePostgres is nil without traces. Statements are ours and constant;
// parameters are not recorded.
func (n *node) tracePostgres() pgx.QueryTracer {
	if n.tracer == nil {
		return nil
	}
	return otelpgx.NewTracer(otelpgx.WithTracerProvider(n.tracer.Provider()), otelpgx.WithDisableAcquireTracer())
}

func (n *node) traceRedis() error {
	if n.tracer == nil {
		return nil
	}
	return redisotel.InstrumentTracing(n.redis, redisotel.WithTracerProvider(n.tracer.Provider()), redisotel.WithDBStatement(false), redisotel.WithCallerEnabled(false))
}
