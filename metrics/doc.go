// Package metrics counts what the gateway does, for Prometheus and Graphite.
//
// It is a leaf: it knows the nouns, and nobody knows it but cmd/holdfast, which
// hands its methods to those who have something to tell. Every gateway has a
// registry of its own.
//
// Names follow the conventions of Prometheus: the prefix holdfast_, seconds and
// bytes, _total for what only grows. Labels are bounded by the program, never by
// its callers: method, route, status, code, result, backend, operation and the
// like. No stream, store, device, user or token is ever one.
package metrics
