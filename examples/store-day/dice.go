package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// dice are where all chance comes from: one seeded generator per device, so
// that another device does not change what the first ones do.
type dice struct{ *rand.Rand }

func newDice(parts ...uint64) dice {
	h := sha256.New()
	for _, p := range parts {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], p)
		h.Write(b[:])
	}
	sum := h.Sum(nil)
	return dice{rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])))}
}

// between is a whole number from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

// one in n times.
func (d dice) one(n int) bool { return d.IntN(n) == 0 }

// about is a waiting time around the mean, as things that happen by chance have
// it, but at least a fifth and at most four times the mean.
func (d dice) about(mean time.Duration) time.Duration {
	f := min(0.2+0.8*d.ExpFloat64(), 4)
	return time.Duration(f * float64(mean)).Round(time.Millisecond)
}

// uuid is a UUIDv7 (RFC 9562) of a moment.
func (d dice) uuid(at time.Time) holdfast.ID {
	var id holdfast.ID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|uint64(d.Uint32N(1<<12)))
	binary.BigEndian.PutUint64(id[8:], d.Uint64())
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// hash stands for the SHA-256 of a file that is not part of the example.
func (d dice) hash() string {
	var b [32]byte
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], d.Uint64())
	}
	return hex.EncodeToString(b[:])
}

// decimal is a number with so many digits behind the point, zeros included.
func decimal(units, digits int) json.Number {
	scale := 1
	for range digits {
		scale *= 10
	}
	sign := ""
	if units < 0 {
		sign, units = "-", -units
	}
	return json.Number(fmt.Sprintf("%s%d.%0*d", sign, units/scale, digits, units%scale))
}

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }
