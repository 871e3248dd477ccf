// Package postgres keeps streams in PostgreSQL, for any number of nodes side by side.
//
// One goroutine of a node writes (more can be asked for). It takes every step that waits, and
// hands all of them to the server in one statement with arrays: it compares and
// moves the heads, and appends batches and transactions for those that moved.
// The statement is its own Tx, so a group costs one round trip and one fsync. Looks
// at streams are carried together in the same way. Payloads are text, as they came.
//
// If somebody's id or correlation id is held, the statement fails as a whole, and
// the group is halved until the culprit stands alone: no neighbour suffers.
package postgres
