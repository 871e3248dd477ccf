// Package problem turns an error into a problem document (RFC 9457): the one
// table from code to status, and the one writer. It knows no resources.
package problem
