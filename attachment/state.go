package attachment

import (
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"errors"
	"hash"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
)

// state is what an upload's row keeps of its octets: those of the parts, then those of the pieces.
type state struct {
	// Sum is the SHA-256 of the octets so far, in the encoding of crypto/sha256.
	Sum []byte `json:"sum,omitempty"`
	// Name and Assembly are where the parts are; empty while there are none.
	Name     string             `json:"name,omitempty"`
	Assembly string             `json:"assembly,omitempty"`
	Parts    []objectstore.Part `json:"parts,omitempty"`
	// Next is the number of the next part: nobody has used it yet.
	Next   int     `json:"next,omitempty"`
	Pieces []piece `json:"pieces,omitempty"`
}

// piece is an object of octets that are too few for a part.
type piece struct {
	Name   string        `json:"name"`
	Size   int64         `json:"size"`
	Digest holdfast.Hash `json:"digest"`
}

func parseState(text []byte) (state, hash.Hash, error) {
	var s state
	sum := sha256.New()
	if len(text) == 0 {
		return s, sum, nil
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, nil, err
	}
	if s.Sum == nil {
		return s, sum, nil
	}
	restore, ok := sum.(encoding.BinaryUnmarshaler)
	if !ok {
		return s, nil, errors.New("attachment: this SHA-256 can't go on from a state")
	}
	return s, sum, restore.UnmarshalBinary(s.Sum)
}

// with is the state's encoding, at a sum.
func (s state) with(sum hash.Hash) ([]byte, error) {
	keep, ok := sum.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("attachment: this SHA-256 has no state")
	}
	var err error
	if s.Sum, err = keep.MarshalBinary(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// loose counts the octets in pieces.
func (s state) loose() (n int64) {
	for _, p := range s.Pieces {
		n += p.Size
	}
	return n
}
