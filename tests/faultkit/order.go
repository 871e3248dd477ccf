package faultkit

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// CheckOrder finds requests that are too early: in each lane, every request with a
// smaller sequence number must have been answered with success, and its answer
// sent, before one with a greater number comes. So the first successes of a lane
// come in order. Repetitions later are not its business. Numbers may have gaps: only
// those that occur in the lane are waited for. It holds in every run in which a lane
// waits for each of its transactions.
func CheckOrder(requests []Request, lane func(Request) string, seq func(Request) int64) error {
	return CheckOrderUntil(requests, lane, seq, Request.OK)
}

// CheckOrderUntil is [CheckOrder] with another sense of success: done says whether
// the consumer's answer lets the lane go on. A 2xx with a body that the connection
// cannot read is no success, and a refusal that parks a transaction may be one.
func CheckOrderUntil(requests []Request, lane func(Request) string, seq func(Request) int64, done func(Request) bool) error {
	var found []error
	lanes := map[string][]Request{}
	var names []string
	for _, r := range requests {
		name := lane(r)
		if _, known := lanes[name]; !known {
			names = append(names, name)
		}
		lanes[name] = append(lanes[name], r)
	}
	for _, name := range names {
		for _, err := range laneOrder(lanes[name], seq, done) {
			found = append(found, fmt.Errorf("lane %s: %w", name, err))
		}
	}
	return errors.Join(found...)
}

// clockStep is how far apart two times of the journal may be for nothing: they are
// rounded to milliseconds, and so are delays.
const clockStep = 2 * time.Millisecond

func laneOrder(requests []Request, seq func(Request) int64, done func(Request) bool) (found []error) {
	var numbers []int64
	for _, r := range requests {
		numbers = append(numbers, seq(r))
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	ended := map[int64]time.Time{} // when the first success was sent, at the earliest
	through := 0                   // numbers[:through] have ended
	var last time.Time             // when the last of them did
	for _, r := range requests {
		n := seq(r)
		place, _ := slices.BinarySearch(numbers, n)
		switch {
		case place > through:
			found = append(found, fmt.Errorf("%d comes before %d has succeeded: %s", n, numbers[through], r))
		case place == through && last.After(r.Time.Add(clockStep)):
			found = append(found, fmt.Errorf("%d comes %s before the answer to %d: %s", n, last.Sub(r.Time), numbers[place-1], r))
		}
		if _, known := ended[n]; !known && done(r) {
			ended[n] = r.Time.Add(r.Delay)
		}
		for through < len(numbers) {
			end, known := ended[numbers[through]]
			if !known {
				break
			}
			if end.After(last) {
				last = end
			}
			through++
		}
	}
	return found
}
