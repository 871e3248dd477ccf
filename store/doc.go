// Package store is the contract between the rules of a stream and what keeps
// it: small roles, each implemented by every backend in a folder below
// (postgres, sqlite) and proved by the suite in storetest.
//
// A store knows no rules. It is asked for a [View], and it is given a decided
// step, an [Append], which it writes only if the stream's head is still the one
// the decision was made on: compare and move. So a decision made on stale
// knowledge costs a second look, never a wrong row, and no lock is held while
// anybody thinks. The step's transactions, its batch record (which is the
// idempotency record, the audit event and the mutation log's entry at once) and
// the head move in one database transaction, shared with the steps of other
// streams that were waiting at the same moment.
package store
