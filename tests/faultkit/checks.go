package faultkit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// The checks take requests in the order of arrival, as [WireMockServer.Journal]
// has them, and return what is wrong with them, every finding on a line.

// Keys are the idempotency keys, each once, in the order of their first request.
func Keys(requests []Request) (keys []string) {
	seen := map[string]bool{}
	for _, r := range requests {
		if !seen[r.Key()] {
			seen[r.Key()] = true
			keys = append(keys, r.Key())
		}
	}
	return keys
}

// CheckOncePerKey finds requests without a key, and requests under a key that come
// although the consumer answered with success under it before. It is for runs in
// which every answer arrives: when one is lost, or the gateway is killed before it
// wrote one down, asking again under the same key is right.
func CheckOncePerKey(requests []Request) error {
	var found []error
	succeeded := map[string]Request{}
	for _, r := range requests {
		if r.Key() == "" {
			found = append(found, fmt.Errorf("without a key: %s", r))
			continue
		}
		if before, again := succeeded[r.Key()]; again {
			found = append(found, fmt.Errorf("again after success at %s: %s", before.Time.Format("15:04:05.000"), r))
		} else if r.OK() {
			succeeded[r.Key()] = r
		}
	}
	return errors.Join(found...)
}

// CheckSameRequest finds requests that differ from an earlier one under the same
// key, in method, URL or any octet of the body. It holds in every run.
func CheckSameRequest(requests []Request) error {
	var found []error
	first := map[string]Request{}
	for _, r := range requests {
		before, again := first[r.Key()]
		if !again {
			first[r.Key()] = r
			continue
		}
		if r.Method != before.Method || r.URL != before.URL || !bytes.Equal(r.Body, before.Body) {
			found = append(found, fmt.Errorf("another request under the same key: %s: %.200q; before: %s: %.200q", r, r.Body, before, before.Body))
		}
	}
	return errors.Join(found...)
}

// CheckSameKey finds transactions that are called under more than one key, keys
// that belong to more than one transaction, and requests without a key. It holds in
// every run, also over restarts of the gateway.
func CheckSameKey(requests []Request, id func(Request) string) error {
	var found []error
	keyOf, idOf := map[string]string{}, map[string]string{}
	for _, r := range requests {
		id, key := id(r), r.Key()
		if key == "" {
			found = append(found, fmt.Errorf("transaction %s without a key: %s", id, r))
			continue
		}
		if before, known := keyOf[id]; known && before != key {
			found = append(found, fmt.Errorf("transaction %s had key %q before: %s", id, before, r))
		}
		if before, known := idOf[key]; known && before != id {
			found = append(found, fmt.Errorf("the key of transaction %s is now that of %s: %s", before, id, r))
		}
		keyOf[id], idOf[key] = key, id
	}
	return errors.Join(found...)
}

// CheckDelivered finds wanted transactions to which the consumer never answered
// with success, and transactions that nobody wanted.
func CheckDelivered(requests []Request, id func(Request) string, want ...string) error {
	var found []error
	succeeded := map[string]bool{}
	for _, r := range requests {
		one := id(r)
		if !slices.Contains(want, one) {
			found = append(found, fmt.Errorf("transaction %s is not wanted: %s", one, r))
		}
		succeeded[one] = succeeded[one] || r.OK()
	}
	for _, one := range want {
		if !succeeded[one] {
			found = append(found, fmt.Errorf("transaction %s was not delivered", one))
		}
	}
	return errors.Join(found...)
}
