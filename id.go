package holdfast

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"
)

// ID is a UUID (RFC 9562): 16 bytes, read in either case, written in lower case.
type ID [16]byte

var errID = errors.New("not a UUID: want 8-4-4-4-12 hexadecimal digits")

// ParseID reads the 36-character form of RFC 9562 section 4 and no other:
// no braces, no urn prefix, no form without hyphens.
func ParseID[T string | []byte](s T) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errID
	}
	at := 0
	for i := 0; i < 36; {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
			continue
		}
		high, low := hexValue[s[i]], hexValue[s[i+1]]
		if high|low > 0xf {
			return ID{}, errID
		}
		id[at] = high<<4 | low
		at++
		i += 2
	}
	return id, nil
}

// hexValue is the value of a hexadecimal digit, 0xff for every other byte.
var hexValue = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for i := range byte(10) {
		table['0'+i] = i
	}
	for i := range byte(6) {
		table['a'+i], table['A'+i] = 10+i, 10+i
	}
	return table
}()

// AppendTo appends the 36-character lower-case form.
func (id ID) AppendTo(b []byte) []byte {
	b = hex.AppendEncode(b, id[:4])
	for _, part := range [...][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return b
}

// String is the 36-character lower-case form.
func (id ID) String() string { return string(id.AppendTo(make([]byte, 0, 36))) }

// IsZero says whether the id was never set.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText writes the 36-character lower-case form.
func (id ID) MarshalText() ([]byte, error) { return id.AppendTo(make([]byte, 0, 36)), nil }

// UnmarshalText reads what [ParseID] reads.
func (id *ID) UnmarshalText(b []byte) error {
	parsed, err := ParseID(b)
	if err == nil {
		*id = parsed
	}
	return err
}

// NewID makes a UUID of version 7 (RFC 9562, section 5.7).
func NewID(now time.Time) (id ID) {
	_, _ = rand.Read(id[:]) // never fails
	for i, ms := 5, now.UnixMilli(); i >= 0; i, ms = i-1, ms>>8 {
		id[i] = byte(ms)
	}
	id[6], id[8] = id[6]&0xf|0x70, id[8]&0x3f|0x80
	return id
}
