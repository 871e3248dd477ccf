// Package jsonscan reads JSON text (RFC 8259) once, without making values of
// it: a strict cursor for whoever needs a few members and the raw bytes of the
// rest, and exact equality of two values.
//
// It is stricter than encoding/json: the whole text must be valid UTF-8, nesting
// is bounded, and an exponent has at most 18 digits. What it accepts is kept as
// it came; it never changes or copies a byte.
package jsonscan
