package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// A segment is a text:
//
//	{"version":1,"segment":7,…,"rowsHash":"…","previous":"…"}    the manifest
//	hc1kP0…                                                      its signature (Ed25519, base64)
//	4182 0192f3c0-… 9f86d0…                                      position, id and hash of each event
//	…
//
// rowsHash is the SHA-256 of everything behind the signature's line; previous is that
// of the whole segment before. So whoever holds the last segment's hash holds all.

// manifest is the first line of a segment.
type manifest struct {
	Version  int       `json:"version"`
	Segment  int64     `json:"segment"`
	Kind     string    `json:"kind"` // hour, or backfill for rows that came after their hour had been sealed
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"` // one hour after From; later only when there is no row in all of it
	Rows     int64     `json:"rows"`
	RowsHash string    `json:"rowsHash"`
	Previous string    `json:"previous"`
	Key      string    `json:"key"`
	SealedAt time.Time `json:"sealedAt"`
	Node     string    `json:"node"`
}

const (
	segmentVersion = 1
	kindHour       = "hour"
	kindBackfill   = "backfill"
)

// row is a sealed event.
type row struct {
	position int64
	id       holdfast.ID
	hash     holdfast.Hash
}

func rowOf(e *holdfast.AuditEvent) row {
	return row{e.Position, e.ID, sha256.Sum256(e.AppendJSON(nil))}
}

// SegmentName is the name of a segment's object.
func SegmentName(number int64) string { return fmt.Sprintf("audit/segments/%012d.seg", number) }

// KeyID tells keys apart: the first 16 hex digits of the SHA-256 of the public key.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// seal makes a segment's octets.
func seal(m manifest, rows []row, key ed25519.PrivateKey) (octets []byte, head int, err error) {
	var body []byte
	for _, r := range rows {
		body = strconv.AppendInt(body, r.position, 10)
		body = append(body, ' ')
		body = r.id.AppendTo(body)
		body = append(body, ' ')
		body = hex.AppendEncode(body, r.hash[:])
		body = append(body, '\n')
	}
	sum := sha256.Sum256(body)
	public, _ := key.Public().(ed25519.PublicKey)
	m.Version, m.Rows, m.RowsHash, m.Key = segmentVersion, int64(len(rows)), hex.EncodeToString(sum[:]), KeyID(public)
	octets, err = json.Marshal(m)
	if err != nil {
		return nil, 0, err
	}
	signature := ed25519.Sign(key, octets)
	octets = append(octets, '\n')
	octets = base64.StdEncoding.AppendEncode(octets, signature)
	octets = append(octets, '\n')
	head = len(octets)
	return append(octets, body...), head, nil
}

// opened is a segment that was read and whose signature and hash hold.
type opened struct {
	manifest
	rows []row
	hash holdfast.Hash
}

// errSegment says what is wrong with a segment's octets.
var errSegment = errors.New("audit: not a segment as it was sealed")

// openSegment checks a segment's signature against the keys and reads its rows.
func openSegment(octets []byte, keys []ed25519.PublicKey) (*opened, error) {
	wrong := func(what string) (*opened, error) { return nil, fmt.Errorf("%w: %s", errSegment, what) }
	first, rest, ok := bytes.Cut(octets, []byte("\n"))
	line, body, ok2 := bytes.Cut(rest, []byte("\n"))
	if !ok || !ok2 {
		return wrong("it is cut")
	}
	o := &opened{hash: sha256.Sum256(octets)}
	if err := json.Unmarshal(first, &o.manifest); err != nil || o.Version != segmentVersion {
		return wrong("its manifest can't be read")
	}
	signature, err := base64.StdEncoding.DecodeString(string(line))
	if err != nil {
		return wrong("its signature can't be read")
	}
	signed, known := false, false
	for _, key := range keys {
		if KeyID(key) == o.Key {
			known = true
			signed = signed || ed25519.Verify(key, first, signature)
		}
	}
	if !known {
		return wrong("its key " + o.Key + " is not trusted")
	}
	if !signed {
		return wrong("its signature is wrong")
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != o.RowsHash {
		return wrong("its rows were changed")
	}
	for len(body) > 0 {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte("\n"))
		r, err := parseRow(line)
		if err != nil {
			return wrong("a row can't be read")
		}
		o.rows = append(o.rows, r)
	}
	if int64(len(o.rows)) != o.Rows {
		return wrong("it has another number of rows than it says")
	}
	return o, nil
}

func parseRow(line []byte) (r row, err error) {
	parts := bytes.Split(line, []byte(" "))
	if len(parts) != 3 || hex.DecodedLen(len(parts[2])) != len(r.hash) {
		return row{}, errSegment
	}
	if r.position, err = strconv.ParseInt(string(parts[0]), 10, 64); err != nil {
		return row{}, err
	}
	if r.id, err = holdfast.ParseID(parts[1]); err != nil {
		return row{}, err
	}
	_, err = hex.Decode(r.hash[:], parts[2])
	return r, err
}
