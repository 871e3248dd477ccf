// Package tracing makes spans of what the gateway does and sends them over
// OTLP/HTTP.
//
// What may be in a span is a list, and everything else is taken off before it is
// sent, whichever library put it there: no header but those of the request's
// context, no query, no body, no SQL parameter, no text of an error.
//
// Nothing here makes a request wait. At most 2048 spans wait to be sent; further
// ones are dropped. Nothing global of OpenTelemetry is set or used.
package tracing
