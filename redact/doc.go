// Package redact finds secrets and personal values in bytes that are on their way
// to a log, and masks them; and it encodes what could forge a line of that log.
//
// A line is looked at twice. The first look ([Scanner.Clean]) reads each byte once
// and leaves most lines alone; it may cry wolf. The second look decodes what a line
// hides (JSON and URL escapes, entities, control characters between letters) into
// a view that remembers where each byte came from, finds spans in it, and masks
// their sources. Both are written by hand, byte by byte: no regular expression,
// no backtracking, and every look ahead or back has a bound, so the cost is linear
// in the length of the line whatever stands in it.
//
// What is masked is written as [REDACTED], a payment card as [REDACTED 1234] with
// its last four digits. What is encoded is written as JSON escapes (\n, \u001b), so
// that a line of JSON stays one. Masking a masked line changes nothing.
package redact
