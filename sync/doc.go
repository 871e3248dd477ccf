// Package sync holds the rules of a stream: what is taken, what is already held,
// what forks, what leaves a gap, what is quarantined, and how far a stream has
// come.
//
// A batch takes this way. Its correlation id is claimed on this node, so that a
// second copy arriving meanwhile is told to wait. If the stream's head is
// remembered ([Hints]) and the batch continues it, the step is tried at once;
// else the stream is looked at in the database. The pure function decide says
// what the batch is: new, a replay, a refusal, or not clear without looking at
// what is held. A new one becomes a [store.Append], which the store writes only
// if the stream still is as the decision saw it; if it is not, somebody else
// moved it, and the batch is decided again on what is true now.
//
// So there are no locks between nodes, a memory that lies costs one attempt, and
// every refusal was decided on a snapshot of the database, never on a hint.
//
//	claim ──▶ hint? ──continues──▶ append ──ok──▶ remember, answer
//	   │        │no                  │conflict
//	   ▼        ▼                    ▼
//	 409      look ◀─────────────────┘
//	           │
//	           └─▶ decide ─▶ append | replay | refuse | look closer ─▶ decide
package sync
