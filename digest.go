package holdfast

import (
	"crypto/sha256"
	"encoding/hex"
)

// Digest is the running hash of a stream: d(0) is 32 zero bytes and
// d(n) = SHA-256(d(n-1) ‖ SHA-256(bytes of transaction n)), the bytes being the
// octets of its JSON object as first accepted. Two sides with the same digest
// at the same sequence number hold the same history.
type Digest [sha256.Size]byte

// Next is the digest after one more transaction, given SHA-256 of its bytes.
func (d Digest) Next(content Hash) Digest {
	var both [2 * sha256.Size]byte
	copy(both[:], d[:])
	copy(both[sha256.Size:], content[:])
	return sha256.Sum256(both[:])
}

// String is 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Hash is the SHA-256 of some bytes.
type Hash [sha256.Size]byte

// HashOf hashes the octets of one transaction.
func HashOf(b []byte) Hash { return sha256.Sum256(b) }

// String is 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads 64 hexadecimal digits of either case.
func ParseHash(text string) (h Hash, ok bool) {
	if len(text) != hex.EncodedLen(len(h)) {
		return Hash{}, false
	}
	_, err := hex.Decode(h[:], []byte(text))
	return h, err == nil
}
