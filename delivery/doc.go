// Package delivery brings accepted transactions to the systems behind the gateway.
//
// Intake knows nothing of it: the planner reads the log behind intake and writes a row for each transaction
// and each consumer that wants it. Rows of one consumer that share a lane (an order key) are delivered strictly one
// after the other, lanes in parallel, stores in turn. Every node plans and every node delivers; what one has
// claimed belongs to it for a lease, under a generation that a late finisher does not have any more.
//
//	          ┌──────── lease ended, node stopped, passing failure (due later) ───────┐
//	          ▼                                                                        │
//	(log) ─▶ waiting ──claimed: first of its lane, earlier consumers done, due──▶ delivering ──confirmed──▶ delivered
//	          ▲   │                                                             │
//	   retry, │   └──────skip, give up (operator)──▶ skipped, failed            ├──permanent failure, tries used up──▶ held
//	   repair │                                         ▲                       └──the same, giveUp: fail──▶ failed
//	          └──────────────── held, quarantined ──────┘
//
// A delivery is recorded in the same Tx that makes due what comes behind it: the next of its lane, and the next consumers of the
// same transaction, which see its reference. So a crash loses nothing and repeats at most calls whose answers were not recorded,
// always under the same idempotency key (promises P2, P3, P6).
//
// A [Sender] speaks a protocol: packages rest and sftp.
package delivery
