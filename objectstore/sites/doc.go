// Package sites makes N object stores behave as one.
//
// An object is put into the first site that takes it, the ring's own before the others; a site that
// is known to be down is asked last. It is read where somebody knows it to be, then everywhere else, and a
// reader goes on at another site when one fails in the middle.
//
// A guard stands before each site:
//
//	up ──3 failures in a row, or one call without progress for Config.Patience──▶ down
//	up ──3 Pings in a row fail, or one hangs──▶ down
//	down ──a Ping in the background succeeds, every Config.Rest──▶ tried, by one request at a time
//	tried ──that succeeds, or the next Ping──▶ up
//	tried ──that fails──▶ down
//
// While a site is down every call fails at once: a dead site costs a request at most one Patience, and when it is
// known to be dead nothing. Only answers that the site is to blame for are failures: not a name that is taken, not
// an object that is not there, not a client that sends its octets slowly or goes away.
package sites
