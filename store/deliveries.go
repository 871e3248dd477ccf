package store

import (
	"slices"

	"github.com/holdfast-sync/holdfast"
)

// statuses are the numbers that every backend keeps. Those from 10 on are over.
var statuses = map[holdfast.DeliveryStatus]int16{
	holdfast.DeliveryWaiting: 0, holdfast.DeliveryDelivering: 1, holdfast.DeliveryQuarantined: 2, holdfast.DeliveryHeld: 3,
	holdfast.DeliveryDelivered: 10, holdfast.DeliverySkipped: 11, holdfast.DeliveryFailed: 12,
}

// StatusNumber is how the tables spell a status.
func StatusNumber(status holdfast.DeliveryStatus) int16 { return statuses[status] }

// StatusOf reads what [StatusNumber] wrote.
func StatusOf(number int16) holdfast.DeliveryStatus {
	for status, n := range statuses {
		if n == number {
			return status
		}
	}
	return ""
}

// DeedOf is what a verb leads to, and from which statuses.
func DeedOf(verb holdfast.Verb) (to holdfast.DeliveryStatus, from []holdfast.DeliveryStatus) {
	switch verb {
	case holdfast.VerbSkip:
		return holdfast.DeliverySkipped, []holdfast.DeliveryStatus{holdfast.DeliveryWaiting, holdfast.DeliveryHeld, holdfast.DeliveryQuarantined}
	case holdfast.VerbGiveUp:
		return holdfast.DeliveryFailed, []holdfast.DeliveryStatus{holdfast.DeliveryWaiting, holdfast.DeliveryHeld, holdfast.DeliveryQuarantined}
	case holdfast.VerbRepair:
		return holdfast.DeliveryWaiting, []holdfast.DeliveryStatus{holdfast.DeliveryHeld, holdfast.DeliveryQuarantined}
	}
	return holdfast.DeliveryWaiting, []holdfast.DeliveryStatus{holdfast.DeliveryWaiting, holdfast.DeliveryHeld}
}

// Allowed narrows the statuses asked for to those that a verb can be done to; none asked for are all of them.
func Allowed(asked, from []holdfast.DeliveryStatus) []holdfast.DeliveryStatus {
	if len(asked) == 0 {
		return from
	}
	return slices.DeleteFunc(slices.Clone(asked), func(status holdfast.DeliveryStatus) bool { return !slices.Contains(from, status) })
}

// DeliveredThrough makes of what a backend counts what a stream tells: accepted is its head, first the first open seq (0: none),
// count how many are open, known the last seq that a plan was made for.
func DeliveredThrough(accepted, first, count, known int64, planned bool) (through, open int64) {
	through, open = accepted, count
	if planned && known < accepted {
		through, open = known, count+accepted-known
	}
	if first > 0 {
		through = min(through, first-1)
	}
	return through, open
}

// ChangeOfRelease is what a device hears of a decision about a quarantined transaction.
func ChangeOfRelease(verb holdfast.Verb, of holdfast.Quarantined) holdfast.Change {
	c := holdfast.Change{Stream: of.Stream, Seq: of.Seq, Transaction: of.Transaction, Kind: holdfast.ChangeRepaired}
	switch verb {
	case holdfast.VerbSkip:
		c.Kind, c.Code = holdfast.ChangeSkipped, "operator"
	case holdfast.VerbGiveUp:
		c.Kind, c.Code = holdfast.ChangeFailed, "operator"
	}
	return c
}

// ChangeOfDeed is what a device hears of an operator's deed.
func ChangeOfDeed(d holdfast.Deed, of holdfast.Delivery) (holdfast.Change, bool) {
	c := holdfast.Change{Stream: of.Stream, Seq: of.Seq, Transaction: of.Transaction, Consumer: of.Consumer, Code: "operator"}
	switch d.Verb {
	case holdfast.VerbSkip:
		c.Kind = holdfast.ChangeSkipped
	case holdfast.VerbGiveUp:
		c.Kind = holdfast.ChangeFailed
	default:
		return c, false
	}
	return c, true
}
