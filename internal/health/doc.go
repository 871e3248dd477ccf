// Package health knows how the node is without asking anybody at the time of
// the question: every dependency is checked in the background, every two seconds,
// each with its own time limit, and questions are answered from what was seen
// last. An answer that is too old counts as none.
//
//	database UP, all else UP ──▶ UP
//	database UP, a cache DOWN ─▶ DEGRADED (and ready)
//	database DOWN or unknown ──▶ DOWN (and not ready)
package health
