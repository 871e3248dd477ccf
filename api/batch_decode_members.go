package api

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/jsonscan"
)

// nowhere is the index when the cursor is outside of the array.
const nowhere = -1

// members remembers which of the known members of an object were there.
type members uint16

// first says whether a known member comes for the first time. One that is
// repeated is refused and skipped: which one counts would be anybody's guess.
func (d *batchDecoder) first(seen *members, bit int, name string) bool {
	if *seen&(1<<bit) != 0 {
		d.wrong(name, "stands twice")
		d.s.Skip()
		return false
	}
	*seen |= 1 << bit
	return true
}

func (d *batchDecoder) require(seen members, bit int, name string) {
	if seen&(1<<bit) == 0 {
		d.wrong(name, "is required")
	}
}

// is says whether the next value is of the kind; one that is not is skipped.
func (d *batchDecoder) is(kind jsonscan.Kind, member, detail string) bool {
	if d.s.Kind() == kind {
		return true
	}
	d.s.Skip()
	d.wrong(member, detail)
	return false
}

// wrong notes an error of shape at a member of what is being read, or at that
// itself when member is empty.
func (d *batchDecoder) wrong(member, detail string) {
	if len(d.fields) >= maxFieldErrors || d.s.Err() != nil {
		return
	}
	pointer := ""
	if d.index != nowhere {
		pointer = "/transactions/" + strconv.Itoa(d.index)
	}
	if d.inEntity {
		pointer += "/entity"
	}
	if d.attachment != nowhere {
		pointer += "/attachments/" + strconv.Itoa(d.attachment)
	}
	if member != "" {
		pointer += "/" + member
	}
	d.fields = append(d.fields, holdfast.FieldError{Pointer: pointer, HasPointer: true, Detail: detail})
}

// number reads a whole number that is at least low; 0 if there is none.
func (d *batchDecoder) number(member string, low int64) int64 {
	n, ok := d.s.Int()
	if !ok || n < low {
		d.wrong(member, fmt.Sprintf("must be a whole number from %d to 9223372036854775807, without fraction or exponent", low))
		return 0
	}
	return n
}

// text reads a string of 1 to limit characters that a database and a file name
// can hold; not ok when there is none.
func (d *batchDecoder) text(member string, limit int) (b []byte, ok bool) {
	if !d.is(jsonscan.String, member, "must be a string") {
		return nil, false
	}
	b, clean := d.s.Text().Bytes()
	switch {
	case !clean:
		d.wrong(member, "must not hold U+0000 or half a surrogate pair")
	case len(b) == 0:
		d.wrong(member, "must not be empty")
	case len(b) > limit && utf8.RuneCount(b) > limit:
		d.wrong(member, fmt.Sprintf("must be at most %d characters", limit))
	default:
		return b, true
	}
	return nil, false
}

// name reads what [batchDecoder.text] reads, without control characters.
func (d *batchDecoder) name(member string, limit int) []byte {
	b, ok := d.text(member, limit)
	if ok && hasControl(b) {
		d.wrong(member, "must not hold control characters")
	}
	return b
}

func hasControl(b []byte) bool {
	for i := 0; i < len(b); {
		r, n := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(b[i:])
		}
		if r < ' ' || r >= 0x7f && unicode.IsControl(r) {
			return true
		}
		i += n
	}
	return false
}
