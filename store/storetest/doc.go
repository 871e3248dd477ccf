// Package storetest is the suite that every backend of package store must pass.
// A backend's own test calls [Run] with a function that opens a fresh store; the
// same fixtures serve [Bench].
package storetest
