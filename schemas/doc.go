// Package schemas decides by JSON Schema whether a payload is acceptable.
//
// A [Registry] holds one compiled schema per transaction type and version, read
// from files when the gateway starts; a schema that can't be compiled stops the
// start. A payload that breaks its schema is not refused: the transaction is
// taken into custody and quarantined with the problem that [Registry.Check]
// returns, so that it blocks nobody.
//
// The rules that are not obvious:
//
//   - Drafts 4 to 2020-12 are understood; a schema that names none is 2020-12.
//   - "format" is asserted in every draft: whoever writes "format": "date-time"
//     expects it to be checked. Formats that are not known are ignored.
//   - "$ref" leads to files under the folder of the configuration file, or to the
//     "$id" of another registered schema, and never to the network.
//   - Numbers that take more than 400 digits to write out without an exponent are
//     violations of their own: comparing 1e400000000 exactly would cost more
//     memory than there is. (In payloads without a schema such numbers are kept as
//     sent.) So are payloads of more than 100,000 values.
//   - Where a payload repeats a member's name the last one is checked.
//   - A problem names places and rules, never values: details are made from the
//     kind of the violation, and a member that the schema doesn't name is shown
//     as "*" in a pointer.
package schemas
