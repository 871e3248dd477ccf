// Package client sends the transactions of a Go program to a Holdfast gateway,
// in order and once, whatever the network and the gateway do meanwhile.
//
// A [Client] knows the endpoints and the credentials. A [Stream] sends one
// ordered queue, a [Source], one batch at a time:
//
//	slice → send → answer ─┬─ taken ─────────────→ check the digest, advance
//	  ↑                    ├─ no answer, 429, 5xx → wait, same bytes, same id
//	  ├────────────────────┼─ gap, higher epoch ──→ rewind to what is held
//	  ├────────────────────┼─ 400, 413, 415, 422 → a smaller slice
//	  └────────────────────┴─ stale site, fenced ─→ the next endpoint
//
// What it guarantees:
//
//   - The bytes of a transaction are sent as the source gives them, always.
//   - A batch's correlation id is made from its stream and its bytes. A retry,
//     also one by another process a day later, is answered as a replay; another
//     slicing is another id.
//   - Only a gateway's word counts. An answer without Holdfast-Protocol, cut
//     short, or about other transactions is no answer, and is retried.
//   - It retries for ever, with full jitter; the caller's context ends it. A
//     Retry-After is a floor with a spread on top, so that many clients do not
//     come back at once.
//   - Nothing counts as held unless the gateway's running digest at its
//     watermark is the one computed here over the same bytes.
//
// What stops a stream is typed: [RefusedError], [ForkedError], [DivergedError],
// [LostError], [CredentialsError]. A stream stops at a transaction the gateway
// refuses, because the number of that transaction must be filled before the
// next one is taken: to park it, something else must take its number for ever,
// and only the owner of the queue can decide and keep that. A Source is read,
// never written.
package client
