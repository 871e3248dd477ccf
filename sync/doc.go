// Package sync holds the rules of a stream.
package sync
