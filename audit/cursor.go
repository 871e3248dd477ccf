package audit

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast/store"
)

// settling is how long an event may appear behind later ones: events are ordered
// by the time their transaction began, and no statement may run for longer.
const settling = 10 * time.Second

// cursor is a place in a listing. In an ascending one it never goes further than what
// was settled when it was first read: a follower may see an event of the last
// [settling] twice (its id tells), and never misses one that was committed late.
type cursor struct {
	point store.AuditPoint
	// hold is where the end of the listing goes back to; zero: nothing was unsettled yet.
	hold       time.Time
	descending bool
}

func (c cursor) String() string {
	hold := int64(0)
	if !c.hold.IsZero() {
		hold = c.hold.UnixMicro()
	}
	order := "a"
	if c.descending {
		order = "d"
	}
	text := fmt.Sprintf("%s.%d.%d.%d", order, c.point.At.UnixMicro(), c.point.Position, hold)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// parseCursor reads what String wrote; false for anything else.
func parseCursor(text string) (c cursor, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > 128 {
		return cursor{}, false
	}
	parts := strings.Split(string(raw), ".")
	if len(parts) != 4 || parts[0] != "a" && parts[0] != "d" {
		return cursor{}, false
	}
	var n [3]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(parts[i+1], 10, 64); err != nil || n[i] < 0 {
			return cursor{}, false
		}
	}
	c = cursor{point: store.AuditPoint{At: time.UnixMicro(n[0]).UTC(), Position: n[1]}, descending: parts[0] == "d"}
	if n[2] > 0 {
		c.hold = time.UnixMicro(n[2]).UTC()
	}
	return c, c.String() == text
}
