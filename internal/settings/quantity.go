package settings

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written 512, 64KiB, 4MiB or 1GiB.
type Size int64

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// ParseSize reads what [Size.String] writes.
func ParseSize(text string) (Size, error) {
	for _, unit := range units {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/unit.bytes {
			break
		}
		return Size(n * unit.bytes), nil
	}
	return 0, errors.New("must be a number of bytes, for example 512, 64KiB or 4MiB")
}

// String writes the largest unit that leaves a whole number.
func (s Size) String() string {
	for _, unit := range units {
		if n := int64(s); n >= unit.bytes && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return "0"
}

// Rate is a number of requests in a minute; 0 is no limit.
type Rate int64

// rateAuto leaves the choice to the mode of authentication.
const rateAuto Rate = -1

func parseRate(text string) (Rate, error) {
	switch text {
	case "auto":
		return rateAuto, nil
	case "off":
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > 1_000_000_000 {
		return 0, errors.New("must be auto, off or a number of requests a minute")
	}
	return Rate(n), nil
}

// String writes what the file may hold.
func (r Rate) String() string {
	switch r {
	case rateAuto:
		return "auto"
	case 0:
		return "off"
	}
	return strconv.FormatInt(int64(r), 10)
}
