// Package holdfast holds the nouns of a sync gateway: what a device sends, what
// the gateway keeps, and the one error type with its codes.
//
// A device queues what a person does as [Transaction] values of one stream,
// numbered from 1 without gaps, and sends runs of them as a [Batch]. The
// gateway keeps each transaction once and in order, and answers with a
// [Receipt]. How far a stream has come is its [Head]; which history of the
// database that is true in is its epoch, a number that only grows.
//
// This package imports the standard library only. Every other package may
// import it; it knows none of them.
package holdfast
