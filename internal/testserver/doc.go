// Package testserver starts private servers for tests: PostgreSQL and Redis,
// each in a temporary folder on a free loopback port. Nothing that happens to
// run is used, and nothing is left behind: a server dies with the process that
// started it, however that ends. A missing program fails the test and names the
// Debian package that has it.
package testserver
