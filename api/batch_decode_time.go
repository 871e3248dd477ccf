package api

import "time"

// isTime says whether b is a date-time of RFC 3339 section 5.6, T and Z in
// either case. package time is more generous (an hour of one digit, a comma, a
// zone of 24 hours). Second 60 is taken in any minute: whether there was a leap
// second then is not for a gateway to know, and a device could not get past a
// refusal.
func isTime(b []byte) bool {
	const date, clock = "0000-00-00T", "00:00:00"
	if len(b) < len(date+clock+"Z") || !like(b, date+clock) {
		return false
	}
	month, day := decimal(b[5:7]), decimal(b[8:10])
	hour, minute, second := decimal(b[11:13]), decimal(b[14:16]), decimal(b[17:19])
	if month < 1 || month > 12 || day < 1 || day > daysIn(decimal(b[:4]), month) {
		return false
	}
	if hour > 23 || minute > 59 || second > 60 {
		return false
	}
	return isZone(afterFraction(b[len(date+clock):]))
}

// afterFraction takes the fraction of a second off; none is one too.
func afterFraction(b []byte) []byte {
	if b[0] != '.' {
		return b
	}
	n := 1
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n == 1 {
		return nil
	}
	return b[n:]
}

func isZone(b []byte) bool {
	switch len(b) {
	case len("Z"):
		return b[0] == 'Z' || b[0] == 'z'
	case len("+00:00"):
		return (b[0] == '+' || b[0] == '-') && like(b[1:], "00:00") && decimal(b[1:3]) <= 23 && decimal(b[4:6]) <= 59
	}
	return false
}

// like says whether b begins like the pattern, in which a 0 is any digit.
func like(b []byte, pattern string) bool {
	for i := range len(pattern) {
		c, p := b[i], pattern[i]
		if p == '0' && (c < '0' || c > '9') || p == 'T' && c != 'T' && c != 't' || p != '0' && p != 'T' && c != p {
			return false
		}
	}
	return true
}

func decimal(digits []byte) (n int) {
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// timeOf reads a time that [isTime] let through; a leap second is the second before,
// and what is no time is none.
func timeOf(b []byte) time.Time {
	var buffer [maxOccurredAt]byte
	text := append(buffer[:0], b...)
	if len(text) > 18 {
		text[10] = 'T'
		if text[17] == '6' {
			text[17], text[18] = '5', '9'
		}
		if last := len(text) - 1; text[last] == 'z' {
			text[last] = 'Z'
		}
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
