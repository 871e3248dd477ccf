package client

import "github.com/holdfast-sync/holdfast"

// markEvery transactions the digest is kept, so that a rewind reads back at
// most so many and a million transactions cost 125 KB.
const markEvery = 256

// chain computes the running digest of a source at any number, in order
// without reading anything twice.
type chain struct {
	read func(seq int64) (Transaction, error)
	base int64             // the number of marks[0]
	mark []holdfast.Digest // at base, base+markEvery, …
	seq  int64             // the newest number computed
	at   holdfast.Digest   // at seq
}

func newChain(after int64, digest holdfast.Digest, read func(int64) (Transaction, error)) *chain {
	return &chain{read: read, base: after, mark: []holdfast.Digest{digest}, seq: after, at: digest}
}

// extend takes the hash of a transaction that was read anyway; one that does
// not come next is not needed.
func (c *chain) extend(seq int64, content holdfast.Hash) {
	if seq != c.seq+1 {
		return
	}
	c.seq, c.at = seq, c.at.Next(content)
	if (c.seq-c.base)%markEvery == 0 {
		c.mark = append(c.mark, c.at)
	}
}

// digest is d(seq); seq is base or later and within the source.
func (c *chain) digest(seq int64) (holdfast.Digest, error) {
	for c.seq < seq {
		t, err := c.read(c.seq + 1)
		if err != nil {
			return holdfast.Digest{}, err
		}
		c.extend(c.seq+1, holdfast.HashOf(t.Raw))
	}
	if seq == c.seq {
		return c.at, nil
	}
	i := (seq - c.base) / markEvery
	d := c.mark[i]
	for n := c.base + i*markEvery + 1; n <= seq; n++ {
		t, err := c.read(n)
		if err != nil {
			return holdfast.Digest{}, err
		}
		d = d.Next(holdfast.HashOf(t.Raw))
	}
	return d, nil
}
