// Package sqlite keeps streams in one SQLite file (pure Go, WAL,
// synchronous=FULL). It is the embedded default: one process, one writer, many
// readers.
//
// One goroutine writes. It takes every step that waits, applies each in turn
// inside one BEGIN IMMEDIATE, commits once, and answers all. A step that
// conflicts is left out without undoing its neighbours. Rows are appended: tables
// are in rowid order, streams go by small integers, ids are 16 bytes.
package sqlite
