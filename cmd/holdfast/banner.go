package main

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/settings"
)

// writeBanner greets a person with a line that can be tried at once. Its ids are
// new every time, so the first run of the line always begins a stream.
func writeBanner(w io.Writer, s *settings.Settings, address string, now time.Time) {
	base := "http://" + reachable(address)
	where := "PostgreSQL"
	if s.Embedded() {
		where = "one file in " + s.DataDir
	}
	header := ""
	if s.Auth.Mode != "open" {
		header = ` -H "Authorization: Bearer $HOLDFAST_TOKEN"`
	}
	fmt.Fprintf(w, `
Holdfast serves %s on %s. Reference: %s/docs

Run this line twice; the second answer says Idempotency-Replayed: true, and nothing is stored again:

curl -i %s/v1/streams/%s/batches -H 'Content-Type: application/json' -H 'Correlation-Id: %s'%s -d '{"transactions":[{"id":"%s","seq":1,"type":"pick.completed","occurredAt":"%s","payload":{"order":"A-17","sku":"4006381333931","quantity":3}}]}'

`, base, where, base, base, holdfast.NewID(now), holdfast.NewID(now), header, holdfast.NewID(now), now.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// reachable is an address that this machine can call.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
