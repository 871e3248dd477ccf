package client

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/holdfast-sync/holdfast"
)

// batch is one slice of the queue, ready to be sent as often as it takes.
type batch struct {
	first, last int64
	ids         []holdfast.ID
	request     *request
}

func (b *batch) count() int { return len(b.ids) }

// slicer collects a batch.
type slicer struct {
	batch
	origin      Origin
	body        []byte
	fingerprint []byte // the hashes of the transactions, one after the other
}

const (
	bodyStart = `{"transactions":[`
	bodyEnd   = `]}`
)

// fits says whether the batch may grow by t.
func (s *slicer) fits(t *Transaction, maxCount int, maxBytes int64) bool {
	if s.count() == 0 {
		return true
	}
	size := int64(len(s.body) + 1 + len(t.Raw) + len(bodyEnd))
	return s.count() < maxCount && size <= maxBytes && t.Origin == s.origin
}

func (s *slicer) add(seq int64, t *Transaction, content holdfast.Hash) {
	if s.count() == 0 {
		s.first, s.origin, s.body = seq, t.Origin, append(s.body, bodyStart...)
	} else {
		s.body = append(s.body, ',')
	}
	s.last = seq
	s.ids = append(s.ids, t.ID)
	s.body = append(s.body, t.Raw...)
	s.fingerprint = append(s.fingerprint, content[:]...)
}

// finish makes the request; nothing of it depends on anything but the stream,
// the transactions and salt, so that it is the same in every process.
func (s *slicer) finish(stream holdfast.ID, salt byte, compress bool) *batch {
	s.body = append(s.body, bodyEnd...)
	h := s.origin.header()
	h.Set("Content-Type", "application/json")
	h.Set("Correlation-Id", CorrelationID(stream, holdfast.HashOf(s.fingerprint), salt).String())
	if compress {
		s.body = gzipped(s.body)
		h.Set("Content-Encoding", "gzip")
	}
	b := s.batch
	b.request = &request{
		method: http.MethodPost, path: "/v1/streams/" + stream.String() + "/batches",
		header: h, body: s.body, decode: b.decode, splittable: b.count() > 1,
	}
	return &b
}

// CorrelationID names a batch by what is in it: a version 8 UUID (RFC 9562) of
// SHA-256 over a fixed prefix, the stream, the fingerprint (SHA-256 of the
// transactions' hashes in order) and a salt, 0 unless an id was found in use.
func CorrelationID(stream holdfast.ID, fingerprint holdfast.Hash, salt byte) holdfast.ID {
	h := sha256.New()
	h.Write([]byte("holdfast batch v1\x00"))
	h.Write(stream[:])
	h.Write(fingerprint[:])
	h.Write([]byte{salt})
	var id holdfast.ID
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

func gzipped(body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(body) // a bytes.Buffer does not fail
	_ = w.Close()
	return out.Bytes()
}

// decode accepts a receipt only if its results are those of this batch.
func (b *batch) decode(a *answer) error {
	if err := json.Unmarshal(a.body, &a.receipt); err != nil {
		return err
	}
	r := &a.receipt
	if err := r.check(); err != nil {
		return err
	}
	if len(r.Results) != b.count() {
		return fmt.Errorf("%d results for %d transactions", len(r.Results), b.count())
	}
	for i, id := range b.ids {
		if r.Results[i].Seq != b.first+int64(i) || (!id.IsZero() && r.Results[i].ID != id) {
			return fmt.Errorf("result %d is about another transaction", i)
		}
	}
	a.epoch = r.Epoch
	return nil
}

func (o Origin) values() [5][2]string {
	return [...][2]string{
		{"X-Store-Id", o.Store},
		{"X-User-Id", o.User},
		{"X-Device-Id", o.Device},
		{"X-Session-Id", o.Session},
		{"X-App-Version", o.AppVersion},
	}
}

func (o Origin) header() http.Header {
	h := http.Header{}
	for _, v := range o.values() {
		if v[1] != "" {
			h.Set(v[0], v[1])
		}
	}
	return h
}

// Validate says which value can't travel in a header.
func (o Origin) Validate() error {
	for _, v := range o.values() {
		if len(v[1]) > 128 {
			return fmt.Errorf("%s is longer than 128 characters", v[0])
		}
		for _, c := range []byte(v[1]) {
			if c < ' ' || c > '~' {
				return fmt.Errorf("%s has a character that is not printable ASCII", v[0])
			}
		}
	}
	return nil
}
