// Package harness runs the real binary for tests: nodes that can be killed,
// stopped, restarted and drained, on SQLite or on PostgreSQL; a client with a hand
// on every header and byte; and a proxy that cuts, delays and swallows.
package harness
