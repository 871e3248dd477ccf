// Load measures intake: a gateway process on each store, clients beside it on
// the same machine, requests of 1 and of 50 transactions; and in the same run
// the store alone taking the same rows, so that the ratio tells what the
// gateway itself costs.
//
//	go run ./tests/load --gateway bin/holdfast --stores sqlite,postgres --clients 1,16,64 --batches 1,50
//
// It starts its own PostgreSQL, talks to loopback addresses only, and ends by
// itself. With --rows it fills the tables first and measures on top of them.
package main
